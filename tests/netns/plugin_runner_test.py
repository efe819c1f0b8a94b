#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's plugin-runner runs bootkey, and another plugin has the password first.

plugin-runner then sends SIGTERM to all plugins and waits for their end, however long that takes: the machine boots no sooner. So
bootkey has to end in time whatever it is about.
"""

import glob
import os
import time
import unittest

import badserver
import netns_case
import peers
import plugin_case
from netns_case import PASSWORD
from plugin_case import PLUGIN, ROOT

RUNNER = "/lib/mandos/plugin-runner"
TYPED = b"typed by a person"
# Seconds until plugin-runner has ended: bootkey puts back within 5 s.
MOST_SECONDS = 6


def plugin_runner():
    """Debian's plugin-runner, if tools/packages.sh has unpacked it; else None."""
    found = glob.glob(os.path.join(netns_case.REPOSITORY, "build/peers/mandos-client/usr/lib/*/mandos/plugin-runner"))
    return found[0] if found else None


@unittest.skipUnless(plugin_runner(), "no mandos-client in build/peers (tools/test fetches it)")
class PluginRunnerTest(plugin_case.PluginCase):
    def setUp(self):
        super().setUp()
        self.make_root()
        self.client.check(["install", plugin_runner(), ROOT + RUNNER])
        self.hook(f"until [ -e /run/go ]; do sleep 0.02; done; printf '{TYPED.decode()}'", os.path.dirname(PLUGIN) + "/password-prompt")

    def answer(self, until):
        """Let the other plugin answer when bootkey has said `until`, or at once; check how all ends."""
        before = self.client.state()
        process = self.client.start(["chroot", ROOT, RUNNER, f"--plugin-dir={os.path.dirname(PLUGIN)}", "--options-for=mandos-client:--debug"])
        self.addCleanup(process.kill)
        if until:
            process.wait_for_error(until, 20)
        self.in_root(": >/run/go")
        begin = time.monotonic()
        result = process.finish(20)
        self.assertLess(time.monotonic() - begin, MOST_SECONDS, result)
        self.assertEqual((result.status, result.output), (0, TYPED), result)
        self.in_root("rm /run/go")
        self.client.check_unchanged(before)

    def bad_server(self, behaviour):
        host = self.lab.host()
        badserver.start(host, {4711: behaviour}, self.lab.file("answer", os.urandom(500)))
        peers.announce(host, peers.announcement("Bad", 4711, [host.link_local()], target=host.name))

    def test_at_once(self):
        self.answer("")

    def test_while_it_searches(self):
        self.answer("interface eth0: address .* is usable")

    def test_without_any_carrier(self):
        self.client.carrier(False)
        self.answer("brought up interface eth0")

    def test_while_it_connects(self):
        self.bad_server("drop_syn")
        self.answer("connecting")

    def test_while_it_shakes_hands(self):
        self.bad_server("tarpit_after_version")
        self.answer("handshake")

    def test_while_a_server_waits_for_approval(self):
        server = self.lab.mandos([self.keys.section(PASSWORD, approved_by_default="False", approval_delay="1h")])
        self.answer("waiting")
        server.stop()

    def test_while_an_answer_drips(self):
        self.bad_server("drip")
        self.answer("receiving")

    def test_while_a_start_hook_runs(self):
        self.hook("trap '' TERM; [ $1 = stop ] || { echo BEGUN >&2; sleep 1000; }")
        self.answer("BEGUN")

    def test_while_a_stop_hook_hangs(self):
        self.hook("[ $1 = start ] || { trap '' TERM; sleep 1000; }")
        self.answer("interface eth0: address .* is usable")


if __name__ == "__main__":
    netns_case.main()
