#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILL and SIGTERM at system calls of a run: whatever the moment, the machine is put back, and a password is whole or not there.

tracer.py stops the monitor, the worker or the decryptor at its Nth system call and sends the signal. A run without a signal tells
how many calls each makes. The suite tries an even sample of them. All of them, which takes about half an hour:

    BOOTKEY_KILL_POINTS=all BOOTKEY=build/dev/src/bootkey tests/netns/kill_points_test.py

BOOTKEY_KILL_POINTS=3/8 is the third eighth of them, so that eight programs can share the work.
"""

import contextlib
import os
import signal
import sys

import lab
import netns_case
import tracer
from netns_case import PASSWORD

SAMPLE = 30  # points that a case tries in the suite
LIMIT = 15.0  # seconds that a run may take, the worker or the decryptor being started again included
TERMINATED_LIMIT = 5.0 + netns_case.SLACK
CHILDREN_LIMIT = 2.0 + netns_case.SLACK  # after the monitor was killed


def others():
    """Run on a host: what runs there beside process 1, as {pid: name}."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
            name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
            if int(pid) not in (1, os.getpid()) and rest.split()[0] != "Z":
                found[pid] = name
    return found


def chosen(count):
    """The numbers of the calls to try, of so many."""
    part = os.environ.get("BOOTKEY_KILL_POINTS")
    if not part:
        step = max(1, count // SAMPLE)
        return range(1 + step // 2, count + 1, step)
    this, parts = map(int, part.split("/")) if part != "all" else (1, 1)
    return range(this, count + 1, parts)


class KillPointsTest(netns_case.NetnsCase):
    seconds = 300

    def setUp(self):
        super().setUp()
        if os.environ.get("BOOTKEY_KILL_POINTS"):
            signal.alarm(0)
        self.keys = self.lab.keys()
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.client = self.lab.client()
        self.record = self.lab.path("record")
        self.hook_log = self.lab.path("hook-log")
        self.lab.file("hooks/hook", f"#!/bin/sh\necho $1 >>{self.hook_log}\n", 0o755)
        self.before = self.client.state()
        self.tried = 0

    def run_to(self, process=None, at=None, send=None):
        """A run in which a process gets a signal at its Nth call; the Result."""
        self.lab.file("hook-log", "")
        program = [self.bootkey, "--retry=0.3", f"--network-hook-dir={self.lab.path('hooks')}",
                   f"--management=unix:{self.lab.path('management')}", *self.keys.options]
        run = tracer.start(self.client, program, record=self.record, process=process, at=at, send=send)
        self.addCleanup(run.kill)
        return run.finish(LIMIT)

    def calls(self):
        """How many calls each process of the last run made."""
        return {process.process: process.calls for process in tracer.read(self.record, tracer.Process)}

    def each_point(self, send, check, belongs):
        """Sends a signal at each of the chosen calls of the processes whose place `belongs`, and calls check(result)."""
        self.assert_password(self.run_to())
        points = [(process, number) for process, count in sorted(self.calls().items()) if belongs(process)
                  for number in range(1, count + 1)]
        for index in chosen(len(points)):
            process, number = points[index - 1]
            with self.subTest(process=process, call=number):
                result = self.run_to(process, number, send)
                self.tried += self.calls().get(process) == number
                check(result)
                self.client.check_unchanged(self.before, timeout=0)
        self.assertGreater(self.tried, 0)
        print(f"    {send.name}: {self.tried} calls of {len(points)} tried", file=sys.stderr)

    def assert_whole_or_nothing(self, result, number):
        """It died by the signal, or came to its good end first."""
        self.assertIn(result.status, (-number, 0), result)
        self.assertIn(result.output, (PASSWORD,) if result.status == 0 else (b"", PASSWORD), result)

    def check_terminated(self, result):
        self.assert_whole_or_nothing(result, signal.SIGTERM)
        self.assertLess(result.seconds, TERMINATED_LIMIT)
        with open(self.hook_log) as log:
            self.assertIn(log.read().split(), ([], ["stop"], ["start", "stop"]))
        self.assertFalse(self.lab.exists("management"))

    def check_killed(self, result):
        self.assert_whole_or_nothing(result, signal.SIGKILL)
        lab.wait_until(lambda: not self.client.space.call(others), "the end of all processes", CHILDREN_LIMIT)
        self.assertEqual(self.client.run([self.bootkey, "--restore"]).status, 0)

    def test_monitor_terminated(self):
        self.each_point(signal.SIGTERM, self.check_terminated, lambda place: place == "0")

    def test_monitor_killed(self):
        self.each_point(signal.SIGKILL, self.check_killed, lambda place: place == "0")

    def test_worker_killed(self):
        self.each_point(signal.SIGKILL, self.assert_password, lambda place: place == "0.1")

    def test_decryptor_killed(self):
        self.each_point(signal.SIGKILL, self.assert_password, lambda place: place.startswith("0.2"))


if __name__ == "__main__":
    netns_case.main()
