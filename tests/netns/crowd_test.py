#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hundreds of bad servers and floods of announcements: a good server unlocks beside them, and they cost little memory."""

import re
import sys
import time

import badserver
import lab
import netns_case
import peers
import stall_test
from stall_test import BAD_PORT

# Seconds. Half a second is usual on an idle machine, where most of it is the crowd's own work; each bad server that was waited for would
# take 10.
LIMIT = 20.0 + netns_case.SLACK


def is_sanitized(program):
    """Whether it was built with the sanitizers, which take time and memory of their own."""
    with open(program, "rb") as file:
        return b"__asan_init" in file.read()


class CrowdTest(stall_test.StallCase):
    def setUp(self):
        super().setUp()
        self.limit = 4 * LIMIT if is_sanitized(self.bootkey) else LIMIT

    def many(self, host, behaviour, count):
        """Very many servers of one kind, which 15 each of as many hosts as it takes seem to announce."""
        process = badserver.start(host, {BAD_PORT + number: behaviour for number in range(count)})
        peers.announce(host, *(peers.announcement(f"bad {number}", BAD_PORT + number, [host.link_local()], target=f"bad{number // 15}")
                               for number in range(count)))
        return process

    def test_300_mute_servers_then_a_good_one(self):
        good, bad = self.good(), self.lab.host()
        self.many(bad, "mute", 300)
        client = self.lab.client()
        run = self.start(client, *self.keys.options)
        lab.wait_until(lambda: len(re.findall(": waiting", run.errors())) >= 250, "250 handshakes", 20, check=lambda: self.alive(run))
        self.assertLessEqual(bad.tcp_states().count("ESTABLISHED"), 256 + 32)
        since = time.monotonic()
        self.announce_good(good)
        seconds = [self.assert_prompt(run, since, self.limit)]
        for _ in range(3):  # all of them and the good one known from the start
            run = self.start(client, *self.keys.options)
            seconds.append(self.assert_prompt(run, time.monotonic(), self.limit))
        self.tell(seconds)

    def test_100_servers_that_drop_connections_then_a_good_one(self):
        good, bad = self.good(), self.lab.host()
        self.many(bad, "drop_syn", 100)
        run = self.start(self.lab.client(), *self.keys.options)
        lab.wait_until(lambda: len(re.findall(": connecting", run.errors())) >= 32, "32 connections under way")
        since = time.monotonic()
        self.announce_good(good)
        self.tell([self.assert_prompt(run, since, self.limit)])

    def test_1000_announced_services_cost_little_memory_and_time(self):
        if is_sanitized(self.bootkey):
            self.skipTest("the sanitizers take time and memory of their own")
        good, bad = self.good(), self.lab.host()
        badserver.start(bad, {BAD_PORT: "mute"})
        client = self.lab.client()
        run = self.start(client, *self.keys.options)
        run.wait_for_error("is usable")
        self.alive(run, 0.5)
        calm = peak_memory(run.pid)
        peers.announce(bad, *(peers.announcement(f"flood {number}", BAD_PORT, [bad.link_local()], target=f"flood{number // 15}")
                              for number in range(1000)))
        self.alive(run, 2)
        flooded = peak_memory(run.pid)
        since = time.monotonic()
        self.announce_good(good)
        self.tell([self.assert_prompt(run, since, self.limit)])
        print(f"    peak memory without {calm} KiB, with the flood {flooded} KiB", file=sys.stderr)
        self.assertLess(flooded - calm, 32 * 1024)


def peak_memory(pid):
    """The most memory that the three processes of a run have had, each at its own time, in KiB."""
    processes = {pid: "bootkey", **netns_case.below(pid)}
    total = 0
    for number in (number for number, name in processes.items() if name.startswith("bootkey")):
        with open(f"/proc/{number}/status") as status:
            total += int(re.search(r"VmHWM:\s*(\d+)", status.read()).group(1))
    return total


if __name__ == "__main__":
    netns_case.main()
