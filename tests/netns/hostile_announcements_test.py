#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Announcements by anybody on the LAN: no text of theirs gets out raw, and no address of theirs leads to ourselves."""

import lab
import netns_case
import peers
from netns_case import PASSWORD

PORT = 4711


class HostileAnnouncementsTest(netns_case.NetnsCase):
    def assert_clean(self, said):
        """No control characters but line ends, nothing that is not UTF-8, and nothing that turns text around."""
        text = said.decode()
        bad = [character for character in text.replace("\n", "")
               if ord(character) < 0x20 or 0x7f <= ord(character) < 0xa0 or "\u2028" <= character <= "\u202e"]
        self.assertEqual(bad, [])

    def test_text(self):
        names = [b"line\nend", b"return\rback", b"\x1b[31mred\x1b[0m", b"\xff\xfe invalid", b"nul\0byte", b"x" * 63, b"%s%n%d",
                 "turned \u202e round".encode(), "c1 \u009b31m".encode(), b"quote\"\\'", b"dot.in.name", b" "]
        keys = self.lab.keys()
        hostile = self.lab.host()
        peers.announce(hostile, *(peers.announcement(name, PORT, [hostile.link_local()], target=name,
                                                     txt=[name, b"key=" + name]) for name in names))
        process = self.start(self.lab.client(), *keys.options, "--debug", "--retry=0.5")
        process.wait_for_error(r"refused|failed")
        self.alive(process, 1)
        self.lab.mandos([keys.section(PASSWORD)])
        result = process.finish()
        self.assert_password(result)
        self.assert_clean(process.error_bytes())
        self.assertNotIn("\nend", result.errors)

    def test_addresses_that_lead_to_ourselves_or_everybody(self):
        keys = self.lab.keys()
        client = self.lab.host(addresses=["192.0.2.2/24", "2001:db8::2/64"])
        own = peers.start(client, "mute", PORT)
        hostile = self.lab.host(addresses=["192.0.2.66/24"])
        addresses = ["::1", "127.0.0.1", "127.1.2.3", "::ffff:127.0.0.1", "::", "0.0.0.0", "ff02::1", "224.0.0.1",
                     "255.255.255.255", client.link_local(), "192.0.2.2", "2001:db8::2"]
        announcer = peers.announce(hostile, *(
            peers.announcement(f"number {number}", PORT, [address], target=f"host{number}")
            for number, address in enumerate(addresses)))
        process = self.start(client, *keys.options, "--retry=0.3")
        self.assertRegex(announcer.read_line(), b"asked")
        self.alive(process, 1.5)
        self.assertEqual(own.read_line(timeout=0.1), b"", "we connected to ourselves")
        self.lab.mandos([keys.section(PASSWORD)])
        self.assert_password(process.finish())

    def test_one_host_with_very_many_services(self):
        keys = self.lab.keys()
        hostile = self.lab.host()
        mute = peers.start(hostile, "mute", PORT)
        peers.announce(hostile, *(peers.announcement(f"number {number}", PORT, [hostile.link_local()])
                                  for number in range(100)))
        process = self.start(self.lab.client(), *keys.options)
        self.assertEqual(mute.read_line(), b"accepted\n")
        for _ in range(20):
            self.alive(process, 0.1)
            # The kernel's list is no snapshot: one that goes and the one that comes for it may both be seen, but not each time.
            connections = min(hostile.tcp_states().count("ESTABLISHED") for _ in range(3))
            self.assertLessEqual(connections, 16)
        self.lab.mandos([keys.section(PASSWORD)])
        self.assert_password(process.finish())

    def test_service_without_addresses_or_port(self):
        keys = self.lab.keys()
        hostile = self.lab.host()
        peers.announce(hostile, peers.announcement("no address", PORT, []),
                       peers.announcement("no port", 0, [hostile.link_local()], target="other"))
        self.lab.mandos([keys.section(PASSWORD)])
        self.fetch(self.lab.client(), *keys.options)

    def test_packets_that_are_no_messages(self):
        keys = self.lab.keys()
        hostile = self.lab.host()
        peers.start(hostile, "noise")
        self.lab.mandos([keys.section(PASSWORD)])
        self.fetch(self.lab.client(), *keys.options)


if __name__ == "__main__":
    netns_case.main()
