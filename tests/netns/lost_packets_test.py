#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lost multicast DNS packets: the first questions, and either way of finding servers without the other.

nftables on the client drops what it sends. One-shot questions go out from a port of their own, the browser's from 5353
(RFC 6762, section 6.7), so the two can be told apart.
"""

import re
import shutil

import netns_case
from netns_case import PASSWORD, SLACK

ONE_SHOT = "udp dport 5353 udp sport != 5353"
BROWSER = "udp dport 5353 udp sport 5353"


class LostPacketsTest(netns_case.NetnsCase):
    def setUp(self):
        if not shutil.which("nft"):
            self.skipTest("nft is not installed (package nftables)")
        super().setUp()
        self.keys = self.lab.keys()
        self.lab.mandos([self.keys.section(PASSWORD)])

    def client_that_loses(self, *losses):
        """A client from which packets are lost. `losses`: (which packets, how many of them or None for all)."""
        client = self.lab.client()
        rules = ["add table inet loss", "add chain inet loss out { type filter hook output priority 0; }"]
        for packets, count in losses:
            # As many as the burst pass a limit whose rate adds none during the test.
            first = "" if count is None else f"limit rate 1/day burst {count} packets"
            rules.append(f"add rule inet loss out {packets} {first} counter drop")
        client.check(["nft", "; ".join(rules)])
        return client

    def lost(self, client):
        """How many packets each of the rules has dropped."""
        rules = client.check(["nft", "list", "table", "inet", "loss"])
        return [int(number) for number in re.findall(r"counter packets (\d+)", rules)]

    def fetch_in_spite_of(self, *losses):
        client = self.client_that_loses(*losses)
        result = self.fetch(client, *self.keys.options)
        return self.lost(client), result.seconds

    def test_first_questions(self):
        for count in (1, 2, 3):
            with self.subTest(lost=count):
                lost, seconds = self.fetch_in_spite_of((ONE_SHOT, count))
                self.assertGreaterEqual(lost[0], 1)
                self.assertLess(seconds, 1 + SLACK)

    def test_first_packets_of_both_kinds(self):
        for count in (1, 2, 3):
            with self.subTest(lost=count):
                lost, seconds = self.fetch_in_spite_of(("udp dport 5353", count))
                self.assertGreaterEqual(lost[0], 1)
                self.assertLess(seconds, 3 + SLACK)

    def test_all_single_questions(self):
        lost, seconds = self.fetch_in_spite_of((ONE_SHOT, None))
        self.assertGreaterEqual(lost[0], 1)
        self.assertLess(seconds, 1 + SLACK)

    def test_all_of_the_browser(self):
        lost, seconds = self.fetch_in_spite_of((BROWSER, None))
        self.assertLess(seconds, SLACK)

    def test_all_of_the_browser_and_first_questions(self):
        for count, latest in ((1, 1), (2, 3)):  # the next one goes out after about 1 s, the one after that after 3 s
            with self.subTest(lost=count):
                lost, seconds = self.fetch_in_spite_of((BROWSER, None), (ONE_SHOT, count))
                self.assertEqual(lost[1], count)
                self.assertGreater(seconds, latest / 2)
                self.assertLess(seconds, latest + SLACK)


if __name__ == "__main__":
    netns_case.main()
