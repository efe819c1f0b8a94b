#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that cost the decryptor as much as an answer can, from hosts that have none of the machine's keys."""

import re
import struct

import lab
import netns_case
import peers
from netns_case import PASSWORD

PORT = 5000
ANSWERED = r"\[ *([\d.]+) ms\] server {} at .*: answered$"
DECRYPTING = r"\[ *([\d.]+) ms\] decrypting the \d+ bytes that (\S+)"


def packet(tag, body):
    """An OpenPGP packet in the new format (RFC 4880, section 4.2.2)."""
    if len(body) < 192:
        return bytes([0xC0 | tag, len(body)]) + body
    return bytes([0xC0 | tag, (len(body) - 192 >> 8) + 192, len(body) - 192 & 255]) + body


def costly(count):
    """An answer with session keys for any RSA-4096 key, each of which gpg can only try."""
    session_key = packet(1, b"\3" + bytes(8) + b"\1" + struct.pack("!H", 4095) + b"\x7f" + bytes(range(255)) + bytes(256))
    return session_key * count + packet(18, b"\1" + bytes(60))


class CostlyAnswersTest(netns_case.NetnsCase):
    def setUp(self):
        super().setUp()
        self.keys = self.lab.keys("rsa4096")

    def hostile(self, count, message):
        """So many hosts, each of which sends the message to whoever asks, again and again."""
        host = self.lab.host()
        file = self.lab.file("costly", message)
        addresses = [f"fe80::bad:{number:x}" for number in range(1, count + 1)]
        host.check(["sh", "-c", "; ".join(f"ip address add {address}/64 dev eth0 nodad" for address in addresses)])
        peers.start(host, "answer", PORT, file)
        peers.announce(host, *(peers.announcement(f"bad-{number}", PORT, [address], target=f"host{number}")
                               for number, address in enumerate(addresses)))

    def hostile_decryptions_before(self, errors):
        """How many of their answers had their turn after the good one was there."""
        answered = float(re.search(ANSWERED.format("Mandos on .*"), errors, re.M)[1])
        turns = [(float(when), whose) for when, whose in re.findall(DECRYPTING, errors, re.M)]
        good = min(when for when, whose in turns if whose == "Mandos")
        return sum(answered < when < good for when, _ in turns)

    def test_answer_to_more_keys_than_anybody_would_name(self):
        """It is refused before gpg sees it."""
        self.hostile(8, costly(60))
        self.lab.mandos([self.keys.section(PASSWORD, approval_delay="2s", approved_by_default="True")])
        process = self.start(self.lab.client(), *self.keys.options, "--verb=3", "--retry=0.5")
        process.wait_for_error("bad-0: .*it is encrypted to more keys than a server would name")
        result = process.finish(40)
        self.assert_password(result)
        self.assertLessEqual(self.hostile_decryptions_before(result.errors), 3)

    def test_hundred_hosts_that_were_wrong_once(self):
        """A good server, which is announced like them, comes before all of them."""
        self.hostile(100, costly(4))
        process = self.start(self.lab.client(), *self.keys.options, "--verb=3", "--retry=1")
        judged = r"server bad-(\d+): "
        lab.wait_until(lambda: len(set(re.findall(judged, process.errors()))) == 100, "an answer of each host", 60 + netns_case.SLACK,
                       check=lambda: self.alive(process))
        self.lab.mandos([self.keys.section(PASSWORD)])
        result = process.finish(40)
        self.assert_password(result)
        self.assertLessEqual(self.hostile_decryptions_before(result.errors), 3)

    def test_configured_server_comes_before_announced_ones(self):
        """Also while none of them was judged yet."""
        server = self.lab.mandos([self.keys.section(PASSWORD)])
        self.hostile(100, costly(4))
        client = self.lab.client()
        process = self.start(client, *self.keys.options, "--verb=3", f"--server={server.address}")
        result = process.finish(40)
        self.assert_password(result)


if __name__ == "__main__":
    netns_case.main()
