#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed answers: made with --enroll --sign-with, demanded with --require-signature, and what is refused then."""

import os

import keysets
import netns_case
from netns_case import PASSWORD


class SignatureTest(netns_case.NetnsCase):
    def admin(self, name="admin"):
        """A person's new GnuPG home with one key in it."""
        home = self.lab.path(f"{name}-gnupg")
        os.mkdir(home, 0o700)
        client = self.lab.client()  # a host, whose end is also that of the agent that gpg starts
        self.gpg(client, home, "--passphrase", "", "--quick-generate-key", f"{name}@example.org", "ed25519", "sign")
        return client, home

    def gpg(self, host, home, *arguments):
        return host.check(["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", *arguments])

    def public_key(self, host, home):
        """A file for --require-signature."""
        path = self.lab.path(f"{os.path.basename(home)}.asc")
        self.gpg(host, home, "--armor", "--output", path, "--export")
        return path

    def enroll_signed(self, host, home, keys, **options):
        """Enrol with a signed password; the clients.conf section that was printed."""
        host.environment["GNUPGHOME"] = home
        return self.enroll(host, keys, "--sign-with=admin@example.org", **options)

    def refused(self, client, process, why):
        """The program says that an answer is refused, and why, and goes on."""
        process.wait_for_error(f"cannot accept the server's answer: {why}")
        self.alive(process)

    def test_signed_answer_is_taken(self):
        keys = self.lab.keys()
        host, home = self.admin()
        self.lab.mandos([self.enroll_signed(host, home, keys)])
        signers = self.public_key(host, home)
        self.fetch(self.lab.client(), *keys.options, f"--require-signature={signers}")
        self.fetch(self.lab.client(), *keys.options)  # who does not demand a signature takes it as well

    def test_what_to_do_next_is_said_when_enrolling(self):
        host, home = self.admin()
        host.environment["GNUPGHOME"] = home
        file = self.lab.file("password", PASSWORD)
        result = host.run([self.bootkey, "--enroll", f"--password-file={file}", "--sign-with=admin",
                           *self.lab.keys().options])
        self.assertEqual(result.status, 0, result)
        fingerprint = keysets.fingerprints(self.public_key(host, home))[0]
        self.assertIn(f"--export {fingerprint}", result.errors)
        self.assertNotIn(PASSWORD.decode(), result.errors)

    def test_unsigned_answer_is_refused_and_another_server_asked(self):
        keys = self.lab.keys()
        host, home = self.admin()
        signers = self.public_key(host, home)
        self.lab.mandos([keys.section(b"not signed")])
        client = self.lab.client()
        before = client.state()
        process = self.start(client, *keys.options, "--retry=0.5", f"--require-signature={signers}")
        self.refused(client, process, "it is not signed")
        self.lab.mandos([self.enroll_signed(host, home, keys)])
        self.assert_password(process.finish())
        client.check_unchanged(before)

    def test_answer_signed_by_others_is_refused(self):
        keys = self.lab.keys()
        host, home = self.admin()
        _, others_home = self.admin("other")
        signers = self.public_key(host, others_home)
        self.lab.mandos([self.enroll_signed(host, home, keys)])
        client = self.lab.client()
        process = self.start(client, *keys.options, f"--require-signature={signers}")
        fingerprint = keysets.fingerprints(self.public_key(host, home))[0]
        self.refused(client, process, f"it is signed by the key {fingerprint}, which is not in {signers}")

    def test_clock_at_1970(self):
        keys = self.lab.keys()
        host, home = self.admin()
        signers = self.public_key(host, home)
        self.lab.mandos([self.enroll_signed(host, home, keys)])
        client = self.lab.client()
        self.wrap_program(client, "/usr/bin/gpg", 'exec $REAL --faked-system-time 19700101T000500! "$@"')
        self.fetch(client, *keys.options, f"--require-signature={signers}")

    def test_signers_file_that_cannot_be_used_touches_nothing(self):
        keys = self.lab.keys()
        client = self.lab.client()
        hook = self.lab.file("hooks/hook", f"#!/bin/sh\n: >{self.lab.path('touched')}\n", 0o755)
        files = {"missing": "/nonexistent", "empty": self.lab.file("empty", ""),
                 "no key": self.lab.file("garbage", "this is no key\n"), "a secret key": keys.seckey}
        before = client.state()
        for what, file in files.items():
            with self.subTest(what):
                result = self.run_bootkey(client, *keys.options, f"--network-hook-dir={os.path.dirname(hook)}",
                                          f"--require-signature={file}")
                self.assertEqual((result.status, result.output), (66, b""), result)
                self.assertIn(file, result.errors)
                client.check_unchanged(before, timeout=0)
        self.assertFalse(self.lab.exists("touched"), "a hook was run")

    def test_enrolling_with_a_key_that_is_not_there(self):
        host, home = self.admin()
        host.environment["GNUPGHOME"] = home
        file = self.lab.file("password", PASSWORD)
        result = self.run_bootkey(host, "--enroll", f"--password-file={file}", "--sign-with=nobody@example.org",
                                  *self.lab.keys().options)
        self.assertEqual((result.status, result.output), (66, b""), result)
        self.assertIn("nobody@example.org", result.errors)


if __name__ == "__main__":
    netns_case.main()
