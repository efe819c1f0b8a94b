#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker or a decryptor in the wrong hands, and what the monitor makes of it.

rogue_bootkey (tests/monitor/rogue_bootkey.cpp) is the program, but that what runs first in one of its processes plays a
trick. Whatever that is: nothing is done that the options do not allow, the log stays readable, the monitor stays small and
responsive, and when a sound process has taken over the password arrives and the machine is put back.
"""

import contextlib
import os
import re
import signal
import time

import lab
import netns_case
from netns_case import PASSWORD, SLACK

LARGEST = 32 * 1024  # kB of the monitor's memory
# Anything that does more in a terminal than be seen, or looks like another line.
HARMFUL = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


class RogueTest(netns_case.NetnsCase):
    seconds = 300  # floods are a number of requests, whatever time they take

    def setUp(self):
        super().setUp()
        program = os.environ.get("BOOTKEY_ROGUE")
        if not program:
            self.fail("name the program in the environment: BOOTKEY_ROGUE=build/dev/tests/monitor/rogue_bootkey")
        self.rogue = os.path.abspath(program)
        with open(program, "rb") as file:
            self.is_sanitized = b"__asan_" in file.read()  # then freed memory is kept
        self.keys = self.lab.keys()
        self.server = self.lab.mandos([self.keys.section(PASSWORD)])
        self.client = self.lab.client(nics=2)

    def begin(self, trick, *options):
        """Start the program with the trick; it may use eth0 alone."""
        run = self.client.start([self.rogue, trick, "--verb=3", "--interface=eth0", *self.keys.options, *options])
        self.addCleanup(run.kill)
        return run

    def play(self, trick, *options, status=0):
        """Play the trick and let the program end by itself, like that; what it said. It must have left nothing."""
        before = self.client.state()
        run = self.begin(trick, *options)
        peak = 0
        while run.running():
            with contextlib.suppress(OSError), open(f"/proc/{run.pid}/status") as file:
                peak = max([peak, *(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))])
            time.sleep(0.02)
        result = run.finish()
        self.assertEqual((result.status, result.output), (status, b"" if status else PASSWORD), result)
        self.assertTrue(0 < peak < LARGEST or self.is_sanitized, f"{peak} kB")
        self.client.check_unchanged(before)
        return self.readable(run)

    def stop_while_playing(self, trick):
        """SIGTERM in the middle of the trick; what the program said until its end, which comes in time and in order."""
        before = self.client.state()
        run = self.begin(trick)
        lab.wait_until(lambda: "rogue" in netns_case.below(run.pid).values(), "the rogue process")
        time.sleep(0.1)
        run.signal(signal.SIGTERM)
        told = time.monotonic()
        result = run.finish(5 + SLACK)
        self.assertLess(time.monotonic() - told, 5 + SLACK)
        self.assertEqual((result.status, result.output), (-signal.SIGTERM, b""), result)
        self.client.check_unchanged(before)
        return self.readable(run)

    def readable(self, run):
        """What the program has said, as text; every line of it is one of its own, with nothing in it but what can be seen."""
        said = run.error_bytes().decode("utf-8")
        self.assertEqual([line for line in said.splitlines() if not line.startswith("bootkey: ") or HARMFUL.search(line)], [])
        return said

    # -- what is no request

    def test_undecodable_messages(self):
        said = self.play("undecodable")
        self.assertEqual(said.count("the worker said what it may not say; it is killed"), 4)  # the channel refuses the other two
        self.assertEqual(said.count("the worker ended with"), 6)

    def test_undecodable_messages_of_the_decryptor(self):
        self.assertEqual(self.play("decryptor-undecodable").count("the decryptor said what it may not say; it is killed"), 4)
        self.assertEqual(self.play("decryptor-asks-as-worker").count("the decryptor said what it may not say; it is killed"), 1)

    def test_messages_out_of_turn(self):
        self.server.stop()  # or one of them may be in its turn
        before = self.client.state()
        run = self.begin("decryptor-out-of-turn")
        run.wait_for_error("flood is over", timeout=30)
        self.server.start()
        self.assert_password(run.finish())
        self.client.check_unchanged(before)
        self.readable(run)

    # -- floods

    def test_flood_of_interfaces(self):
        self.assertRegex(self.play("flood-of-interfaces"), "[0-9]{5} x .*: it asks for too much at once")
        self.stop_while_playing("flood-of-interfaces")

    def test_flood_of_routes(self):
        self.assertIn("flood is over", self.play("flood-of-routes"))
        self.stop_while_playing("flood-of-routes")

    def test_flood_of_requests_without_listening_to_answers(self):
        said = self.play("flood-without-listening")
        self.assertIn("the worker ended with", said)
        self.assertNotIn("flood is over", said)
        self.stop_while_playing("flood-without-listening")

    def test_flood_of_console_levels(self):
        with lab.console_level(7, self.client) as level:
            self.assertIn("flood is over", self.play("flood-of-console-levels"))
            self.assertEqual(level(), 7)
            self.stop_while_playing("flood-of-console-levels")
            self.assertEqual(level(), 7)

    def test_flood_of_lines(self):
        for trick in ("flood-of-lines", "flood-on-standard-error", "decryptor-flood-of-lines"):
            with self.subTest(trick):
                said = self.play(trick)
                self.assertRegex(said, r"writes too much into the log; lines are left out|\(1024 times by now\)")
                self.assertLess(len(said), 1 << 20)
                self.stop_while_playing(trick)

    def test_flood_of_news(self):
        self.play("flood-of-news")
        self.stop_while_playing("flood-of-news")

    def test_flood_of_answers(self):
        said = self.play("answers")
        self.assertRegex(said, "[0-9]+ x rejected: too many other answers")

    # -- what is not allowed

    def test_forbidden_interfaces(self):
        said = self.play("forbidden-interfaces")
        for what in ("loopback", "not chosen", "absent"):
            self.assertRegex(said, f"rogue: {what}: 1 x (refused|cannot look up)")
        self.assertNotRegex(said, "rogue: .*done")
        self.assertNotIn("eth1", said)

    def test_forbidden_routes(self):
        said = self.play("forbidden-routes")
        self.assertEqual(len(re.findall("rogue: .*: 1 x refused", said)), 12)
        self.assertNotRegex(said, "rogue: .*done|added a route")

    def test_patience_has_an_end(self):
        said = self.play("never-enough")
        self.assertEqual(said.count("refused to bring up"), 16)
        self.assertIn("the worker said what it may not say; it is killed", said)

    def test_routes_are_few(self):
        said = self.play("many-routes")
        self.assertEqual(len(re.findall("added a route to", said)), 16)
        self.assertRegex(said, "rogue: route 17: 1 x cannot add a route to 198.18.0.17")
        self.assertEqual(len(re.findall("deleted the route to", said)), 16)

    def test_route_of_others_stays(self):
        self.client.up()
        self.client.add_addresses("198.51.100.2/24")
        self.client.space.ip("route add 203.0.113.1/32 dev eth0")
        self.play("route-of-others")

    def test_hooks_run_once(self):
        notes = self.lab.path("notes")
        hook = self.lab.file("hooks/hook", f"#!/bin/sh\necho $1 >>{notes}\n", 0o755)
        said = self.play("hooks-again-and-again", f"--network-hook-dir={os.path.dirname(hook)}")
        self.assertRegex(said, "rogue: [0-9]+ x hooks are over")
        with open(notes) as file:
            self.assertEqual(file.read().split(), ["start", "stop"])

    def test_monitor_is_out_of_reach(self):
        for trick, signalled in (("reach-for-the-monitor", "worker ended with signal 31"),
                                 ("decryptor-reaches-for-the-monitor", "decryptor says: rogue: signal: Operation not permitted")):
            with self.subTest(trick):
                said = self.play(trick, "--delay=10")
                self.assertIn(signalled, said)
                self.assertEqual(len(re.findall("rogue: open .*: Permission denied", said)), 4)
                self.assertGreaterEqual(len(re.findall("ended with signal 31", said)), 4)
                self.assertNotRegex(said, "rogue: .*: done")

    # -- what a person reads

    def test_hostile_lines(self):
        said = self.play("hostile-lines")
        self.assertEqual(len(re.findall(r"line\\x0abootkey: second line", said)), 6)
        self.assertIn(r"worker says: bootkey: second line\x0d\x1b[2J", said)
        self.assertIn("rogue: reading standard error: Bad file descriptor", said)

    def test_failures_that_are_made_up(self):
        """They may end the program, but not so that the password seems to be on its way, and with harmless words.

        What may pass (69, 71, 73, and so 74 and 75, which are not the worker's to tell) only has the worker started again.
        """
        for claimed in sorted(set(range(64, 78)) - {69, 71, 73, 74, 75}):
            with self.subTest(claimed):
                self.play(f"failed={claimed}", status=claimed)
        self.play("decryptor-failed", status=66)

    # -- ends

    def test_channel_that_is_closed(self):
        self.assertIn("the worker ended with signal 9", self.play("closed-channel"))

    def test_process_that_stops_itself(self):
        self.stop_while_playing("stopped")

    def test_process_that_ends_again_and_again(self):
        run = self.begin("exits")
        run.wait_for_error("it is started again in 0.8 s")
        run.signal(signal.SIGTERM)
        self.assertEqual(run.finish(5).status, -signal.SIGTERM)
        self.assertLess(self.readable(run).count("it is started again"), 6)


if __name__ == "__main__":
    netns_case.main()
