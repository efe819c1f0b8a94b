#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The management interface beside cryptsetup's askpass: what is typed at either of them unlocks, and a device may refuse it."""

import signal

import askpass_case
import lab
import netns_case
from askpass_case import Prompt, Terminal
from management_case import ONLY_BOOTKEY, ManagementCase
from netns_case import PASSWORD

NEED = "^>PASSWORD:Need 'Disk' password"
FAILED = "^>PASSWORD:Verification Failed: 'Disk'"
NOT_NEEDED = ["ERROR: no password is currently needed at this time"]
TYPED, WRONG = b"typed by a person", b"not the password of this disk"


class ManagementConsoleTest(ManagementCase):
    def setUp(self):
        super().setUp()
        self.keys = self.lab.keys()
        self.host = self.lab.client()
        askpass_case.boot(self, self.host)

    def beside_askpass(self, *options):
        """bootkey that answers cryptsetup's askpass, and a client of it."""
        run, management = self.manage(self.host, self.keys, "--askpass-fifo", "--management-query-passwords", *options)
        management.until(NEED)
        return run, management

    def with_prompt(self, terminal, *options):
        """bootkey that has an askpass of its own on this terminal, and a client of it."""
        run, management = self.manage(self.host, self.keys, "--prompt", "--management-query-passwords", *options,
                                      stdin=terminal.slave)
        run.wait_for_error("Please unlock")
        lab.wait_until(lambda: not terminal.echoes(), "the prompt")
        management.until(NEED)
        return run, management

    def type(self, management, password):
        self.assertEqual(management.ask(f'password "Disk" "{password.decode()}"'),
                         ["SUCCESS: 'Disk' password entered, but not yet verified"])

    def end(self, run):
        run.signal(signal.SIGTERM)
        result = run.finish()
        self.assertEqual((result.status, result.output), (0, b""), result)

    # -- --askpass-fifo

    def test_askpass_gets_what_a_client_types(self):
        before = self.host.state()
        for options in ((), ("--management-hold",)):
            with self.subTest(options):
                prompt = Prompt(self, self.host)
                run, management = self.beside_askpass(*options)
                management.ask("state on")
                self.type(management, TYPED)
                self.assertEqual(prompt.answer(), TYPED)
                management.until(",CONNECTED,SUCCESS,")
                self.end(run)
        self.host.check_unchanged(before)

    def test_device_that_refuses_it(self):
        run, management = self.beside_askpass()
        first = Prompt(self, self.host)
        self.type(management, WRONG)
        self.assertEqual(first.answer(), WRONG)
        second = Prompt(self, self.host, tried=1)
        management.until(FAILED)
        management.until(NEED)
        self.type(management, TYPED)
        self.assertEqual(second.answer(), TYPED)
        self.end(run)

    def test_device_that_refuses_it_and_nobody_is_to_be_asked_again(self):
        self.slow_server(self.keys)
        run, management = self.beside_askpass()
        self.assertEqual(management.ask("auth-retry none"), ["SUCCESS: auth-retry parameter changed"])
        first = Prompt(self, self.host)
        self.type(management, WRONG)
        self.assertEqual(first.answer(), WRONG)
        second = Prompt(self, self.host, tried=1)
        management.until(FAILED)
        second.assert_unanswered()
        self.assertEqual(management.ask("password Disk x"), NOT_NEEDED)
        self.end(run)

    def test_password_of_a_server_beside_a_wrong_one_of_a_person(self):
        run, management = self.beside_askpass()
        first = Prompt(self, self.host)
        self.type(management, WRONG)
        self.assertEqual(first.answer(), WRONG)
        second = Prompt(self, self.host, tried=1)
        management.until(FAILED)
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.assertEqual(second.answer(), PASSWORD)
        self.end(run)

    # -- --prompt

    def test_prompt_ends_when_a_client_types(self):
        before = self.host.state()
        terminal = Terminal(self)
        run, management = self.with_prompt(terminal)
        self.type(management, TYPED)
        self.assert_password(run.finish(), TYPED)
        self.assertTrue(terminal.echoes())
        self.host.check_unchanged(before, ignore=["/run/bootkey"])

    def test_prompt_of_a_device_that_refused_it(self):
        terminal = Terminal(self)
        run, management = self.with_prompt(terminal, "--mapping=root", "--tried=0/5")
        self.type(management, WRONG)
        self.assert_password(run.finish(), WRONG)
        run, management = self.with_prompt(terminal, "--mapping=root", "--tried=1/5")
        self.type(management, WRONG)
        management.until(FAILED)
        management.until(NEED)
        self.alive(run)
        self.type(management, TYPED)
        self.assert_password(run.finish(), TYPED)

    def test_person_at_the_console_during_a_hold(self):
        self.lab.mandos([self.keys.section(PASSWORD)])
        before = self.host.state()
        terminal = Terminal(self)
        run, management = self.with_prompt(terminal, "--management-hold")
        management.ask("state on")
        self.alive(run, 0.5)
        self.host.check_unchanged(before, ignore=[*ONLY_BOOTKEY, "/run/bootkey", "^process is new: [0-9]+: .*askpass"])
        terminal.type(TYPED + b"\n")
        self.assert_password(run.finish(), TYPED)
        self.assertEqual(self.states(management.rest()), [("CONNECTED", "SUCCESS"), ("EXITING", "exit")])
        self.assertTrue(terminal.echoes())


if __name__ == "__main__":
    netns_case.main()
