#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unlocking with an OpenPGP key that a passphrase protects, which a person enters when they get round to it.

answering_bootkey (tests/monitor/answering_bootkey.cpp) is the program with a person at it, who answers with what is written into a
FIFO. See secrets_test.py for where the passphrase is meanwhile.
"""

import os
import signal

import keysets
import lab
import netns_case
from netns_case import PASSWORD, below

PASSPHRASE = b"some words that open it"


class PassphraseTest(netns_case.NetnsCase):
    def setUp(self):
        super().setUp()
        program = os.environ.get("BOOTKEY_ANSWERING")
        if not program:
            self.fail("name the program in the environment: BOOTKEY_ANSWERING=build/dev/tests/monitor/answering_bootkey")
        self.program = os.path.abspath(program)
        self.fifo = self.lab.path("person")
        os.mkfifo(self.fifo, 0o600)
        self.keys = keysets.make(self.lab.path("protected"), passphrase=PASSPHRASE.decode())
        self.client = self.lab.client()
        self.before = self.client.state()

    def begin(self, *options):
        run = self.client.start([self.program, self.fifo, "--verb=4", *self.keys.options, *options])
        self.addCleanup(run.kill)
        return run

    def enter(self, words):
        with open(self.fifo, "wb", buffering=0) as fifo:
            fifo.write(words + b"\n")

    def test_asked_at_once_while_the_answer_comes_and_again_until_it_is_right(self):
        self.lab.mandos([self.keys.section(PASSWORD)])
        run = self.begin()
        run.wait_for_error("person: asked anew for the passphrase of test client")
        run.wait_for_error("decrypting the .* bytes")  # the answer waits
        for number, wrong in enumerate((b"wrong", b"", PASSPHRASE + b" "), start=1):
            self.enter(wrong)
            run.wait_for_error("(?s)" + "asked again.*" * number)
        self.enter(PASSPHRASE)
        self.assert_password(run.finish())
        self.client.check_unchanged(self.before)

    def test_entered_before_there_is_a_server(self):
        run = self.begin()
        run.wait_for_error("asked anew")
        self.enter(PASSPHRASE)
        run.wait_for_error("the OpenPGP key is unlocked")
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.assert_password(run.finish())
        self.client.check_unchanged(self.before)

    def test_asked_anew_when_the_decryptor_has_died(self):
        server = self.lab.mandos([self.keys.section(PASSWORD)], start=False)
        run = self.begin()
        run.wait_for_error("asked anew")
        self.enter(PASSPHRASE)
        run.wait_for_error("is unlocked")
        person = next(pid for pid, name in below(run.pid).items() if name == "person")
        os.kill(next(pid for pid, name in below(person).items() if name == "bootkey-decrypt"), signal.SIGKILL)
        run.wait_for_error("(?s)asked anew.*asked anew")
        server.start()
        run.wait_for_error("decrypting the .* bytes")
        self.enter(PASSPHRASE)
        self.assert_password(run.finish())
        self.client.check_unchanged(self.before)

    def test_a_signal_while_nobody_answers(self):
        run = self.begin()
        run.wait_for_error("asked anew")
        lab.wait_until(self.client.is_up, "the interface up")
        run.signal(signal.SIGTERM)
        self.assertEqual(run.finish().status, -signal.SIGTERM)
        self.client.check_unchanged(self.before)

    def test_without_tls_key_files_it_is_of_no_use(self):
        for name in (self.keys.tls_pubkey, self.keys.tls_privkey):
            os.remove(name)
        result = self.begin().finish()
        self.assertEqual(result.status, 66, result)
        self.assertIn("passphrase", result.errors)
        self.assertIn("--tls-key", result.errors)
        self.client.check_unchanged(self.before, timeout=0)


if __name__ == "__main__":
    netns_case.main()
