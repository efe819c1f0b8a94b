#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""System calls that fail: each call of each kind once, each kind for good, and too few file descriptors.

strace lets a chosen call of bootkey fail (not those of the gpg that it starts). A run without faults tells which calls there are. Then
there is a run for each of them, in which that one fails, and the password must arrive nevertheless: it was tried
again or done without. The calls that may end the program are in the table. So is what comes of a kind that fails for good: an exit
status, the password, or that it goes on trying until it is stopped. However it ends, it does so in time, has said why, and
has put everything back.
"""

import collections
import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess

import netns_case
from netns_case import PASSWORD

# Seconds until a fault must have been overcome; for one that lasts, how long the program is watched before it is stopped.
LIMIT = 15
WATCHED = 1.0
TRIES = "goes on trying"

# What a kind of call is, the error it fails with, what may end the program if it fails once, as {pattern of the
# call as strace writes it: exit status}, and what comes of it if it fails for good, with a word of the message.
Kind = collections.namedtuple("Kind", "error fatal for_good word")
RTNETLINK = {r"AF_NETLINK, SOCK_RAW": 71, r"nl_groups=(00000000|0x000111)": 71}
AGENT = {r"AF_UNIX": 71}
KINDS = {
    "socket": Kind("EMFILE", RTNETLINK | AGENT, 71, "netlink"),
    "bind": Kind("EADDRINUSE", RTNETLINK | AGENT, 71, "netlink"),
    "connect": Kind("ENETUNREACH", {}, TRIES, "unreachable"),
    "sendto": Kind("ENOBUFS", {}, TRIES, "interfaces: No buffer space"),
    "recvmsg": Kind("ENOBUFS", {}, TRIES, "no network interface is usable"),
    "recvfrom": Kind("ECONNRESET", {}, TRIES, "Connection reset"),
    "clone": Kind("EAGAIN", {".": (69, 71)}, 69, "gpg-agent"),
    "mkdir": Kind("ENOSPC", {"/bootkey-home-": 73}, 73, "cannot make a directory"),
    "write": Kind("ENOSPC", {r"write\(1,": 74, "Nobody is there": 73, "PRIVATE KEY": 71}, 73, None),
    "openat": Kind("EMFILE", {"key[.](txt|pem)": 66, "/proc/[0-9]+/stat": 71, "gpg.conf": 73, "/dev/null": 69}, 66, "key"),
    "epoll_create1": Kind("EMFILE", {}, 0, None),
    "epoll_ctl": Kind("ENOMEM", {}, None, None),  # not for good: signals come by it, too
    "timerfd_create": Kind("EMFILE", {}, 0, None),
    "mlock": Kind("EPERM", {}, 0, None),
    "flock": Kind("ENOLCK", {}, TRIES, "journal"),
    "renameat": Kind("EIO", {}, 73, "cannot make a directory"),
}
# avahi-core 0.8 ends the program if it cannot have its netlink socket. bootkey sees just before whether one can be had; what is made to
# fail in between is not held against it.
AVAHI = "avahi_interface_monitor_sync: Assertion"


class FaultsTest(netns_case.NetnsCase):
    def setUp(self):
        if not shutil.which("strace"):
            self.skipTest("strace is not installed")
        with open(self.bootkey, "rb") as program:
            if b"__ubsan_" in program.read():
                self.skipTest("the sanitizers make system calls of their own")
        super().setUp()
        self.keys = self.lab.keys()
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.client = self.lab.client()
        self.trace = self.lab.path("trace")

    def start_traced(self, call, fault=None, children=False):
        """Start bootkey with strace. `fault`: which calls fail and how, in strace's words."""
        command = ["strace", f"--output={self.trace}", "--string-limit=50", f"--trace={call},rt_sigaction"]
        command += [f"--inject={call}:{fault}"] if fault else []
        command += ["--follow-forks"] if children else []
        process = self.client.start([*command, self.bootkey, "--verb=4", "--retry=0.3", "--delay=0.5", *self.keys.options])
        self.addCleanup(self.kill, process)
        return process

    @staticmethod
    def signal(process, number):
        """Send a signal to the program rather than to strace, which would leave it running or not see it end."""
        with contextlib.suppress(OSError), open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
            for pid in children.read().split():
                os.kill(int(pid), number)

    def kill(self, process):
        if process.running():
            self.signal(process, signal.SIGKILL)
        process.kill()

    def traced(self, call):
        """The calls of one kind that the last run made after the dynamic linker was through: {number: text}."""
        with open(self.trace, errors="backslashreplace") as file:
            lines = file.read().splitlines()
        start = next((place for place, line in enumerate(lines) if line.startswith("rt_sigaction(SIGCHLD")), 0)
        calls = [(place, line) for place, line in enumerate(lines) if line.startswith(call + "(")]
        return {number: line for number, (place, line) in enumerate(calls, 1) if place > start}

    def injected(self):
        """The failed calls of the last run, as text."""
        with open(self.trace, errors="backslashreplace") as file:
            return [line for line in file if "(INJECTED)" in line]

    def each_call_once(self, *calls):
        for call in calls:
            self.assert_password(self.start_traced(call).finish(LIMIT))
            for number, text in self.traced(call).items():
                with self.subTest(call=text, number=number):
                    self.one_call(call, number)

    def one_call(self, call, number):
        kind = KINDS[call]
        before = self.client.state()
        result = self.start_traced(call, f"error={kind.error}:when={number}").finish(LIMIT)
        failed = "".join(self.injected())
        if AVAHI in result.errors and re.search("netlink|nlmsg|nl_groups|NETLINK", failed):
            self.client.run([self.bootkey, "--restore"])
            return
        self.client.check_unchanged(before)
        allowed = [status for pattern, status in kind.fatal.items() if re.search(pattern, failed)]
        if not failed or not allowed or result.status == 0:
            self.assert_password(result)
        else:
            self.assertIn(result.status, allowed[0] if isinstance(allowed[0], tuple) else allowed, f"{failed}{result}")
            self.assertEqual(result.output, b"")
            self.assertRegex(result.errors, r"bootkey: (\[.*\] )?cannot .*: .")

    def all_calls(self, call):
        kind = KINDS[call]
        self.assert_password(self.start_traced(call).finish(LIMIT))
        first = min(self.traced(call))
        before = self.client.state()
        process = self.start_traced(call, f"error={kind.error}:when={first}+")
        if kind.for_good == TRIES:
            self.alive(process, WATCHED)
            self.signal(process, signal.SIGTERM)
            expected = -signal.SIGTERM
        else:
            expected = kind.for_good
        result = process.finish(LIMIT)
        self.assertTrue(self.injected())
        self.assertEqual((result.status, result.output), (expected, b"" if expected else PASSWORD), result)
        if kind.word:
            self.assertIn(kind.word, result.errors)
        self.client.check_unchanged(before)

    def test_once_connections(self):
        self.each_call_once("socket", "bind", "connect")

    def test_once_sent(self):
        self.each_call_once("sendto")

    def test_once_received(self):
        self.each_call_once("recvmsg", "recvfrom")

    def test_once_files(self):
        self.each_call_once("mkdir", "write", "flock", "renameat")

    def test_once_opened(self):
        self.each_call_once("openat")

    def test_once_events(self):
        self.each_call_once("epoll_create1", "epoll_ctl", "timerfd_create")

    def test_once_memory_and_children(self):
        self.each_call_once("mlock", "clone")

    def test_for_good(self):
        for call, kind in KINDS.items():
            if kind.for_good is not None:
                with self.subTest(call):
                    self.all_calls(call)

    def test_programs_cannot_be_executed(self):
        before = self.client.state()
        result = self.start_traced("execve", "error=ENOMEM", children=True).finish(LIMIT)
        self.assertTrue(self.injected())
        self.assertEqual((result.status, result.output), (69, b""), result)
        self.assertIn("Cannot allocate memory", result.errors)
        self.client.check_unchanged(before)

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
        self.assertLess({0, 71}, statuses)
        self.assertEqual(self.client.run([self.bootkey, "--restore"]).status, 0)


if __name__ == "__main__":
    netns_case.main()
