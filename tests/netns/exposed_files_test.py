#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that others than root may change: refused by the modes of a running system, with the command that mends it, and only
warned of where nobody is there to run it.
"""

import os
import re
import subprocess

import netns_case
from netns_case import PASSWORD

NOBODY = 65534
KEYS = ("pubkey.txt", "seckey.txt", "tls-pubkey.pem", "tls-privkey.pem")


class ExposedFilesTest(netns_case.NetnsCase):
    def setUp(self):
        super().setUp()
        self.made = self.lab.keys()
        self.client = self.lab.client()
        os.chmod(self.lab.directory, 0o755)
        for name in KEYS:
            with open(os.path.join(self.made.directory, name), "rb") as file:
                self.lab.file(f"mine/{name}", file.read(), 0o600)
        self.directory = self.lab.path("mine")
        os.chmod(self.directory, 0o755)
        self.options = [f"--{option}={self.directory}/{name}" for option, name in zip(("pubkey", "seckey", "tls-pubkey", "tls-privkey"), KEYS)]
        self.password = self.lab.file("password", PASSWORD, 0o600)

    def exposures(self, path):
        """(how others may change it, the command that mends that) of a file; each is undone behind its use."""
        directory = os.path.dirname(path)
        status = os.stat(path)
        for change, command in ((lambda: os.chmod(path, 0o602), f"chmod go-w {path}"),
                                (lambda: (os.chown(path, 0, NOBODY), os.chmod(path, 0o620)), f"chmod go-w {path}"),
                                (lambda: os.chown(path, NOBODY, 0), f"chown root {path}"),
                                (lambda: os.chmod(directory, 0o777), f"chmod go-w {directory}"),
                                (lambda: os.chown(directory, NOBODY, 0), f"chown root {directory}")):
            change()
            yield command
            os.chown(path, 0, 0)
            os.chmod(path, status.st_mode & 0o7777)
            os.chown(directory, 0, 0)
            os.chmod(directory, 0o755)

    def refuses(self, command, *options, **process_options):
        before = self.client.state()
        result = self.run_bootkey(self.client, *options, **process_options)
        self.assertEqual((result.status, result.output), (77, b""), result)
        self.assertRegex(result.errors, f"others than root may change .*; {re.escape(command)}\n")
        self.client.check_unchanged(before, timeout=0)

    def test_unlocking_by_hand_and_enrolling_refuse_such_keys(self):
        for name in KEYS:
            for command in self.exposures(f"{self.directory}/{name}"):
                with self.subTest(command):
                    self.refuses(command, *self.options)
                    self.refuses(command, "--enroll", f"--password-file={self.password}", *self.options)
        self.enroll(self.client, self.made)

    def test_the_command_mends_it(self):
        self.lab.mandos([self.made.section(PASSWORD)])
        os.chmod(f"{self.directory}/seckey.txt", 0o666)
        os.chown(f"{self.directory}/seckey.txt", NOBODY, NOBODY)
        result = self.run_bootkey(self.client, *self.options)
        self.assertEqual(result.status, 77, result)
        subprocess.run(result.errors.strip().rsplit("; ", 1)[1], shell=True, check=True)
        self.fetch(self.client, *self.options)

    def test_other_files_that_it_acts_upon(self):
        signers = self.lab.file("files/signers", "x", 0o600)
        config = self.lab.file("files/config", "verb=3\n", 0o600)
        management = self.lab.file("files/management", "secret\n", 0o600)
        secret = self.lab.file("files/secret", PASSWORD, 0o600)
        parameters = self.lab.file("files/dh", "x", 0o600)
        hook = self.lab.file("hooks/hook", "#!/bin/sh\n", 0o755)
        for path, *options in ((config, f"--config={config}", *self.options), (config, f"--config={config}", "--control", "state"),
                               (config, f"--config={config}", "--enroll", f"--password-file={self.password}", *self.options),
                               (management, "--management=127.0.0.1:7505", f"--management-password-file={management}", *self.options),
                               (management, "--control=127.0.0.1:7505", f"--management-password-file={management}", "state"),
                               (signers, f"--require-signature={signers}", *self.options),
                               (parameters, f"--dh-params={parameters}", *self.options),
                               (secret, "--enroll", f"--password-file={secret}", *self.options)):
            for command in self.exposures(path):
                with self.subTest(command=command, options=options[:2]):
                    result = self.client.run([self.bootkey, *options])
                    self.assertEqual((result.status, result.output), (77, b""), result)
                    self.assertIn(f"; {command}\n", result.errors)
        os.chmod(os.path.dirname(hook), 0o777)
        self.refuses(f"chmod go-w {os.path.dirname(hook)}", f"--network-hook-dir={os.path.dirname(hook)}", *self.options)

    def test_beside_the_prompt_it_is_only_said(self):
        self.lab.mandos([self.made.section(PASSWORD)])
        self.client.check(["sh", "-ec", "mkdir -p /run/fifo && mkfifo -m 600 /run/fifo/passfifo"])
        config = self.lab.file("files/config", "retry=1\n", 0o606)
        signers_free = [*self.options, f"--config={config}"]
        for command in self.exposures(f"{self.directory}/seckey.txt"):
            with self.subTest(command):
                run = self.start(self.client, "--askpass-fifo=/run/fifo/passfifo", *signers_free)
                run.wait_for_error(re.escape(f"; {command}"))
                run.wait_for_error(re.escape(f"; chmod go-w {config}"))
                run.wait_for_error("answer|password|decrypt")
                run.terminate()
                self.assertEqual(run.finish(10).status, 0)

    def test_a_secret_that_others_may_read_is_warned_of(self):
        self.lab.mandos([self.made.section(PASSWORD)])
        for name in ("seckey.txt", "tls-privkey.pem"):
            path = f"{self.directory}/{name}"
            os.chmod(path, 0o644)
            self.assertIn(f"chmod go= {path}\n", self.fetch(self.client, *self.options).errors)
            self.assertIn(f"chmod go= {path}\n", self.run_bootkey(self.client, "--enroll", f"--password-file={self.password}", *self.options).errors)
            os.chmod(self.directory, 0o700)
            self.assertNotIn("may read", self.fetch(self.client, *self.options).errors)
            os.chmod(self.directory, 0o755)
            os.chmod(path, 0o600)
        for name in ("pubkey.txt", "tls-pubkey.pem"):
            os.chmod(f"{self.directory}/{name}", 0o644)
        self.assertNotIn("others", self.fetch(self.client, *self.options).errors)

    def test_a_package_can_still_make_keys(self):
        config = self.lab.file("files/config", "verb=1\n", 0o606)
        made = self.lab.path("made")
        result = self.client.run([self.bootkey, f"--config={config}", f"--generate-keys={made}"])
        self.assertEqual(result.status, 0, result)
        self.assertIn(f"chmod go-w {config}\n", result.errors)
        for name in ("pubkey.txt", "seckey.txt"):
            self.assertEqual(os.stat(f"{made}/{name}").st_mode & 0o7777, 0o600)

    def test_a_user_who_is_not_root_may_own_the_files(self):
        for name in KEYS:
            os.chown(f"{self.directory}/{name}", NOBODY, NOBODY)

        def become(user):
            def prepare():
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            return prepare

        options = ["--enroll", f"--password-file={self.lab.file('theirs', PASSWORD, 0o644)}", *self.options]
        self.assertEqual(self.client.run([self.bootkey, *options], prepare=become(NOBODY)).status, 0)
        self.assertEqual(self.client.run([self.bootkey, *options], prepare=become(1000)).status, 77)


if __name__ == "__main__":
    netns_case.main()
