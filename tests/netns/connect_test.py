#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""--connect and --server: every way to write an address, and nothing but that address."""

import signal

import lab
import netns_case
from netns_case import PASSWORD


class ConnectTest(netns_case.NetnsCase):
    def silent_server(self, keys, **options):
        """A Mandos server that is not announced."""
        return self.lab.mandos([keys.section(PASSWORD)], port=4711, zeroconf=False, **options)

    def test_ipv4(self):
        keys = self.lab.keys()
        self.silent_server(keys, addresses=["192.0.2.1/24"], ipv6=False)
        self.fetch(self.lab.client(addresses=["192.0.2.2/24"]), *keys.options, "--connect=192.0.2.1:4711")

    def test_global_ipv6(self):
        keys = self.lab.keys()
        self.silent_server(keys, addresses=["2001:db8::1/64"])
        client = self.lab.host(addresses=["2001:db8::2/64"])
        for address in ("[2001:db8::1]:4711", "2001:db8::1:4711"):
            with self.subTest(address):
                self.fetch(client, *keys.options, f"--connect={address}")

    def test_tried_at_once_when_an_address_of_ours_makes_it_reachable(self):
        keys = self.lab.keys()
        self.silent_server(keys, addresses=["2001:db8::1/64"])
        client = self.lab.client()
        process = self.start(client, *keys.options, "--connect=[2001:db8::1]:4711", "--retry=3600")
        lab.wait_until(client.link_local, "the interface in use")
        self.alive(process, 0.5)
        client.add_addresses("2001:db8::2/64")
        self.assert_password(process.finish())

    def test_global_ipv6_over_an_interface_without_global_address(self):
        keys = self.lab.keys()
        self.silent_server(keys, addresses=["2001:db8::1/64"])
        client = self.lab.client()
        before = client.state()
        self.fetch(client, *keys.options, "--connect=[2001:db8::1]:4711", "--interface=eth0")
        client.check_unchanged(before)

    def test_own_route_gives_way_when_somebody_configures_the_interface(self):
        keys = self.lab.keys()
        client = self.lab.client()
        process = self.start(client, *keys.options, "--connect=[2001:db8:1::1]:4711", "--interface=eth0")
        lab.wait_until(lambda: client.has_route("2001:db8:1::1"), "the host route")
        client.add_addresses("2001:db8::2/64")
        lab.wait_until(lambda: not client.has_route("2001:db8:1::1"), "the host route gone again")
        process.signal(signal.SIGTERM)
        process.finish()

    def test_link_local_with_its_interface(self):
        keys = self.lab.keys()
        address = self.silent_server(keys).host.link_local()
        for text in (f"{address}%eth0:4711", f"[{address}%eth0]:4711"):
            with self.subTest(text):
                self.fetch(self.lab.client(), *keys.options, f"--connect={text}")

    def test_link_local_with_interface_option(self):
        keys = self.lab.keys()
        address = self.silent_server(keys).host.link_local()
        client = self.lab.client(nics=2)
        self.fetch(client, *keys.options, f"--connect=[{address}]:4711", "--interface=eth1")

    def test_link_local_on_every_interface(self):
        keys = self.lab.keys()
        address = self.silent_server(keys).host.link_local()
        client = self.lab.client(nics=3)
        client.carrier(False, "eth0")
        self.fetch(client, *keys.options, f"--connect=[{address}]:4711")

    def test_link_local_server_option(self):
        keys = self.lab.keys()
        address = self.silent_server(keys).host.link_local()
        self.fetch(self.lab.client(), *keys.options, f"--server=[{address}%eth0]:4711")

    def test_server_option_beside_zeroconf(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        self.fetch(self.lab.client(), *keys.options, "--server=192.0.2.66:4711")

    def test_connect_asks_nobody_else(self):
        keys = self.lab.keys()
        announced = self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        process = self.start(client, *keys.options, "--connect=[fe80::dead:beef]:4711")
        lab.wait_until(client.link_local, "the interface in use")
        self.alive(process, 1.5)
        self.assertNotIn("TCP connection", announced.log())

    def test_refused_until_the_server_starts(self):
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(PASSWORD)], port=4711, zeroconf=False, start=False)
        client = self.lab.client()
        before = client.state()
        process = self.start(client, *keys.options, "--retry=0.5", f"--connect=[{server.host.link_local()}%eth0]:4711")
        process.wait_for_error("[Rr]efused")
        server.start()
        self.assert_password(process.finish())
        client.check_unchanged(before)

    def test_delay_does_not_change_retry(self):
        keys, others = self.lab.keys(), self.lab.keys(number=2)
        server = self.lab.mandos([others.section(PASSWORD)], port=4711, zeroconf=False)
        process = self.start(self.lab.client(), *keys.options, "--delay=0.1", f"--connect={server.address}")
        lab.wait_until(lambda: "TCP connection" in server.log(), "the first try")
        self.alive(process, 2)
        self.assertEqual(server.log().count("TCP connection"), 1)


if __name__ == "__main__":
    netns_case.main()
