#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever other servers do, a good one unlocks at once: bad ones found before, with and after it."""

import contextlib
import statistics
import sys
import time

import badserver
import keysets
import lab
import netns_case
import peers
from netns_case import PASSWORD

GOOD_PORT = 4711
BAD_PORT = 5000  # and up, one for each
# Seconds from a good server's announcement to the password. A tenth is usual, 10 the limits that bad servers use up.
PROMPT = 1.0 + netns_case.SLACK


class StallCase(netns_case.NetnsCase):
    """A case with a good server, announced at a moment of its choice, among bad ones."""

    def setUp(self):
        super().setUp()
        self.keys = self.lab.keys()

    # -- the good server

    def good(self, **settings):
        """A real Mandos server that is not announced yet."""
        return self.lab.mandos([self.keys.section(PASSWORD, **settings)], port=GOOD_PORT, zeroconf=False)

    def announce_good(self, server):
        """Announce it at once, without the second that avahi-daemon takes to find out whether the name is free."""
        return peers.announce(server.host, peers.announcement("the good one", GOOD_PORT, [server.host.link_local()], target="good"))

    def assert_prompt(self, process, since, limit=PROMPT):
        """The password comes, soon after a time; the seconds."""
        output, _ = process.read_output(len(PASSWORD), timeout=30)
        seconds = time.monotonic() - since
        self.assertEqual(output, PASSWORD, process.errors())
        self.assertLess(seconds, limit, process.errors())
        self.assert_password(process.finish())
        return seconds

    # -- bad servers

    def start_bad(self, host, behaviours):
        """A bad server for each behaviour; their announcements and the process."""
        own = keysets.encrypt(self.keys.pubkey, b"never a whole answer")
        foreign = keysets.encrypt(self.lab.keys(number=2).pubkey, b"not for this client")
        ports = {BAD_PORT + number: behaviour for number, behaviour in enumerate(behaviours)}
        process = badserver.start(host, ports, self.lab.file("own", own), self.lab.file("foreign", foreign))
        return [peers.announcement(behaviour, port, [host.link_local()], target=host.name)
                for port, behaviour in ports.items()], process

    def publish(self, host, announcements):
        """Let a real avahi-daemon announce them."""
        folder = self.lab.path(f"services-{host.name}", "")
        for entry in announcements:
            self.lab.file(f"services-{host.name}/{entry['port']}.service",
                          f"<service-group><name>{bytes.fromhex(entry['instance']).decode()}</name><service>"
                          f"<type>_mandos._tcp</type><port>{entry['port']}</port></service></service-group>")
        host.check(["mount", "--bind", folder, "/etc/avahi/services"])
        configuration = self.lab.file(f"avahi-{host.name}", f"[server]\nhost-name={host.name}\nenable-dbus=no\n")
        avahi = host.start(["avahi-daemon", f"--file={configuration}", "--no-drop-root", "--no-chroot", "--no-rlimits"])
        for entry in announcements:
            avahi.wait_for_error(f"{entry['port']}.service.* successfully established")

    def tell(self, seconds):
        print(f"\n    {len(seconds)} times, median {statistics.median(seconds):.3f} s, at most {max(seconds):.3f} s", file=sys.stderr)


class StallTest(StallCase):
    # -- one of each kind

    def test_each_kind_found_before_a_good_server(self):
        good, bad = self.good(), self.lab.host()
        announcements, process = self.start_bad(bad, [*badserver.ALL, "no address"])
        announcements[-1]["addresses"] = []
        client = self.lab.client()
        before = client.state()
        seconds = []
        for entry in announcements:
            behaviour = bytes.fromhex(entry["instance"]).decode()
            with self.subTest(behaviour), contextlib.ExitStack() as tidy:
                announcer = peers.announce(bad, entry)
                tidy.callback(announcer.kill)
                run = self.start(client, *self.keys.options)
                if behaviour in badserver.BEHAVIOURS:
                    self.assertEqual(process.read_line(), f"{entry['port']} {behaviour}\n".encode())
                else:
                    self.assertIn(b"asked", announcer.read_line())
                    self.alive(run, 0.2)
                since = time.monotonic()
                tidy.callback(self.announce_good(good).kill)
                seconds.append(self.assert_prompt(run, since))
        client.check_unchanged(before)
        self.tell(seconds)

    def test_all_kinds_beside_a_good_server_in_any_order(self):
        half = len(badserver.ALL) // 2
        for behaviours in (badserver.ALL[:half], badserver.ALL[half:]):
            host = self.lab.host()
            self.publish(host, self.start_bad(host, behaviours)[0])
        nowhere = self.lab.host()
        peers.announce(nowhere, peers.announcement("no address", GOOD_PORT, []))
        client = self.lab.client()
        run = self.start(client, *self.keys.options)
        run.wait_for_error("connecting")
        self.alive(run, 1)
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.assert_prompt(run, time.monotonic())
        before = client.state()
        results = [self.run_bootkey(client, *self.keys.options) for _ in range(16)]
        for result in results:
            self.assert_password(result)
            self.assertLess(result.seconds, PROMPT, result)
        client.check_unchanged(before)
        self.tell([result.seconds for result in results])

    def test_all_kinds_that_come_while_a_good_server_waits_for_approval(self):
        bad = self.lab.host()
        announcements, _ = self.start_bad(bad, badserver.ALL)
        good = self.good(approval_delay="2s", approved_by_default=True)
        self.announce_good(good)
        run = self.start(self.lab.client(), *self.keys.options, "--retry=0.3")
        run.wait_for_error("good one.*waiting")
        since = time.monotonic()
        peers.announce(bad, *announcements)
        self.assert_prompt(run, since + 2)
        self.assertEqual(good.log().count("TCP connection from"), 1)

    # -- one that waits for a person

    def test_server_that_waits_for_approval_keeps_one_connection(self):
        patient = self.lab.mandos([self.keys.section(b"too late", approval_delay="60s")], addresses=["192.0.2.1/24"])
        bad = self.lab.host()
        announcements, refusing = self.start_bad(bad, ["empty"])
        peers.announce(bad, *announcements)
        client = self.lab.host(nics=2, addresses=["192.0.2.2/24"])
        run = self.start(client, *self.keys.options, "--retry=0.3", f"--server={patient.address}")
        run.wait_for_error(f":{patient.port}: waiting")  # then another handshake with it, if there is one, is over
        lab.wait_until(lambda: patient.host.tcp_states().count("ESTABLISHED") <= 1, "one connection", check=lambda: self.alive(run))
        for _ in range(15):
            self.alive(run, 0.1)
            self.assertLessEqual(patient.host.tcp_states().count("ESTABLISHED"), 1, run.errors())
        for _ in range(4):  # others are tried and tried again meanwhile
            self.assertIn(b"empty", refusing.read_line(), run.errors())
        good = self.good()
        since = time.monotonic()
        self.announce_good(good)
        self.assert_prompt(run, since)


if __name__ == "__main__":
    netns_case.main()
