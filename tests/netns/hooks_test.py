#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network hooks: which are run, when, with what, and that none of them can stall an unlock."""

import os
import signal

import lab
import netns_case
from netns_case import PASSWORD


class HooksTest(netns_case.NetnsCase):
    def hook(self, name, script, mode=0o755):
        """Write a network hook; its directory is given to every run. $LOG is where hooks leave notes."""
        header = f"#!/bin/sh\nLOG={self.lab.path('hook-log')}\n"
        return self.lab.file(os.path.join("hooks", name), header + script, mode)

    def notes(self):
        """What hooks have written to $LOG, as lines."""
        try:
            with open(self.lab.path("hook-log")) as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    @property
    def hook_option(self):
        return f"--network-hook-dir={self.lab.path('hooks')}"

    def run_with_server(self, *options, client=None):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        return self.fetch(client or self.lab.client(), *keys.options, self.hook_option, *options)

    def test_order_and_names(self):
        for name in ("b", "a", "C.x", "10-first", "_d", "with space", "semi;colon", "backup~"):
            self.hook(name, f"echo \"$1 {name}\" >>$LOG\n")
        self.hook("not-executable", "echo wrong >>$LOG\n", mode=0o644)
        os.mkdir(self.lab.path("hooks", "directory"))
        self.run_with_server()
        order = ["10-first", "C.x", "_d", "a", "b"]
        self.assertEqual(self.notes(), [f"start {name}" for name in order] + [f"stop {name}" for name in order])

    def test_whole_environment(self):
        self.hook("hook", "tr '\\0' '\\n' </proc/$$/environ | sort >>$LOG\n")
        self.run_with_server("--delay=1.5", "--interface=eth0,eth1")
        expected = {mode: sorted(["DELAY=1.5", "DEVICE=eth0,eth1", f"MANDOSNETHOOKDIR={self.lab.path('hooks')}",
                                  f"MODE={mode}", "VERBOSITY=0"]) for mode in ("start", "stop")}
        notes = self.notes()
        paths = [line for line in notes if line.startswith("PATH=")]
        self.assertEqual([line for line in notes if not line.startswith("PATH=")],
                         expected["start"] + expected["stop"])
        self.assertEqual(len(paths), 2)

    def test_environment_with_connect_and_debug_and_a_pattern(self):
        self.hook("hook", "[ $1 = stop ] || env | grep -E '^(CONNECT|VERBOSITY|DEVICE)=' | sort >>$LOG\n")
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(PASSWORD)], zeroconf=False, port=4711)
        self.fetch(self.lab.client(), *keys.options, self.hook_option, "--debug", "--interface=eth*",
                   f"--connect={server.address}")
        self.assertEqual(self.notes(), [f"CONNECT={server.address}", "DEVICE=", "VERBOSITY=1"])

    def test_input_output_user_and_process_group(self):
        self.hook("hook", """[ "$1" = start ] || exit 0
            echo "arguments $#" >>$LOG
            echo "user $(id -u)" >>$LOG
            echo "input $(readlink /proc/$$/fd/0)" >>$LOG
            [ "$(cut -d ' ' -f 5 /proc/$$/stat)" = $$ ] && echo "own group" >>$LOG
            echo "text on standard output"
        """)
        result = self.run_with_server()
        self.assertEqual(self.notes(), ["arguments 1", "user 0", "input /dev/null", "own group"])
        self.assertIn("text on standard output", result.errors)

    def test_a_hook_that_asks_is_told_when_nobody_is_there(self):
        self.hook("asks", """[ "$1" = start ] || { [ -e /proc/self/fd/3 ] && echo open >>$LOG; exit 0; }
            echo "auth nothing" >&3
            IFS= read -r user <&3
            echo "$user" >>$LOG
        """)
        self.run_with_server("--delay=30")
        self.assertEqual(self.notes(), ["gone"])

    def test_failing_hook_is_a_warning(self):
        self.hook("1-fails", "exit 3\n")
        self.hook("2-dies", "kill -KILL $$\n")
        self.lab.file("hooks/3-no-interpreter", "#!/nonexistent\n", 0o755)
        self.hook("4-works", "echo $1 >>$LOG\n")
        result = self.run_with_server()
        self.assertEqual(self.notes(), ["start", "stop"])
        for name in ("1-fails", "2-dies", "3-no-interpreter"):
            self.assertIn(name, result.errors)

    def test_hanging_hook_holds_nothing_up_beyond_delay(self):
        self.hook("hangs", "[ $1 = stop ] || sleep 60\n")
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        before = client.state()
        process = self.start(client, *keys.options, self.hook_option, "--delay=1")
        output, seconds = process.read_output(len(PASSWORD))
        self.assertEqual(output, PASSWORD)
        self.assertGreater(seconds, 0.9, "the hook was not waited for")
        self.assertLess(seconds, 1.2 + netns_case.SLACK)
        self.assertEqual(process.finish().status, 0)
        client.check_unchanged(before)

    def test_hook_is_killed_after_its_time_with_all_it_started(self):
        self.hook("hangs", "[ $1 = stop ] || { trap '' TERM; sleep 61 & echo started >>$LOG; wait; sleep 62; }\n")
        client = self.lab.client()
        keys = self.lab.keys()
        process = self.start(client, *keys.options, self.hook_option, "--delay=0.1", "--network-hook-timeout=1")
        lab.wait_until(self.notes, "the hook")
        lab.wait_until(lambda: "sleep 6" not in str(client.state()["process"]), "the hook's processes to be gone")
        self.alive(process)

    def test_hook_that_makes_an_interface(self):
        self.hook("bridge", """case $1 in
            start) ip link add br7 type bridge; ip link set eth0 master br7; ip link set eth0 up; ip link set br7 up ;;
            stop) ip link del br7; ip link set eth0 down ;;
        esac\n""")
        self.run_with_server("--interface=br7")

    def test_interface_of_a_hanging_hook_joins_later(self):
        self.hook("slow", """[ "$1" = start ] || exit 0
            sleep 1
            ip link set eth0 name lan7
            sleep 60\n""")
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        process = self.start(client, *keys.options, self.hook_option, "--delay=0.2", "--interface=lan7")
        self.assert_password(process.finish())

    def test_stop_hooks_after_a_signal(self):
        self.hook("hook", "echo $1 >>$LOG\n")
        client = self.lab.client()
        keys = self.lab.keys()
        process = self.start(client, *keys.options, self.hook_option)
        lab.wait_until(client.is_up, "the interface up")
        process.signal(signal.SIGTERM)
        self.assertEqual(process.finish().status, -signal.SIGTERM)
        self.assertEqual(self.notes(), ["start", "stop"])

    def test_hanging_stop_hook_is_cut_short(self):
        self.hook("hook", "[ $1 = start ] || sleep 60\n")
        result = self.run_with_server()
        self.assertLess(result.seconds, 10)


if __name__ == "__main__":
    netns_case.main()
