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

    def test_over_the_second_of_two_default_routes(self):
        """The kernel takes the first, which leads to a router that knows no way."""
        keys = self.lab.keys()
        server = self.silent_server(keys, addresses=["198.51.100.9/24"], own=True)
        for bridge in "lan2", "lan3":
            self.lab.switch.ip(f"link add {bridge} type bridge mcast_snooping 0", f"link set {bridge} up")
        self.lab.switch.ip(f"link set {server.host.port()} master lan3")
        router = self.lab.host("router", nics=2)
        router.add_addresses("192.168.1.1/24")
        router.add_addresses("198.51.100.1/24", nic="eth1")
        self.lab.switch.ip(f"link set {router.port('eth1')} master lan3")
        router.check(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])
        server.host.space.ip("route add default via 198.51.100.1")
        dead_end = self.lab.host("dead-end")
        dead_end.add_addresses("192.168.2.1/24")
        self.lab.switch.ip(f"link set {dead_end.port()} master lan2")
        for option in "--connect=198.51.100.9:4711", "--server=198.51.100.9:4711":
            with self.subTest(option):
                client = self.lab.client(nics=2)
                self.lab.switch.ip(f"link set {client.port('eth0')} master lan2")
                client.check(["sh", "-c", "ip link set eth0 up; ip address add 192.168.2.50/24 dev eth0; "
                                          "ip route add default via 192.168.2.1 dev eth0; ip link set eth1 up; "
                                          "ip address add 192.168.1.50/24 dev eth1; "
                                          "ip route add default via 192.168.1.1 dev eth1 metric 10"])
                before = client.state()
                self.fetch(client, *keys.options, option)
                client.check_unchanged(before)

    def test_interface_that_has_no_address_is_said(self):
        keys = self.lab.keys()
        for command, why in (("echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6", r"IPv6 is off \(net\.ipv6\.conf\.eth0\.disable_ipv6 is 1\)"),
                             ("ip link set eth0 mtu 1000", "its MTU of 1000 bytes is less than the 1280 that IPv6 needs")):
            with self.subTest(command):
                client = self.lab.client()
                client.check(["sh", "-c", command])
                before = client.state()
                process = self.start(client, *keys.options, "--delay=0.5")
                process.wait_for_error("interface eth0 is running, but has no address after 0.5 seconds: it has no IPv4 address, and " + why)
                process.signal(signal.SIGTERM)
                process.finish()
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
