#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of every kind: made by bootkey, made by gpg and openssl, with and without TLS key files."""

import os
import stat

import keysets
import netns_case
from netns_case import PASSWORD


class KeysTest(netns_case.NetnsCase):
    def generate(self, host, *options):
        """Run --generate-keys into a new directory; the key set."""
        directory = self.lab.path("generated")
        self.assertEqual(self.run_bootkey(host, f"--generate-keys={directory}", *options).status, 0)
        return keysets.KeySet(directory)

    def unlock_with(self, host, keys):
        """Enrol the keys by --enroll at a real server and get the password by them."""
        self.lab.mandos([self.enroll(host, keys)])
        return self.fetch(host, *keys.options)

    def test_generated(self):
        client = self.lab.client()
        keys = self.generate(client)
        self.assertEqual(sorted(os.listdir(keys.directory)), ["pubkey.txt", "seckey.txt"])
        self.unlock_with(client, keys)

    def test_generated_rsa(self):
        client = self.lab.client()
        self.unlock_with(client, self.generate(client, "--key-type=rsa4096"))

    def test_generated_with_tls_key(self):
        client = self.lab.client()
        keys = self.generate(client, "--tls-key")
        self.assertEqual(sorted(os.listdir(keys.directory)),
                         ["pubkey.txt", "seckey.txt", "tls-privkey.pem", "tls-pubkey.pem"])
        self.unlock_with(client, keys)

    def test_generated_keys_are_for_the_owner_only(self):
        keys = self.generate(self.lab.client(), "--tls-key")
        self.assertEqual(stat.S_IMODE(os.stat(keys.directory).st_mode), 0o700)
        for name in ("seckey.txt", "tls-privkey.pem"):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(keys.directory, name)).st_mode), 0o600, name)

    def test_generated_keys_never_expire(self):
        keys = self.generate(self.lab.client())
        with keysets.GpgHome() as home:
            listing = home.gpg("--with-colons", "--show-keys", keys.pubkey).decode()
        rows = [line.split(":") for line in listing.splitlines() if line.startswith(("pub:", "sub:"))]
        self.assertEqual([row[6] for row in rows], [""] * len(rows))
        self.assertEqual([(row[0], row[16]) for row in rows],
                         [("pub", "ed25519"), ("sub", "ed25519"), ("sub", "cv25519")])

    def test_generating_overwrites_only_when_forced(self):
        client = self.lab.client()
        keys = self.generate(client)
        before = keysets.fingerprints(keys.pubkey)
        refused = self.run_bootkey(client, f"--generate-keys={keys.directory}")
        self.assertEqual(refused.status, 73, refused)
        self.assertIn("--force", refused.errors)
        self.assertEqual(keysets.fingerprints(keys.pubkey), before)
        self.assertEqual(self.run_bootkey(client, f"--generate-keys={keys.directory}", "--force").status, 0)
        self.assertNotEqual(keysets.fingerprints(keys.pubkey), before)

    def test_generating_leaves_no_trace(self):
        client = self.lab.client()
        before = client.state()
        self.generate(client)
        client.check_unchanged(before)

    def test_tls_key_files(self):
        for tls in ("ed25519", "rsa"):
            with self.subTest(tls):
                keys = self.lab.keys("cv25519", tls)
                self.lab.mandos([keys.section(PASSWORD)])
                self.fetch(self.lab.client(), *keys.options)

    def test_openpgp_key_made_by_gpg_is_the_tls_key_too(self):
        for openpgp in ("cv25519", "rsa4096"):
            with self.subTest(openpgp):
                client = self.lab.client()
                self.unlock_with(client, self.lab.keys(openpgp, tls=None))

    def test_key_directory_is_found(self):
        client = self.lab.client()
        keys = self.lab.keys()
        client.private_etc()
        client.check(["sh", "-c", f"mkdir -p /etc/keys/mandos && cp {keys.directory}/* /etc/keys/mandos/"])
        self.lab.mandos([keys.section(PASSWORD)])
        self.fetch(client)

    def test_clock_at_1970(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        self.wrap_program(client, "/usr/bin/gpg", 'exec $REAL --faked-system-time 19700101T000500! "$@"')
        self.fetch(client, *keys.options)

    def test_one_half_of_a_tls_pair_is_refused(self):
        client = self.lab.client()
        keys = self.lab.keys()
        before = client.state()
        for half in (f"--tls-pubkey={keys.tls_pubkey}", f"--tls-privkey={keys.tls_privkey}"):
            with self.subTest(half):
                result = self.run_bootkey(client, f"--pubkey={keys.pubkey}", f"--seckey={keys.seckey}", half)
                self.assertIn(result.status, (64, 66), result)
                self.assertIn("tls", result.errors.lower())
        client.check_unchanged(before, timeout=0)

    def test_passphrase_without_tls_key_is_refused(self):
        keys = keysets.make(self.lab.path("protected"), tls=None, passphrase="secret words")
        client = self.lab.client()
        # Somebody could answer, so that only the use for TLS is wrong: of two things that are wrong either may be told first.
        result = self.run_bootkey(client, *keys.options, f"--management=unix:{self.lab.path('management')}", "--management-query-passwords")
        self.assertEqual(result.status, 66, result)
        self.assertIn("passphrase", result.errors)
        self.assertIn("--tls-key", result.errors)

    def test_passphrase_with_nobody_to_ask_is_refused(self):
        keys = keysets.make(self.lab.path("protected"), passphrase="secret words")
        client = self.lab.client()
        before = client.state()
        result = self.run_bootkey(client, *keys.options)
        self.assertEqual(result.status, 66, result)
        self.assertIn("passphrase", result.errors)
        self.assertIn("--management-query-passwords", result.errors)
        client.check_unchanged(before, timeout=0)


if __name__ == "__main__":
    netns_case.main()
