#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""System calls that fail: each call of each kind once, each kind for good, and too few file descriptors.

tracer.py lets a chosen call of the monitor, the worker or the decryptor fail (not those of the gpg that this one starts). A run without
faults tells which calls each process makes. Then there is a run for each of them, in which that one fails, and the password
must arrive nevertheless: it was tried again or done without, or the process was started again. The calls of the monitor that may
end the program are in the table. So is what comes of a kind that fails for good in one of the processes: an exit status, the
password, or that it goes on trying until it is stopped. However it ends, it does so in time, has said why, and has put everything back.
"""

import collections
import contextlib
import re
import resource
import signal
import subprocess

import lab
import netns_case
import tracer
from netns_case import PASSWORD

# Seconds until a fault must have been overcome; for one that lasts, how long the program is watched before it is stopped.
LIMIT = 15
WATCHED = 1.0
TRIES = "goes on trying"

MONITOR, WORKER, DECRYPTOR = "bootkey", "bootkey-worker", "bootkey-decrypt"

# What a kind of call is: the error it fails with, what may end the program if it fails once in the monitor, as {pattern of what
# tracer.py tells of the call: exit status}, and what comes of it if it fails for good, as {process: (outcome, word of the message)}.
Kind = collections.namedtuple("Kind", "error fatal for_good")
NETLINK = (71, "netlink")
AGENT = (71, "S.gpg-agent")
KINDS = {
    "socket": Kind("EMFILE", {"AF_NETLINK": 71}, {MONITOR: NETLINK, WORKER: NETLINK, DECRYPTOR: AGENT}),
    "bind": Kind("EADDRINUSE", {"AF_NETLINK": 71}, {MONITOR: NETLINK, WORKER: NETLINK, DECRYPTOR: AGENT}),
    "connect": Kind("ENETUNREACH", {}, {WORKER: (TRIES, "unreachable")}),
    "sendto": Kind("ENOBUFS", {}, {MONITOR: (TRIES, "no network interface is usable"), WORKER: (TRIES, ""),
                                   DECRYPTOR: (TRIES, "no network interface is usable")}),
    "recvmsg": Kind("ENOBUFS", {}, {MONITOR: (TRIES, "No buffer space"), WORKER: (TRIES, "no network interface is usable")}),
    "recvfrom": Kind("ECONNRESET", {}, {MONITOR: (TRIES, "worker ended"), WORKER: (TRIES, "worker ended"),
                                        DECRYPTOR: (TRIES, "decryptor ended")}),
    "socketpair": Kind("EMFILE", {"": 71}, {MONITOR: (71, "Too many open files")}),
    "clone": Kind("EAGAIN", {"": 71}, {MONITOR: (71, "another process"), DECRYPTOR: (69, "gpg-agent")}),
    "pidfd_open": Kind("EMFILE", {"": 71}, {MONITOR: (71, "another process"), DECRYPTOR: (69, "gpg-agent")}),
    "pipe2": Kind("EMFILE", {"": 71}, {MONITOR: (71, "another process"), WORKER: (0, ""), DECRYPTOR: (69, "gpg-agent")}),
    "execve": Kind("ENOMEM", {}, {DECRYPTOR: (69, "Cannot allocate memory")}),
    "mkdir": Kind("ENOSPC", {}, {MONITOR: (73, "cannot make a directory"), DECRYPTOR: (73, "cannot make directory")}),
    "write": Kind("ENOSPC", {"^1 pipe": 74}, {MONITOR: (74, ""), DECRYPTOR: (73, "gpg.conf")}),
    "openat": Kind("EMFILE", {"key[.](txt|pem)": 71, "/proc/[0-9]+/stat$": 71},
                   {MONITOR: (71, "key"), WORKER: (71, "key"), DECRYPTOR: (71, "key")}),
    "epoll_create1": Kind("EMFILE", {}, {MONITOR: (0, ""), WORKER: (0, ""), DECRYPTOR: (0, "")}),
    # Not for good in the monitor: signals come by it, too.
    "epoll_ctl": Kind("ENOMEM", {}, {WORKER: (TRIES, ""), DECRYPTOR: (TRIES, "")}),
    "timerfd_create": Kind("EMFILE", {}, {MONITOR: (0, ""), WORKER: (0, ""), DECRYPTOR: (0, "")}),
    "mlock": Kind("EPERM", {}, {MONITOR: (0, ""), WORKER: (0, ""), DECRYPTOR: (0, "")}),
    "flock": Kind("ENOLCK", {}, {MONITOR: (TRIES, "journal")}),
    "renameat": Kind("EIO", {}, {MONITOR: (73, "cannot make a directory")}),
}


class FaultsTest(netns_case.NetnsCase):
    seconds = 500

    def setUp(self):
        if not tracer.CAN_FAIL_CALLS:
            self.skipTest("calls can be made to fail on x86-64 only")
        with open(self.bootkey, "rb") as program:
            if b"__ubsan_" in program.read():
                self.skipTest("the sanitizers make system calls of their own")
        super().setUp()
        self.keys = self.lab.keys()
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.client = self.lab.client()
        # Where the file with the console level does not open, bootkey sets the level by syslog(2), which here would be the machine's.
        self.client.space.may_use_syslog = False
        self.before = self.client.state()
        self.record = self.lab.path("record")

    def start_traced(self, call, *options, **fault):
        """Start bootkey with tracer.py, which takes note of one kind of call. `fault`: which fail, as of tracer.start()."""
        program = [self.bootkey, "--retry=0.3", "--delay=0.5", f"--management=unix:{self.lab.path('management')}", *self.keys.options, *options]
        process = tracer.start(self.client, program, record=self.record, calls=[call], **fault)
        self.addCleanup(process.kill)
        return process

    def calls(self):
        """The calls of the last run."""
        return tracer.read(self.record, tracer.Call)

    def failed_calls(self):
        return [call for call in self.calls() if call.failed]

    def each_call_once(self, *kinds):
        for kind in kinds:
            self.assert_password(self.start_traced(kind).finish(LIMIT))
            calls = self.calls()
            self.assertEqual({call.name for call in calls if call.name != MONITOR}, set(KINDS[kind].for_good) - {MONITOR})
            for call in calls:
                with self.subTest(call=call):
                    self.one_call(call)

    def one_call(self, call):
        """One run, in which this call fails, if it comes to that: not every run makes as many calls of a kind."""
        kind = KINDS[call.call]
        result = self.start_traced(call.call, fail=kind.error, process=call.process, at=call.number).finish(LIMIT)
        self.client.check_unchanged(self.before, ignore=["^setting kernel/printk: "] if call.call == "openat" else [])
        fatal = [status for failed in self.failed_calls() if failed.name == MONITOR
                 for pattern, status in kind.fatal.items() if re.search(pattern, failed.text)]
        if not fatal or result.status == 0:
            return self.assert_password(result)
        self.assertIn(result.status, fatal, result)
        self.assertEqual(result.output, b"")
        self.assertRegex(result.errors, r"bootkey: (\[.*\] )?cannot .*: .")

    def all_calls(self, kind, process, outcome, word):
        """A run in which all calls of a kind fail in one of the processes, and in those that are started in its place."""
        first = next(call.number for call in self.calls() if call.name == process) if process == MONITOR else 1
        run = self.start_traced(kind, "--verb=2", fail=KINDS[kind].error, process=process, at=first, for_good=True)
        if outcome == TRIES:
            lab.wait_until(self.failed_calls, "a call that fails", LIMIT, check=lambda: self.alive(run))
            run.wait_for_error(word, LIMIT)
            self.alive(run, WATCHED)
            run.signal(signal.SIGTERM)
            outcome = -signal.SIGTERM
        result = run.finish(LIMIT)
        self.assertTrue(self.failed_calls())
        self.assertEqual((result.status, result.output), (outcome, b"" if outcome else PASSWORD), result)
        self.assertIn(word, result.errors)
        self.client.check_unchanged(self.before)

    def kinds_for_good(self, *kinds):
        for kind in kinds:
            for process, (outcome, word) in KINDS[kind].for_good.items():
                self.assert_password(self.start_traced(kind).finish(LIMIT))
                with self.subTest(kind=kind, process=process):
                    self.all_calls(kind, process, outcome, word)

    def test_once_connections(self):
        self.each_call_once("socket", "bind", "connect")

    def test_once_sent(self):
        self.each_call_once("sendto")

    def test_once_received_messages(self):
        self.each_call_once("recvmsg")

    def test_once_received(self):
        self.each_call_once("recvfrom")

    def test_once_files(self):
        self.each_call_once("mkdir", "write", "flock", "renameat")

    def test_once_opened(self):
        self.each_call_once("openat")

    def test_once_events(self):
        self.each_call_once("epoll_create1", "epoll_ctl", "timerfd_create")

    def test_once_memory(self):
        self.each_call_once("mlock")

    def test_once_processes(self):
        self.each_call_once("socketpair", "clone", "pidfd_open", "pipe2", "execve")

    def test_for_good_network(self):
        self.kinds_for_good("socket", "bind", "connect", "sendto", "recvmsg", "recvfrom")

    def test_for_good_files(self):
        self.kinds_for_good("mkdir", "write", "openat", "flock", "renameat")

    def test_for_good_processes_and_events(self):
        self.kinds_for_good("socketpair", "clone", "pidfd_open", "pipe2", "execve", "epoll_create1", "epoll_ctl", "timerfd_create", "mlock")

    def test_too_few_file_descriptors(self):
        statuses = set()
        for limit in range(8, 34, 2):
            with self.subTest(limit=limit):
                process = self.start(self.client, *self.keys.options, "--retry=0.3",
                                     prepare=lambda limit=limit: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(WATCHED)
                process.signal(signal.SIGTERM)
                result = process.finish(LIMIT)
                statuses.add(result.status)
                self.assertIn(result.status, (0, 66, 69, 71, 73, -signal.SIGTERM), result)
                self.assertEqual(result.output, PASSWORD if result.status == 0 else b"", result)
                self.assertTrue(result.errors)
        self.assertLessEqual({0, 71}, statuses)
        self.assertEqual(self.client.run([self.bootkey, "--restore"]).status, 0)


if __name__ == "__main__":
    netns_case.main()
