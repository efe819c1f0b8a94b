#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's console level: lowered while interfaces come up, never raised, and put back on every way out."""

import signal

import lab
import netns_case
from netns_case import PASSWORD


class ConsoleTest(netns_case.NetnsCase):
    def levels_during(self, level, end):
        """Run bootkey with this console level, on a cable that is not plugged in; (level meanwhile, level afterwards)."""
        client = self.lab.client()
        client.carrier(False)
        with lab.console_level(level, client) as current:
            process = self.start(client, *self.lab.keys().options)
            lab.wait_until(client.is_up, "the interface up")
            meanwhile = current()
            end(client, process)
            return meanwhile, current()

    @staticmethod
    def terminate(_client, process):
        process.signal(signal.SIGTERM)
        process.finish()

    def kill_and_restore(self, client, process):
        process.kill()
        self.assertEqual(self.run_bootkey(client, "--restore").status, 0)

    def test_lowered_and_put_back(self):
        meanwhile, afterwards = self.levels_during(7, self.terminate)
        self.assertLess(meanwhile, 7)
        self.assertEqual(afterwards, 7)

    def test_put_back_after_a_crash(self):
        meanwhile, afterwards = self.levels_during(7, self.kill_and_restore)
        self.assertLess(meanwhile, 7)
        self.assertEqual(afterwards, 7)

    def test_never_raised(self):
        for level in (1, 3):
            with self.subTest(level=level):
                self.assertEqual(self.levels_during(level, self.terminate), (level, level))

    def test_put_back_after_success(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        with lab.console_level(6, client) as current:
            self.fetch(client, *keys.options)
            self.assertEqual(current(), 6)

    def test_put_back_by_the_last_of_two_instances(self):
        client = self.lab.client()
        client.carrier(False)
        with lab.console_level(7, client) as current:
            both = [self.start(client, *self.lab.keys().options) for _ in range(2)]
            for process in both:
                process.wait_for_error("choosing interfaces")
            lab.wait_until(client.is_up, "the interface up")
            for process in both:
                self.terminate(client, process)
            self.assertEqual(current(), 7)


if __name__ == "__main__":
    netns_case.main()
