#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""--dh-bits and --dh-params, seen from the other side: the prime that a TLS 1.2 peer is offered."""

import re
import subprocess

import netns_case
import peers
from netns_case import PASSWORD

PRIORITY = "--priority=NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA:!CTYPE-X.509:+CTYPE-RAWPK"
PORT = 4711


class DhTest(netns_case.NetnsCase):
    def setUp(self):
        super().setUp()
        self.keys = self.lab.keys("cv25519", tls="rsa")

    def prime_offered(self, *options):
        """(the prime that a peer sees, what bootkey said)."""
        host = self.lab.host()
        peer = peers.start(host, "dhe", PORT)
        process = self.start(self.lab.client(), *self.keys.options, PRIORITY, *options,
                             f"--connect=[{host.link_local()}%eth0]:{PORT}")
        line = peer.read_line()
        self.assertRegex(line, b"^prime [0-9a-f]+\n$", process.errors())
        return int(line.split()[1], 16), process.errors()

    def parameters(self):
        """A PKCS#3 file with a prime that no program would choose by itself, RFC 3526's; (its path, the prime)."""
        path = self.lab.path("dh.pem")
        subprocess.run(["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:modp_2048", "-out", path],
                       check=True, capture_output=True)
        text = subprocess.run(["openssl", "asn1parse", "-in", path], check=True, capture_output=True, text=True).stdout
        return path, int(re.search("INTEGER *:([0-9A-F]+)", text).group(1), 16)

    def test_bits(self):
        for bits in (2048, 3072):
            with self.subTest(bits):
                self.assertEqual(self.prime_offered(f"--dh-bits={bits}")[0].bit_length(), bits)

    def test_parameters_file(self):
        path, prime = self.parameters()
        self.assertEqual(self.prime_offered(f"--dh-params={path}")[0], prime)

    def test_parameters_win_over_bits(self):
        path, prime = self.parameters()
        self.assertEqual(self.prime_offered("--dh-bits=3072", f"--dh-params={path}")[0], prime)

    def test_bad_parameters_file_is_a_warning(self):
        for path in ("/nonexistent", self.lab.file("garbage", "no parameters\n")):
            with self.subTest(path):
                prime, said = self.prime_offered(f"--dh-params={path}", "--dh-bits=2048")
                self.assertEqual(prime.bit_length(), 2048)
                self.assertIn(path, said)

    def test_password_over_finite_field_diffie_hellman(self):
        self.lab.mandos([self.keys.section(PASSWORD)], priority=PRIORITY.partition("=")[2])
        for options in ([], ["--dh-bits=2048"], ["--dh-params=/nonexistent"]):
            with self.subTest(options):
                self.fetch(self.lab.client(), *self.keys.options, PRIORITY, *options)


if __name__ == "__main__":
    netns_case.main()
