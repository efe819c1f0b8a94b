#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password handed to cryptsetup's askpasses over their FIFO (--askpass-fifo), and what a person can do meanwhile."""

import os
import signal
import time

import keysets
import lab
import netns_case
import peers
from askpass_case import FIFO, AskpassCase, Prompt, Terminal
from netns_case import PASSWORD

WRONG = b"not the password of this disk"
NEVER = "--retry=3600"
SOON = "--retry=0.5"
SCRIPTS = "/lib/cryptsetup/scripts"
LONGEST = bytes(range(256)) * 256  # 64 KiB

# What Debian's cryptroot does for a device, but that a password is only compared.
CRYPTROOT = """
. /lib/cryptsetup/functions
CRYPTTAB_NAME=root CRYPTTAB_SOURCE=/dev/null CRYPTTAB_KEY=none CRYPTTAB_OPTIONS=luks
_CRYPTTAB_NAME=root _CRYPTTAB_SOURCE=/dev/null _CRYPTTAB_OPTIONS=luks
for count in 0 1 2; do
    answer=$(run_keyscript $count)
    echo "$count $answer"
    [ "$answer" != "$1" ] || exit 0
    sleep 1
done
exit 1
"""


def processor_seconds(pids):
    """What these processes have used of a processor so far."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


class AskpassTest(AskpassCase):
    def job(self, *options):
        """bootkey beside the boot."""
        return self.start(self.host, *self.keys.options, "--askpass-fifo", *options)

    def prompt(self, *arguments, **options):
        return Prompt(self, self.host, *arguments, **options)

    def end(self, run):
        """SIGTERM ends it with success, having printed nothing."""
        run.signal(signal.SIGTERM)
        result = run.finish()
        self.assertEqual((result.status, result.output), (0, b""), result)

    def served(self, run):
        """It has a password that was not offered yet."""
        run.wait_for_error("is decrypted")

    # -- prompts that are answered

    def test_prompt_that_waits_already(self):
        self.serve()
        before = self.host.state()
        prompt = self.prompt()
        run = self.job()
        self.assertEqual(prompt.answer(), PASSWORD)
        self.assertTrue(prompt.echoes())
        self.end(run)
        self.host.check_unchanged(before)

    def test_prompt_that_comes_later(self):
        self.serve()
        before = self.host.state()
        run = self.job()
        self.served(run)
        since = time.monotonic()
        self.assertEqual(self.prompt(wait=False).answer(), PASSWORD)
        self.assertLess(time.monotonic() - since, 1 + netns_case.SLACK)
        self.end(run)
        self.host.check_unchanged(before)

    def test_devices_one_after_another_get_it_from_one_fetch(self):
        server = self.serve()
        run = self.job(NEVER)
        for device in ("root", "swap", "a name\twith blanks"):
            self.assertEqual(self.prompt(device).answer(), PASSWORD)
        self.assertEqual(server.log().count("TCP connection"), 1)
        self.end(run)

    def test_prompt_without_a_device(self):
        self.serve()
        run = self.job()
        self.assertEqual(self.prompt(device="").answer(), PASSWORD)
        self.prompt(device="").assert_unanswered()
        self.end(run)

    def test_longest_password(self):
        self.serve(LONGEST)
        run = self.job()
        self.assertEqual(self.prompt().answer(), LONGEST)
        self.end(run)

    def test_only_one_try_is_filled(self):
        self.serve()
        run = self.job()
        self.assertEqual(self.prompt(tries=1).answer(), PASSWORD)
        self.prompt(tries=1).assert_unanswered()
        self.end(run)

    # -- keyscripts that ask by askpass

    KEYCTL = """#!/bin/sh
# Stands for keyctl(1), as far as decrypt_keyctl uses it: one key, that of the last argument but one or of the file.
cd /mnt || exit
case $1 in
    search) [ -e "$4" ] && echo "$4" ;;
    padd) cat >"$3" && echo "$3" ;;
    unlink) rm "$2" ;;
    pipe) cat "$2" ;;
