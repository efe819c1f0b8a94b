#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals: SIGHUP begins anew, SIGUSR1 tries at once, SIGUSR2 tells the status, and what was ignored stays ignored."""

import signal

import lab
import netns_case
from netns_case import PASSWORD


class SignalsTest(netns_case.NetnsCase):
    def searching(self, **options):
        """A run that finds no server, and its host."""
        client = self.lab.client()
        process = self.start(client, *self.lab.keys().options, **options)
        lab.wait_until(client.link_local, "an address")
        return client, process

    def test_hangup_runs_hooks_and_interfaces_anew(self):
        log = self.lab.path("log")
        self.lab.file("hooks/hook", f"#!/bin/sh\necho $1 >>{log}\n", 0o755)
        keys = self.lab.keys()
        client = self.lab.client()
        before = client.state()
        process = self.start(client, *keys.options, f"--network-hook-dir={self.lab.path('hooks')}")
        lab.wait_until(client.link_local, "an address")
        process.signal(signal.SIGHUP)
        lab.wait_until(lambda: open(log).read().count("start") == 2, "the start hooks again")
        self.lab.mandos([keys.section(PASSWORD)])
        self.assert_password(process.finish())
        self.assertEqual(open(log).read().split(), ["start", "stop", "start", "stop"])
        client.check_unchanged(before)

    def test_hangup_reads_new_keys(self):
        client = self.lab.client()
        old, new = self.lab.keys(), self.lab.keys(number=2)
        directory = self.lab.path("keys-in-use")
        client.check(["cp", "-r", old.directory, directory])
        options = [option.replace(old.directory, directory) for option in old.options]
        server = self.lab.mandos([new.section(PASSWORD)])
        process = self.start(client, *options, "--retry=60")
        lab.wait_until(lambda: "TCP connection" in server.log(), "a try with the old keys")
        client.check(["sh", "-c", f"cp {new.directory}/* {directory}/"])
        process.signal(signal.SIGHUP)
        self.assert_password(process.finish())

    def test_hangup_ignored_at_start_stays_ignored(self):
        client, process = self.searching(ignored_signals=[signal.SIGHUP, signal.SIGINT])
        process.signal(signal.SIGHUP)
        process.signal(signal.SIGINT)
        self.alive(process, 0.5)
        process.signal(signal.SIGTERM)
        self.assertEqual(process.finish().status, -signal.SIGTERM)

    def test_user_signal_1_tries_at_once(self):
        keys, others = self.lab.keys(), self.lab.keys(number=2)
        server = self.lab.mandos([others.section(PASSWORD)])
        client = self.lab.client()
        process = self.start(client, *keys.options, "--retry=3600")
        lab.wait_until(lambda: "TCP connection" in server.log(), "the first try")
        self.alive(process, 1)
        self.assertEqual(server.log().count("TCP connection"), 1)
        process.signal(signal.SIGUSR1)
        lab.wait_until(lambda: server.log().count("TCP connection") == 2, "the second try")

    def test_user_signal_2_tells_the_status(self):
        keys, others = self.lab.keys(), self.lab.keys(number=2)
        server = self.lab.mandos([others.section(PASSWORD)])
        process = self.start(self.lab.client(), *keys.options, "--retry=3600", "--verb=1")
        lab.wait_until(lambda: "TCP connection" in server.log(), "the first try")
        said = len(process.errors())
        process.signal(signal.SIGUSR2)
        process.wait_for_error(r"eth0[^\0]*" + server.service_name)
        self.assertGreater(len(process.errors()), said)
        self.alive(process)

    def test_terminate_ignored_at_start_stays_ignored(self):
        _, process = self.searching(ignored_signals=[signal.SIGTERM])
        process.signal(signal.SIGTERM)
        self.alive(process, 0.5)
        process.signal(signal.SIGINT)
        self.assertEqual(process.finish().status, -signal.SIGINT)


if __name__ == "__main__":
    netns_case.main()
