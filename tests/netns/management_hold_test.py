#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hold touches nothing: the system calls of a bootkey that waits for its release, as tracer.py sees them.

See management_test.py for what the machine looks like meanwhile.
"""

import os
import re
import signal

import tracer
from management_case import ManagementCase
from netns_case import PASSWORD, main

CALLS = ["sendto", "sendmsg", "openat", "execve", "clone", "mkdir", "mkdirat", "write"]
ASKS = 2  # the lower two bits of an rtnetlink request that only asks for something, RTM_GETLINK and its kin (rtnetlink(7))
FIRST_RTNETLINK = 16  # RTM_BASE; what is below is netlink's own


def is_change(call):
    """Whether a call changes an interface, its address, a route or a setting, or leads to a change: a program or a process."""
    request = re.search("AF_NETLINK.* type ([0-9]+)$", call.text)
    return bool(request and int(request[1]) >= FIRST_RTNETLINK and int(request[1]) & 3 != ASKS) or \
        call.call in ("execve", "clone", "mkdir", "mkdirat") or \
        call.call == "openat" and call.text.startswith(("/proc/sys/net", "/run/bootkey")) or \
        call.call == "write" and "/proc/sys/" in call.text


class ManagementHoldTest(ManagementCase):
    def setUp(self):
        super().setUp()
        self.keys = self.lab.keys()
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.client = self.lab.client()
        self.record = self.lab.path("record")
        self.lab.file("hooks/hook", "#!/bin/sh\n", 0o755)

    def changes(self):
        """What has been changed until now."""
        return [(call.call, call.text) for call in tracer.read(self.record, tracer.Call) if is_change(call)]

    def hold(self, *options):
        """A traced bootkey on hold, and its client."""
        program = [self.bootkey, "--verb=4", *self.keys.options, f"--management=unix:{self.socket}", "--management-hold",
                   f"--network-hook-dir={self.lab.path('hooks')}", *options]
        run = tracer.start(self.client, program, record=self.record, calls=CALLS)
        self.addCleanup(run.kill)
        management = self.join()
        management.until("^>HOLD")
        return run, management

    def test_nothing_is_changed_before_the_release(self):
        run, management = self.hold()
        for order in ("net", "status 2", "state all", "signal SIGUSR1", "signal SIGHUP", "signal SIGUSR2", "verb 15",
                      "kill nobody"):
            self.assertTrue(management.ask(order))
        self.alive(run, 1)
        self.assertEqual(self.changes(), [])
        self.assertRegex(str(tracer.read(self.record, tracer.Call)), "AF_NETLINK")  # what `net` asked the kernel
        management.send("hold release")
        self.assert_password(run.finish())
        kinds = {name for name, _ in self.changes()}
        self.assertLessEqual({"sendto", "openat", "execve", "clone", "mkdir", "write"}, kinds)
        self.assertIn(self.lab.path("hooks", "hook"), [text for name, text in self.changes() if name == "execve"])

    def test_nothing_is_changed_by_an_end_without_release(self):
        run, management = self.hold()
        management.send("signal SIGTERM")
        management.rest()
        self.assertEqual(run.finish().status, -signal.SIGTERM)
        # The timeline is left there in the end.
        self.assertEqual([text for _, text in self.changes() if text != "/run/bootkey"], [])
        self.assertFalse(os.path.exists(self.socket))


if __name__ == "__main__":
    main()