esac
"""

    def decrypt_keyctl(self, device, key, **options):
        """Debian's keyscript of that name, as cryptroot runs it."""
        script = f"{SCRIPTS}/decrypt_keyctl"
        return self.prompt(device, command=(script, key), text="(Caching|Using cached) passphrase for",
                           variables={"CRYPTTAB_KEY": key, "CRYPTTAB_OPTION_keyscript": script,
                                      "PATH": f"{self.lab.path('keyctl', '')}:{self.host.environment['PATH']}"}, **options)

    def test_disks_that_share_a_password_by_decrypt_keyctl(self):
        self.host.check(["mount", "-t", "tmpfs", "keys", "/mnt"])
        self.lab.file("keyctl/keyctl", self.KEYCTL, 0o755)
        self.serve(WRONG)
        run = self.job(SOON)
        for key in ("none", "disks"):
            with self.subTest(key):
                self.assertEqual(self.decrypt_keyctl(f"{key}-1", key).answer(), WRONG)
        # The second disk of that key takes what is kept, and asks by itself when that is no good.
        self.assertEqual(self.decrypt_keyctl("disks-2", "disks").answer(), WRONG)
        self.serve()
        self.assertEqual(self.decrypt_keyctl("disks-1", "disks", tried=1).answer(20), PASSWORD)
        self.assertIn(self.decrypt_keyctl("disks-2", "disks", tried=1).answer(20), (WRONG, PASSWORD))
        self.end(run)

    def test_keyscripts_that_ask_for_something_else_are_left_to_the_person(self):
        """Also when they ask for the key of one disk while bootkey runs for another one."""
        self.serve()
        run = self.job()
        self.assertEqual(self.prompt("plain").answer(), PASSWORD)
        for keyscript in (f"{SCRIPTS}/decrypt_gnupg", f"{SCRIPTS}/decrypt_opensc", "/etc/keys/mine"):
            with self.subTest(keyscript):
                prompt = self.prompt("card", variables={"CRYPTTAB_OPTION_keyscript": keyscript})
                run.wait_for_error(f"keyscript {keyscript} of device card asks for.*left to a person")
                prompt.assert_unanswered()
                prompt.type(b"1234\n")
                self.assertEqual(prompt.answer(), b"1234")
        self.assertEqual(self.prompt("other", variables={"CRYPTTAB_OPTION_keyscript": "/lib/cryptsetup/askpass"}).answer(), PASSWORD)
        self.end(run)

    # -- wrong passwords

    def test_wrong_password_then_another_one_from_another_server(self):
        wrong = self.serve(WRONG)
        run = self.job(SOON)
        self.assertEqual(self.prompt().answer(), WRONG)
        prompt = self.prompt(tried=1)
        prompt.assert_unanswered(2)
        self.assertGreater(wrong.log().count("TCP connection"), 1)  # its secret may be mended
        self.serve()
        self.assertEqual(prompt.answer(20), PASSWORD)
        self.end(run)

    def test_wrong_passwords_of_one_host_use_up_one_try(self):
        """Whoever has the machine's public key can send any number of them."""
        evil = self.lab.host()
        for number in range(2):
            wrong = keysets.encrypt(self.keys.pubkey, b"wrong %d" % number)
            peers.start(evil, "answer", 5000 + number, self.lab.file(f"wrong-{number}", wrong))
        peers.announce(evil, *(peers.announcement(f"evil {number}", 5000 + number, [evil.link_local()], target=f"evil{number}")
                               for number in range(2)))
        run = self.job("--verb=3")
        for number in range(2):
            run.wait_for_error(f"answer of evil {number} is decrypted")
        self.serve()
        run.wait_for_error("answer of Mandos.* is decrypted")
        self.assertIn(self.prompt(tried=0).answer(), (b"wrong 0", b"wrong 1"))
        self.assertEqual(self.prompt(tried=1).answer(), PASSWORD)
        self.end(run)

    def test_cryptroots_own_way_of_asking(self):
        self.serve(WRONG)
        terminal = Terminal(self)
        run = self.job(SOON)
        cryptroot = self.host.start(["sh", "-c", CRYPTROOT, "cryptroot", PASSWORD.decode()], stdin=terminal.slave)
        self.addCleanup(cryptroot.kill)
        self.assertEqual(cryptroot.read_line(), b"0 " + WRONG + b"\n")
        self.serve()
        result = cryptroot.finish()
        self.assertEqual((result.status, result.output), (0, b"1 " + PASSWORD + b"\n"), result)
        self.assertIn("try 2 of 3", run.errors())
        self.end(run)

    def test_last_try_is_the_persons(self):
        self.serve(WRONG)
        run = self.job(SOON)
        self.assertEqual(self.prompt(tries=2).answer(), WRONG)
        self.serve()
        prompt = self.prompt(tried=1, tries=2)
        self.wait(2)
        prompt.assert_unanswered()
        prompt.type(b"typed\n")
        self.assertEqual(prompt.answer(), b"typed")
        self.end(run)

    def test_no_limit_of_tries(self):
        self.serve()
        run = self.job()
        self.assertEqual(self.prompt(tried=17, tries=0).answer(), PASSWORD)
        self.end(run)

    def test_slow_typist_is_cut_off_once_by_a_wrong_password(self):
        run = self.job(SOON)
        text = b"right\n"
        server, cut_off, tried = None, 0, 0
        prompt = self.prompt(tries=0)
        typed = b""
        while not typed.endswith(b"\n"):
            prompt.type(text[len(typed):len(typed) + 1])
            typed = text[:len(typed) + 1]
            server = server or self.serve(WRONG)
            self.wait(1)
            if not prompt.process.running() and not typed.endswith(b"\n"):
                self.assertEqual(prompt.answer(), WRONG)
                cut_off, tried, typed = cut_off + 1, tried + 1, b""
                prompt = self.prompt(tried=tried, tries=0)
        self.assertEqual(prompt.answer(), b"right")
        self.assertEqual(cut_off, 1)
        self.end(run)

    # -- the person

    def test_person_types_first_and_mistakes_are_not_ours(self):
        run = self.job(NEVER)
        prompt = self.prompt()
        prompt.type(b"mistaken\n")
        self.assertEqual(prompt.answer(), b"mistaken")
        server = self.serve()
        self.assertEqual(self.prompt(tried=1).answer(20), PASSWORD)
        self.assertEqual(server.log().count("TCP connection"), 1)
        self.end(run)

    def test_person_and_server_at_the_same_moment(self):
        self.serve()
        run = self.job(NEVER)
        self.served(run)
        for number in range(5):
            with self.subTest(number):
                device = f"disk{number}"
                prompt = self.prompt(device, tries=0, wait=False)
                self.wait(0.005 * number)
                prompt.type(b"typed\n")
                # Either may win, but the password is held to be wrong only if it was tried.
                won = prompt.answer()
                self.assertIn(won, (b"typed", PASSWORD))
                again = self.prompt(device, tried=1, tries=0)
                if won == PASSWORD:
                    again.assert_unanswered()
                    again.type(b"typed\n")
                    self.assertEqual(again.answer(), b"typed")
                    break  # refused now, and not fetched again in this test
                self.assertEqual(again.answer(), PASSWORD)
        self.end(run)

    def test_what_somebody_else_writes_is_not_mixed_with_ours(self):
        prompt = self.prompt()
        other = self.host.start(["sh", "-c", f"exec 3>{FIFO}; echo open; read line; printf %s \"$line\" >&3"], stdin=-1)
        self.addCleanup(other.kill)
        self.assertEqual(other.read_line(), b"open\n")
        self.serve()
        run = self.job()
        run.wait_for_error("somebody else is writing")
        prompt.assert_unanswered()
        other.stdin.write(b"over ssh\n")
        self.assertEqual(prompt.answer(), b"over ssh")
        self.assertEqual(self.prompt(tried=1).answer(), PASSWORD)
        self.end(run)

    def test_nothing_is_added_to_what_somebody_else_wrote(self):
        """Also not when they are gone and askpass, which is slow, has read what they wrote and not seen its end."""
        self.serve()
        prompt = self.prompt()
        other = self.host.start(["sh", "-c", f"exec 3>{FIFO}; echo open; read line; printf %s over >&3"], stdin=-1)
        self.addCleanup(other.kill)
        self.assertEqual(other.read_line(), b"open\n")
        prompt.process.signal(signal.SIGSTOP)
        run = self.job()
        run.wait_for_error("somebody else is writing")
        other.stdin.write(b"\n")
        other.finish()
        reader = os.open(f"/proc/{prompt.process.pid}/root{FIFO}", os.O_RDONLY | os.O_NONBLOCK)  # in askpass's place
        self.assertEqual(os.read(reader, 100), b"over")
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            self.assertEqual(os.read(reader, 100), b"")
            time.sleep(0.01)
        os.close(reader)
        prompt.process.signal(signal.SIGCONT)
        self.end(run)

    # -- askpass in trouble

    def test_askpass_killed_while_it_waits(self):
        run = self.job()
        self.prompt().process.kill()
        self.serve()
        self.assertEqual(self.prompt(tried=1).answer(20), PASSWORD)
        self.end(run)

    def test_askpass_that_does_not_read_for_a_while(self):
        self.serve(LONGEST)
        prompt = self.prompt()
        prompt.process.signal(signal.SIGSTOP)
        run = self.job()
        run.wait_for_error("offering")
        self.wait(1)
        self.alive(run)
        prompt.process.signal(signal.SIGCONT)
        self.assertEqual(prompt.answer(), LONGEST)
        self.end(run)

    def test_askpass_killed_while_it_does_not_read(self):
        self.serve(LONGEST)
        prompt = self.prompt()
        prompt.process.signal(signal.SIGSTOP)
        run = self.job(NEVER)
        run.wait_for_error("offering")
        prompt.process.kill()
        run.wait_for_error("ended before it had read")
        self.assertEqual(self.prompt(tried=1).answer(), LONGEST)
        self.end(run)

    def test_two_that_wait_get_nothing(self):
        one, other = self.prompt("one"), self.prompt("other")
        self.serve()
        run = self.job()
        self.served(run)
        one.assert_unanswered()
        other.process.kill()
        self.assertEqual(one.answer(), PASSWORD)
        self.end(run)

    # -- something else in the FIFO's place

    def test_file_in_the_place_of_the_fifo(self):
        self.serve()
        self.host.check(["sh", "-c", f"echo content >{FIFO}"])
        run = self.job()
        run.wait_for_error("it is not a FIFO")
        self.served(run)
        self.assertEqual(self.host.check(["cat", FIFO]), "content\n")
        self.host.check(["rm", FIFO])
        self.assertEqual(self.prompt().answer(), PASSWORD)
        self.end(run)

    def test_link_in_the_place_of_the_fifo(self):
        self.serve()
        prompt = self.prompt()
        self.host.check(["sh", "-c", f"mv {FIFO} {FIFO}.away && ln -s {FIFO}.away {FIFO}"])
        run = self.job()
        run.wait_for_error("it is not a FIFO")
        self.served(run)
        prompt.assert_unanswered()
        self.host.check(["sh", "-c", f"rm {FIFO} && mv {FIFO}.away {FIFO}"])
        self.assertEqual(prompt.answer(), PASSWORD)
        self.end(run)

    def test_fifo_that_others_may_read_or_write(self):
        for mode in "0622", "0644":
            self.serve()
            prompt = self.prompt()
            self.host.check(["chmod", mode, FIFO])
            run = self.job()
            run.wait_for_error("others may read or write it")
            self.served(run)
            prompt.assert_unanswered()
            self.end(run)
            self.host.check(["chmod", "0600", FIFO])
            prompt.process.kill()

    def test_another_program_that_calls_itself_askpass(self):
        """Whatever it is called: it is not the program that cryptsetup runs."""
        self.serve()
        reader = self.host.start(["/usr/bin/python3", "-c", f"""
import os
open("/proc/self/comm", "w").write("askpass")
os.path.exists("{FIFO}") or os.mkfifo("{FIFO}", 0o600)
fifo = os.open("{FIFO}", os.O_RDWR)
print("waits", flush=True)
print(os.read(fifo, 100), flush=True)
"""])
        self.assertEqual(reader.read_line(), b"waits\n")
        run = self.job()
        self.served(run)
        self.assertEqual(reader.read_line(timeout=1), b"")
        self.end(run)
        reader.kill()

    # -- the end

    def test_end_at_each_phase(self):
        before = self.host.state()
        with self.subTest("before there is a FIFO"):
            run = self.job()
            run.wait_for_error("choosing interfaces")
            self.end(run)
        with self.subTest("a prompt waits, no server"):
            prompt = self.prompt()
            run = self.job()
            run.wait_for_error("waits for the password")
            self.end(run)
            prompt.assert_unanswered(0.5)
            prompt.type(b"typed\n")
            self.assertEqual(prompt.answer(), b"typed")
        self.host.check_unchanged(before)
        self.serve(LONGEST)
        with self.subTest("a password, no prompt"):
            run = self.job()
            self.served(run)
            self.end(run)
        with self.subTest("in the middle of the password"):
            prompt = self.prompt()
            prompt.process.signal(signal.SIGSTOP)
            run = self.job()
            run.wait_for_error("offering")
            self.end(run)
            prompt.process.kill()
        with self.subTest("all is done"):
            run = self.job()
            self.assertEqual(self.prompt().answer(), LONGEST)
            self.end(run)
        self.host.check_unchanged(before)

    def test_interrupt_is_no_success(self):
        run = self.job()
        run.wait_for_error("choosing interfaces")
        run.signal(signal.SIGINT)
        self.assertEqual(run.finish().status, -signal.SIGINT)

    def test_missing_keys_end_it_and_leave_the_prompt(self):
        prompt = self.prompt()
        result = self.run_bootkey(self.host, "--askpass-fifo", "--seckey=/nowhere", "--pubkey=/nowhere")
        self.assertEqual(result.status, 66, result)
        prompt.assert_unanswered(0.5)
        prompt.type(b"typed\n")
        self.assertEqual(prompt.answer(), b"typed")

    def test_output_may_be_closed(self):
        self.serve()
        run = self.start(self.host, *self.keys.options, "--askpass-fifo", prepare=lambda: os.close(1))
        self.assertEqual(self.prompt().answer(), PASSWORD)
        self.end(run)

    def test_hangup_keeps_what_it_has(self):
        server = self.serve()
        run = self.job(NEVER)
        self.served(run)
        run.signal(signal.SIGHUP)
        lab.wait_until(lambda: server.log().count("TCP connection") == 2, "the password again")
        self.assertEqual(self.prompt().answer(), PASSWORD)
        self.prompt(tried=1).assert_unanswered()
        self.end(run)

    def test_console_level_lowered_under_a_prompt_is_put_back(self):
        self.host.carrier(False)
        with lab.console_level(7, self.host) as level:
            run = self.job()
            lab.wait_until(lambda: level() < 7, "the console level lowered")
            prompt = self.prompt()
            lab.wait_until(lambda: level() == 1, "the console turned off by askpass")
            self.end(run)
            self.assertEqual(level(), 1)
            prompt.type(b"typed\n")
            prompt.answer()
            self.assertEqual(level(), 7)

    def test_killed_job_leaves_the_prompt(self):
        before = self.host.state()
        prompt = self.prompt()
        run = self.job()
        run.wait_for_error("waits for the password")
        lab.wait_until(self.host.link_local, "an address")
        run.kill()
        self.assertEqual(self.run_bootkey(self.host, "--restore").status, 0)
        prompt.type(b"typed\n")
        self.assertEqual(prompt.answer(), b"typed")
        self.host.check_unchanged(before)

    def test_processes_that_crash_and_fetch_it_again(self):
        self.serve()
        run = self.job(NEVER)
        self.served(run)
        for name in ("bootkey-worker", "bootkey-decrypt"):
            os.kill(next(pid for pid, found in netns_case.below(run.pid).items() if found == name), signal.SIGKILL)
        run.wait_for_error(r"(?s)is decrypted.*is decrypted")
        self.assertEqual(self.prompt().answer(), PASSWORD)
        self.assertEqual(self.prompt("swap").answer(), PASSWORD)
        self.prompt("swap", tried=1).assert_unanswered()
        self.end(run)

    # -- how it waits

    def test_nothing_is_done_while_nothing_happens(self):
        self.serve()
        run = self.job(NEVER)
        for situation in ("no prompt", "a prompt that is not answered any more"):
            with self.subTest(situation):
                self.served(run)
                self.wait(3)
                everyone = [run.pid, *netns_case.below(run.pid)]
                before = processor_seconds(everyone)
                self.wait(4)
                self.assertLessEqual(processor_seconds(everyone) - before, 0.03)
            if situation == "no prompt":
                self.assertEqual(self.prompt().answer(), PASSWORD)
                self.prompt(tried=1).assert_unanswered(0)
        self.end(run)


if __name__ == "__main__":
    netns_case.main()
