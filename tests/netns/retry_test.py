#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""When servers are tried again: by the clock, and at once when something has changed: their announcement, a cable, an address."""

import signal
import time

import badserver
import lab
import netns_case
import peers
from netns_case import PASSWORD

PORT = 4711
NEVER = "--retry=3600"  # what comes sooner comes because something has changed
PROMPT = 1.0 + netns_case.SLACK


class RetryTest(netns_case.NetnsCase):
    def setUp(self):
        super().setUp()
        self.keys = self.lab.keys()

    def assert_prompt(self, process, since):
        self.assert_password(process.finish())
        self.assertLess(time.monotonic() - since, PROMPT, process.errors())

    def mute_server(self, name="mute"):
        """A server that never answers, announced; its process."""
        host = self.lab.host()
        process = badserver.start(host, {PORT: "mute"})
        peers.announce(host, peers.announcement(name, PORT, [host.link_local()], target=host.name))
        return process

    # -- by the clock

    def test_retry_is_spread_by_a_tenth(self):
        host = self.lab.host()
        server = badserver.start(host, {PORT: "empty"})
        run = self.start(self.lab.client(), *self.keys.options, "--retry=0.5", f"--server=[{host.link_local()}%eth0]:{PORT}")
        times = []
        for _ in range(9):
            self.assertIn(b"empty", server.read_line())
            times.append(time.monotonic())
        pauses = sorted(after - before for before, after in zip(times, times[1:]))
        run.signal(signal.SIGTERM)
        run.finish()
        self.assertGreater(pauses[0], 0.44, pauses)
        self.assertLess(pauses[len(pauses) // 2], 0.56 + 0.25, pauses)
        self.assertGreater(pauses[-1] - pauses[0], 0.005, pauses)

    # -- when announcements change

    def test_server_that_comes_back_at_the_same_place(self):
        others = self.lab.keys(number=2)
        server = self.lab.mandos([others.section(PASSWORD)], port=PORT)
        run = self.start(self.lab.client(), *self.keys.options, NEVER)
        lab.wait_until(lambda: "TCP connection from" in server.log(), "the first try")
        server.stop()
        server.set_clients([self.keys.section(PASSWORD)])
        self.alive(run, 1)
        server.start()
        self.assert_prompt(run, time.monotonic())

    def test_server_that_vanishes_without_a_word_and_comes_back_on_another_port(self):
        server = self.lab.mandos([self.keys.section(PASSWORD)], port=PORT, zeroconf=False)
        host = server.host
        mute = badserver.start(host, {PORT + 1: "mute"})
        announcer = peers.announce(host, peers.announcement("one", PORT + 1, [host.link_local()]))
        run = self.start(self.lab.client(), *self.keys.options, NEVER)
        self.assertIn(b"mute", mute.read_line())
        announcer.kill()
        since = time.monotonic()
        peers.announce(host, peers.announcement("one", PORT, [host.link_local()]))
        self.assert_prompt(run, since)

    def test_server_that_moves_to_another_address(self):
        server = self.lab.mandos([self.keys.section(PASSWORD)], port=PORT, zeroconf=False, addresses=["2001:db8::1/64"])
        announcer = peers.announce(server.host, peers.announcement("one", PORT, ["2001:db8::66"]))
        run = self.start(self.lab.host(addresses=["2001:db8::2/64"]), *self.keys.options, NEVER)
        run.wait_for_error("2001:db8::66.*connecting")
        announcer.kill()
        since = time.monotonic()
        peers.announce(server.host, peers.announcement("one", PORT, ["2001:db8::1"]))
        self.assert_prompt(run, since)

    # -- when interfaces change

    def test_cable_that_is_pulled_and_plugged_again(self):
        self.mute_server()
        client = self.lab.client()
        before = client.state()
        run = self.start(client, *self.keys.options, NEVER)
        run.wait_for_error("mute.*waiting")
        for _ in range(2):
            client.carrier(False)
            self.alive(run, 0.3)
            client.carrier(True)
            self.alive(run, 0.3)
        client.carrier(False)
        self.lab.mandos([self.keys.section(PASSWORD)])
        since = time.monotonic()
        client.carrier(True)
        self.assert_prompt(run, since)
        client.check_unchanged(before)

    def test_interface_that_is_pulled_out_ends_its_attempts(self):
        self.mute_server()
        client = self.lab.client()
        run = self.start(client, *self.keys.options, NEVER)
        run.wait_for_error("mute.*waiting")
        client.pull_out("eth0")
        run.wait_for_error("mute.*interface is gone")
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.alive(run, 0.3)
        since = time.monotonic()
        client.plug_in()
        self.assert_prompt(run, since)

    def test_interfaces_that_come_and_go_before_there_is_a_server(self):
        client = self.lab.client(nics=0)
        run = self.start(client, *self.keys.options, NEVER)
        for _ in range(4):
            nic = client.plug_in()
            lab.wait_until(lambda: client.link_local(nic), f"{nic} in use", check=lambda: self.alive(run))
            client.pull_out(nic)
        nic = client.plug_in()
        lab.wait_until(lambda: client.link_local(nic), f"{nic} in use")
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.assert_prompt(run, time.monotonic())
        self.assertFalse(client.is_up(nic))

    def test_interface_that_gets_the_name_asked_for(self):
        self.lab.mandos([self.keys.section(PASSWORD)])
        client = self.lab.client()
        run = self.start(client, *self.keys.options, NEVER, "--interface=lan0")
        run.wait_for_error("lan0")
        self.alive(run, 0.3)
        since = time.monotonic()
        client.space.ip("link set eth0 name lan0")
        self.assert_prompt(run, since)
        self.assertFalse(client.is_up("lan0"))

    def test_interface_that_is_renamed_while_in_use(self):
        client = self.lab.client()
        run = self.start(client, *self.keys.options, NEVER)
        lab.wait_until(client.link_local, "the interface in use")
        try:
            client.space.ip("link set eth0 name renamed0")
        except RuntimeError as error:  # before Linux 6.2
            self.skipTest(f"this kernel does not rename interfaces that are up: {error}")
        self.alive(run, 0.3)
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.assert_prompt(run, time.monotonic())
        self.assertFalse(client.is_up("renamed0"))

    # -- when addresses change

    def test_ipv4_address_that_comes_goes_and_comes(self):
        self.lab.mandos([self.keys.section(PASSWORD)], addresses=["192.0.2.1/24"], ipv6=False)
        client = self.lab.host()
        run = self.start(client, *self.keys.options, NEVER, "--debug")
        for _ in range(3):
            client.space.ip("address add 192.0.2.2/24 dev eth0", "address del 192.0.2.2/24 dev eth0")
        self.alive(run, 0.3)
        since = time.monotonic()
        client.add_addresses("192.0.2.2/24")
        self.assert_prompt(run, since)

    def test_link_local_address_that_goes_and_comes(self):
        client = self.lab.client()
        run = self.start(client, *self.keys.options, NEVER)
        address = lab.wait_until(client.link_local, "the interface in use")
        client.space.ip(f"address del {address}/64 dev eth0")
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.alive(run, 0.3)
        since = time.monotonic()
        client.space.ip(f"address add {address}/64 dev eth0 nodad")
        self.assert_prompt(run, since)


if __name__ == "__main__":
    netns_case.main()
