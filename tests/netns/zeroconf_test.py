#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding servers by Zeroconf: from interfaces that are down, over each protocol, among servers that do not help."""

import keysets
import lab
import netns_case
import peers
from netns_case import PASSWORD


class ZeroconfTest(netns_case.NetnsCase):
    def test_from_an_interface_that_is_down(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        self.fetch(client, *keys.options)
        self.assertFalse(client.is_up())

    def test_from_an_interface_that_is_down_with_rsa_keys(self):
        keys = self.lab.keys("rsa4096")
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        self.fetch(client, *keys.options)
        self.assertFalse(client.is_up())

    def test_from_an_interface_that_is_up(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.host()
        self.fetch(client, *keys.options)
        self.assertTrue(client.is_up())

    def test_many_times_back_to_back(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        before = client.state()
        for _ in range(5):
            self.assert_password(self.run_bootkey(client, *keys.options))
        client.check_unchanged(before)

    def test_among_interfaces_without_carrier(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client(nics=4)
        for nic in ("eth0", "eth1", "eth3"):
            client.carrier(False, nic)
        self.fetch(client, *keys.options)

    def test_over_ipv4(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)], addresses=["192.0.2.1/24"], ipv6=False)
        client = self.lab.client(addresses=["192.0.2.2/24"])
        self.fetch(client, *keys.options)

    def test_server_with_a_global_address_only(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD, approval_delay="2s", approved_by_default=True)],
                        addresses=["2001:db8::1/64"])
        client = self.lab.client()
        before = client.state()
        process = self.start(client, *keys.options)
        lab.wait_until(lambda: client.has_route("2001:db8::1"), "the host route")
        self.assert_password(process.finish())
        client.check_unchanged(before)

    def test_every_byte_of_the_password(self):
        password = b"first line\nnul \0 and \r\n\xff\xfe high bytes, no line end at the end \n\0"
        keys = self.lab.keys()
        self.lab.mandos([keys.section(password)])
        self.fetch(self.lab.client(), *keys.options, password=password)

    def test_password_of_64_kib(self):
        password = bytes(index * 7 % 256 for index in range(65536))
        keys = self.lab.keys()
        answer = self.lab.file("answer", keysets.encrypt(keys.pubkey, password, "--compress-algo=zlib"))
        server = self.lab.host()
        peers.start(server, "answer", 4711, answer)
        client = self.lab.host()
        self.fetch(client, *keys.options, f"--connect={server.link_local()}%eth0:4711", password=password)

    def test_server_that_does_not_know_us_until_later(self):
        keys, others = self.lab.keys(), self.lab.keys(number=2)
        server = self.lab.mandos([others.section(PASSWORD)], port=4711)
        process = self.start(self.lab.client(), *keys.options, "--retry=0.5")
        lab.wait_until(lambda: server.log().count("TCP connection from") >= 3, "some tries", check=lambda: self.alive(process))
        server.stop()
        server.set_clients([keys.section(PASSWORD)])
        server.start()
        self.assert_password(process.finish())

    def test_server_that_waits_for_approval(self):
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(PASSWORD, approval_delay="4s", approved_by_default=True)])
        result = self.fetch(self.lab.client(), *keys.options)
        self.assertGreater(result.seconds, 3.5)
        self.assertEqual(server.log().count("TCP connection from"), 1, "one approval request to a person, not more")

    def test_two_servers_one_that_does_not_know_us(self):
        keys, others = self.lab.keys(), self.lab.keys(number=2)
        self.lab.mandos([others.section(PASSWORD)])
        self.lab.mandos([keys.section(PASSWORD)])
        self.fetch(self.lab.client(), *keys.options)

    def test_two_servers_one_whose_answer_is_for_another_key(self):
        keys, others = self.lab.keys(), self.lab.keys(number=2)
        foreign = keysets.section("client", keys.key_id, keys.fingerprint, keysets.encrypt(others.pubkey, b"wrong"))
        self.lab.mandos([foreign])
        process = self.start(self.lab.client(), *keys.options, "--retry=1")
        process.wait_for_error("[Dd]ecrypt")
        self.lab.mandos([keys.section(PASSWORD)])
        self.assert_password(process.finish())

    def test_two_servers_one_that_never_speaks(self):
        keys = self.lab.keys()
        mute = self.lab.host()
        peer = peers.start(mute, "mute", 4711)
        peers.announce(mute, peers.announcement("mute", 4711, [mute.link_local()]))
        client = self.lab.client()
        process = self.start(client, *keys.options)
        self.assertEqual(peer.read_line(), b"accepted\n")
        self.lab.mandos([keys.section(PASSWORD)])
        self.assert_password(process.finish())

    def test_server_that_appears_later(self):
        keys = self.lab.keys()
        client = self.lab.client()
        process = self.start(client, *keys.options)
        lab.wait_until(client.link_local, "the interface in use")
        self.lab.mandos([keys.section(PASSWORD)])
        self.assert_password(process.finish())

    def test_server_that_comes_back_on_another_port(self):
        keys, others = self.lab.keys(), self.lab.keys(number=2)
        server = self.lab.mandos([others.section(PASSWORD)])
        process = self.start(self.lab.client(), *keys.options, "--retry=60")
        lab.wait_until(lambda: "TCP connection from" in server.log(), "the first try")
        before = server.port
        server.kill()
        server.set_clients([keys.section(PASSWORD)])
        server.start()
        self.assertNotEqual(server.port, before)
        self.assert_password(process.finish())

    def test_cable_plugged_in_later(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        client.carrier(False)
        process = self.start(client, *keys.options)
        lab.wait_until(client.is_up, "the interface up")
        client.carrier(True)
        self.assert_password(process.finish())

    def test_interface_plugged_in_later(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client(nics=0)
        process = self.start(client, *keys.options)
        self.alive(process, 0.5)
        client.plug_in()
        self.assert_password(process.finish())

    def test_named_interface_only(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client(nics=2)
        before = client.state()
        process = self.start(client, *keys.options, "--interface=eth1")
        self.assert_password(process.finish())
        self.assertNotIn("eth0", process.errors())
        client.check_unchanged(before)

    def test_interface_none_uses_what_is_up(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client(nics=2)
        client.up("eth1")
        before = client.state()
        process = self.start(client, *keys.options, "--interface=none")
        self.assert_password(process.finish())
        self.assertFalse(client.is_up("eth0"))
        client.check_unchanged(before)


if __name__ == "__main__":
    netns_case.main()
