#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of an unlock: what each of them may do, and what comes of it when one ends, stops or goes mad."""

import os
import signal

import lab
import netns_case
from netns_case import PASSWORD, below, gone

WORKER, DECRYPTOR = "bootkey-worker", "bootkey-decrypt"


def status(pid):
    """The lines of /proc/PID/status as a dictionary."""
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


class ProcessesTest(netns_case.NetnsCase):
    def setUp(self):
        super().setUp()
        self.keys = self.lab.keys()
        self.client = self.lab.client()

    def process(self, run, name, other_than=None):
        """The pid of the worker or the decryptor of a run, once there is one."""
        def find():
            return next((pid for pid, found in below(run.pid).items() if found == name and pid != other_than), None)
        return lab.wait_until(find, f"a process {name}")

    def waiting(self, *options):
        """A run that waits for a server's approval; the server."""
        server = self.lab.mandos([self.keys.section(PASSWORD, approval_delay="1h", approved_by_default="False")])
        run = self.start(self.client, *self.keys.options, *options)
        run.wait_for_error(r": waiting")
        return run, server

    def approve(self, server):
        server.set_clients([self.keys.section(PASSWORD)])
        server.kill()
        server.start()

    def test_monitor_alone_is_privileged(self):
        run, _ = self.waiting()
        worker, decryptor = status(self.process(run, WORKER)), status(self.process(run, DECRYPTOR))
        monitor = status(run.pid)
        self.assertEqual(monitor["Uid"].split(), ["0"] * 4)
        users = {process["Uid"] for process in (monitor, worker, decryptor)}
        self.assertEqual(len(users), 3, "each has a user of its own")
        for process in (worker, decryptor):
            self.assertEqual(len(set(process["Uid"].split() + process["Gid"].split())), 1)
            self.assertEqual(process["Groups"].strip(), "")
            for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                self.assertEqual(int(process[capabilities], 16), 0, capabilities)
            self.assertEqual(process["NoNewPrivs"], "1")
            self.assertEqual(process["Seccomp"], "2")
        agent = status(self.process(run, "gpg-agent"))
        self.assertEqual(agent["Uid"], decryptor["Uid"])
        self.assertEqual(agent["Seccomp"], "2")

    def test_standard_output_is_held_by_the_monitor_alone(self):
        run, _ = self.waiting()
        output = os.readlink(f"/proc/{run.pid}/fd/1")
        self.process(run, DECRYPTOR)
        others = below(run.pid)
        self.assertGreaterEqual(len(others), 3)
        for pid in others:
            held = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
            self.assertNotIn(output, held)

    def test_worker_that_is_killed_is_started_again(self):
        run, server = self.waiting()
        before = self.process(run, WORKER)
        os.kill(before, signal.SIGKILL)
        run.wait_for_error(r"the worker ended with signal 9")
        self.process(run, WORKER, other_than=before)
        self.approve(server)
        self.assert_password(run.finish())

    def test_worker_that_crashes_again_and_again(self):
        run, server = self.waiting()
        pid = None
        for _ in range(4):
            pid = self.process(run, WORKER, other_than=pid)
            os.kill(pid, signal.SIGSEGV)
            lab.wait_until(lambda: gone(pid), "its end")
        self.approve(server)
        self.assert_password(run.finish())

    def test_decryptor_that_is_killed_is_started_again(self):
        run, server = self.waiting()
        before = self.process(run, DECRYPTOR)
        os.kill(before, signal.SIGKILL)
        run.wait_for_error(r"the decryptor ended with signal 9")
        self.process(run, DECRYPTOR, other_than=before)
        self.approve(server)
        self.assert_password(run.finish())

    def test_stuck_processes_are_replaced(self):
        run, server = self.waiting()
        stuck = [self.process(run, name) for name in (WORKER, DECRYPTOR)]
        for pid in stuck:
            os.kill(pid, signal.SIGSTOP)
        self.approve(server)
        for name in ("worker", "decryptor"):
            run.wait_for_error(rf"the {name} has not answered for 30 s; it is killed", timeout=60)
        self.assert_password(run.finish())

    def test_stopped_processes_do_not_hold_up_the_end(self):
        for names in ((WORKER,), (DECRYPTOR,), (WORKER, DECRYPTOR)):
            with self.subTest(names):
                before = self.client.state()
                run = self.start(self.client, *self.keys.options)
                for name in names:
                    os.kill(self.process(run, name), signal.SIGSTOP)
                run.signal(signal.SIGTERM)
                self.assertEqual(run.finish(5 + netns_case.SLACK).status, -signal.SIGTERM)
                self.client.check_unchanged(before)

    def test_others_end_with_a_monitor_that_is_killed(self):
        before = self.client.state()
        run, _ = self.waiting()
        self.process(run, DECRYPTOR)
        others = below(run.pid)
        self.assertIn("gpg-agent", others.values())
        run.signal(signal.SIGKILL)
        lab.wait_until(lambda: all(map(gone, others)), "the end of all processes", timeout=5)
        run.finish()
        self.assertEqual(self.run_bootkey(self.client, "--restore").status, 0)
        self.client.check_unchanged(before)

    def test_no_sandbox_is_warned_of(self):
        self.lab.mandos([self.keys.section(PASSWORD)])
        result = self.run_bootkey(self.client, "--no-sandbox", *self.keys.options)
        self.assert_password(result)
        self.assertIn("--no-sandbox", result.errors)


if __name__ == "__main__":
    netns_case.main()
