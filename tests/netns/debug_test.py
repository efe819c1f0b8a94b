#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""--debug: what it shows of the libraries, and that none of it is a secret."""

import base64

import netns_case
from netns_case import PASSWORD


class DebugTest(netns_case.NetnsCase):
    def test_libraries_speak(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        result = self.fetch(self.lab.client(), *keys.options, "--debug")
        self.assertRegex(result.errors, "(?i)avahi")
        self.assertRegex(result.errors, "(?i)gnutls")

    def test_no_secret_is_shown(self):
        for openpgp, tls in (("cv25519", "ed25519"), ("rsa4096", "rsa")):
            with self.subTest(openpgp):
                keys = self.lab.keys(openpgp, tls)
                server = self.lab.mandos([keys.section(PASSWORD)])
                result = self.fetch(self.lab.client(), *keys.options, "--debug")
                server.stop()
                said = result.errors.lower()
                for secret in self.secrets(keys):
                    for form in (secret, secret.hex().encode(), secret.hex(" ").encode(), base64.b64encode(secret).rstrip(b"=")):
                        self.assertNotIn(form.decode("latin-1").lower(), said)

    @staticmethod
    def secrets(keys):
        """The password, and pieces of the secret key files."""
        pieces = [PASSWORD]
        for path in (keys.seckey, keys.tls_privkey):
            with open(path, "rb") as file:
                pieces += [line for line in file.read().splitlines() if len(line) > 30 and not line.startswith(b"-----")]
        return pieces


if __name__ == "__main__":
    netns_case.main()
