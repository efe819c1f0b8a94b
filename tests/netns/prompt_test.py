#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""cryptsetup's askpass beside the network (--prompt): the first answer is written, and no askpass nor a terminal without echo stays."""

import fcntl
import os
import signal
import time

import lab
import netns_case
from askpass_case import ASKPASS, FIFO, OTHER_PROMPTS, AskpassCase, Terminal
from netns_case import PASSWORD

OTHER = b"another password, from another server"
SOON = "--retry=0.5"
GIVEN = "/run/bootkey/given"


class PromptTest(AskpassCase):
    def setUp(self):
        super().setUp()
        self.terminal = Terminal(self)

    def ask(self, *options, keys=None, wait=True, **process_options):
        """bootkey with a prompt; it is on the terminal when this returns."""
        run = self.start(self.host, *(self.keys.options if keys is None else keys), "--prompt=Please unlock root: ", *options,
                         stdin=self.terminal.slave, **process_options)
        if wait:
            run.wait_for_error("Please unlock root")
            lab.wait_until(lambda: not self.terminal.echoes(), "the prompt")
        return run

    def askpass(self, run):
        """The askpass of a run."""
        return next(pid for pid, name in netns_case.below(run.pid).items() if name == "askpass")

    def assert_over(self, run, status, output=b""):
        """It has ended like that, and left neither askpass nor a terminal without echo."""
        result = run.finish()
        self.assertEqual((result.status, result.output), (status, output), result)
        self.assertTrue(self.terminal.echoes())
        self.assertEqual(netns_case.below(run.pid), {})
        return result

    # -- who answers

    def test_server_answers(self):
        self.serve()
        before = self.host.state()
        with lab.console_level(6, self.host) as level:
            self.assert_over(self.ask(wait=False), 0, PASSWORD)
            self.assertEqual(level(), 6)
        self.host.check_unchanged(before, ignore=["/run/bootkey"])
        self.assertEqual(self.host.check(["stat", "-c", "%a %U", GIVEN, "/run/bootkey"]), "600 root\n1711 root\n")
        self.assertEqual(self.run_bootkey(self.host, "--restore").status, 0)
        self.host.check_unchanged(before)

    def test_person_answers(self):
        before = self.host.state()
        for typed in (b"typed", b" ", "gr\u00fc\u00dfe".encode(), b""):
            with self.subTest(typed):
                run = self.ask()
                self.terminal.type(typed + b"\n")
                self.assert_over(run, 0, typed)
        self.host.check_unchanged(before)

    def test_other_program_answers_askpass(self):
        run = self.ask()
        self.host.check(["sh", "-c", f"printf 'over ssh' >{FIFO}"])
        self.assert_over(run, 0, b"over ssh")

    def test_prompt_is_known_to_others_by_its_device(self):
        run = self.ask("--mapping=root", "--tried=1/5")
        with open(f"/proc/{self.askpass(run)}/environ", "rb") as file:
            variables = set(file.read().split(b"\0"))
        self.assertLessEqual({b"CRYPTTAB_NAME=root", b"CRYPTTAB_TRIED=1", b"CRYPTTAB_OPTION_tries=5"}, variables)

    def test_prompt_is_there_before_keys_and_hooks(self):
        hooks = self.lab.path("hooks", "")
        self.lab.file("hooks/slow", "#!/bin/sh\nsleep 30\n", 0o755)
        run = self.ask(f"--network-hook-dir={hooks}", "--delay=30")
        self.terminal.type(b"typed\n")
        self.assert_over(run, 0, b"typed")

    # -- what fails

    def test_missing_keys_leave_the_prompt(self):
        run = self.ask(keys=["--seckey=/nowhere", "--pubkey=/nowhere"])
        run.wait_for_error("/nowhere")
        self.alive(run, 1)
        self.terminal.type(b"typed\n")
        self.assert_over(run, 0, b"typed")

    def test_nothing_can_be_written(self):
        self.host.check(["sh", "-c", "mount --bind /usr/share /run && mount -o remount,bind,ro /run"])
        run = self.ask()
        run.wait_for_error("/run is not in memory")
        self.terminal.type(b"typed\n")
        self.assert_over(run, 0, b"typed")

    def test_missing_keys_and_a_killed_prompt(self):
        run = self.ask(keys=["--seckey=/nowhere", "--pubkey=/nowhere"])
        run.wait_for_error("/nowhere")
        os.kill(self.askpass(run), signal.SIGKILL)
        self.assert_over(run, 66)

    def test_killed_prompt_comes_again(self):
        run = self.ask()
        first = self.askpass(run)
        os.kill(first, signal.SIGKILL)
        lab.wait_until(lambda: run.errors().count("Please unlock root") == 2, "the prompt again")
        self.terminal.type(b"typed\n")
        self.assert_over(run, 0, b"typed")

    def test_missing_askpass(self):
        self.host.check(["rm", ASKPASS])
        self.serve()
        run = self.ask(wait=False)
        run.wait_for_error("cannot start " + ASKPASS)
        self.assert_over(run, 0, PASSWORD)

    def test_missing_askpass_and_keys(self):
        self.host.check(["rm", ASKPASS])
        self.assert_over(self.ask(keys=["--seckey=/nowhere", "--pubkey=/nowhere"], wait=False), 66)

    def test_askpass_that_does_not_end(self):
        with lab.console_level(6, self.host) as level:
            run = self.ask()
            os.kill(self.askpass(run), signal.SIGSTOP)
            self.serve()
            self.assert_over(run, 0, PASSWORD)
            self.assertEqual(level(), 6)

    def test_askpass_that_has_another_program_ask(self):
        if not os.path.exists(OTHER_PROMPTS):
            self.skipTest(f"there is no {OTHER_PROMPTS} here that a program for the test could replace")
        program = self.lab.file("asks", "#!/bin/sh\nstty -echo\necho asks >&2\nwhile :; do sleep 1; done\n", 0o755)
        self.host.check(["mount", "--bind", program, OTHER_PROMPTS])
        # By which askpass takes it that systemd runs.
        self.host.check(["sh", "-e", "-c", "for at in /sys/fs/cgroup /sys/fs/cgroup/systemd; do mkdir -p $at; mount -t tmpfs cgroup $at; done"])
        run = self.ask(wait=False)
        run.wait_for_error("^asks")
        lab.wait_until(lambda: not self.terminal.echoes(), "the prompt")
        self.serve()
        self.assert_over(run, 0, PASSWORD)
        others = [line for line in self.host.check(["ps", "-e", "-o", "args"]).splitlines() if "asks" in line]
        self.assertEqual(others, [])

    def test_reader_of_the_output_goes_away(self):
        run = self.ask()
        run.close_output()
        run.wait(10)
        self.assertEqual(run.finish().status, 75)
        self.assertTrue(self.terminal.echoes())

    # -- wrong passwords

    def test_wrong_password_counts_once(self):
        server = self.serve()
        self.assert_over(self.ask("--mapping=root", "--tried=0", wait=False), 0, PASSWORD)
        run = self.ask("--mapping=root", "--tried=1", SOON)
        run.wait_for_error("did not open device root")
        run.wait_for_error("did not open device root before")
        lab.wait_until(lambda: server.log().count("TCP connection") >= 3, "it asks again")
        self.alive(run)
        self.serve(OTHER)
        self.assert_over(run, 0, OTHER)

    def test_wrong_password_may_be_right_for_another_device(self):
        self.serve()
        self.assert_over(self.ask("--mapping=root", wait=False), 0, PASSWORD)
        self.assert_over(self.ask("--mapping=swap", "--tried=1", wait=False), 0, PASSWORD)

    def test_fresh_round_begins_anew(self):
        self.serve()
        for _ in range(2):
            self.assert_over(self.ask("--mapping=root", "--tried=0/3", wait=False), 0, PASSWORD)

    def test_only_try_is_filled_once(self):
        self.serve()
        self.assert_over(self.ask("--mapping=root", "--tried=0/1", wait=False), 0, PASSWORD)
        run = self.ask("--mapping=root", "--tried=0/1")
        run.wait_for_error("did not open device root before")
        self.terminal.type(b"typed\n")
        self.assert_over(run, 0, b"typed")

    def test_last_try_is_the_persons(self):
        server = self.serve()
        run = self.ask("--mapping=root", "--tried=2/3")
        run.wait_for_error("the last try for device root is yours")
        self.alive(run, 2)
        self.assertNotIn("TCP connection", server.log())
        self.terminal.type(b"typed\n")
        self.assert_over(run, 0, b"typed")

    def test_last_try_without_a_prompt_ends(self):
        run = self.ask("--mapping=root", "--tried=2/3")
        os.kill(self.askpass(run), signal.SIGKILL)
        self.assert_over(run, 69)

    # -- signals

    def test_terminated(self):
        before = self.host.state()
        run = self.ask()
        lab.wait_until(self.host.link_local, "an address")
        since = time.monotonic()
        run.signal(signal.SIGTERM)
        self.assert_over(run, -signal.SIGTERM)
        self.assertLess(time.monotonic() - since, 1 + netns_case.SLACK)
        self.host.check_unchanged(before)

    def test_terminated_while_askpass_does_not_end(self):
        run = self.ask()
        os.kill(self.askpass(run), signal.SIGSTOP)
        since = time.monotonic()
        run.signal(signal.SIGTERM)
        self.assert_over(run, -signal.SIGTERM)
        self.assertLess(time.monotonic() - since, 2 + netns_case.SLACK)

    def test_terminated_while_the_answer_is_not_read(self):
        self.serve(bytes(65536))
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        self.addCleanup(os.close, reader)
        run = self.ask(wait=False, stdout=writer)
        os.close(writer)
        run.wait_for_error("is decrypted")
        lab.wait_until(lambda: "askpass" not in netns_case.below(run.pid).values(), "the end of askpass")
        self.alive(run, 0.5)
        run.signal(signal.SIGTERM)
        self.assert_over(run, -signal.SIGTERM)

    def test_killed(self):
        run = self.ask()
        askpass = self.askpass(run)
        run.kill()
        lab.wait_until(lambda: netns_case.gone(askpass), "the end of askpass")


if __name__ == "__main__":
    netns_case.main()
