#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""bootkey --control: one command, a session and --follow, against a real OpenVPN and a server that says what it is told to."""

import os
import signal
import subprocess
import time

import lab
import netns_case
import secret_search
from management_peers import BANNER, Bootkey, OpenVpn, Person, Scripted

SECRET = b'a "quoted" \\ secret; #1'
EVIL = b"\x1b]0;evil\x07\x1b[2J\x9b\xe2\x80\xae"
REFUSED = 65


class ControlTest(netns_case.NetnsCase):
    def setUp(self):
        super().setUp()
        self.host = self.lab.host(nics=0)

    def control(self, peer, *words, given=None, **options):
        """Run it to its end; the Result. `given`: standard input, bytes."""
        if given is not None:
            reader, writer = os.pipe()
            os.write(writer, given)
            os.close(writer)
            options["stdin"] = reader
        try:
            return self.host.run([self.bootkey, f"--control={peer.address}", *words], **options)
        finally:
            if given is not None:
                os.close(reader)

    def person(self, peer, *words, **options):
        return Person(self, self.host, [self.bootkey, f"--control={peer.address}", *words], **options)

    def ends(self, person, status, screen_lacks=b""):
        """The program ends with this status, the terminal as it was, and the secret was never seen there."""
        result = person.leaves()
        self.assertEqual(result.status, status, result)
        self.assertTrue(person.echoes())
        if screen_lacks:
            self.assertNotIn(screen_lacks, person.seen)
        return result

    def key(self, passphrase):
        """Options of an OpenVPN whose private key has this passphrase."""
        key, certificate = self.lab.path("vpn.key"), self.lab.path("vpn.pem")
        words = self.lab.file("passphrase", passphrase, 0o600)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-keyout", key, "-out", certificate, "-subj", "/CN=vpn",
                        "-passout", f"file:{words}"], check=True, capture_output=True)
        return ["--client", "--remote", "127.0.0.1", "1", "--ca", certificate, "--cert", certificate, "--key", key,
                "--management-query-passwords", "--connect-retry", "60"]

    # -- one command

    def test_one_command(self):
        for tcp in (False, True):
            with self.subTest(tcp=tcp):
                host = self.lab.host(nics=0)
                self.host, peer = host, OpenVpn(host, "--management-hold", tcp=tcp)
                for words, status, output in (
                        (["hold"], 0, b"SUCCESS: hold=1\n"),
                        (["hold off"], 0, b"SUCCESS: hold flag set to OFF\n"),
                        (["hold", "on"], 0, b"SUCCESS: hold flag set to ON\n"),
                        (["kill", "no such client"], REFUSED, b"ERROR: "),
                        (["frobnicate"], REFUSED, b"ERROR: unknown command"),
                        (["needok", "x"], REFUSED, b"ERROR: the 'needok' command requires 2 parameters\n"),
                        (["exit"], 0, b""),
                        (["pid"], 0, b"SUCCESS: pid=")):
                    result = self.control(peer, *words)
                    self.assertEqual((result.status, result.output[:len(output)]), (status, output), (words, result))
                    self.assertEqual(result.errors, "")
                for words in (["version"], ["log", "all"], ["state", "on", "all"], ["log", "5", "on"], ["help"]):
                    result = self.control(peer, *words)
                    self.assertEqual(result.status, 0, (words, result))
                    self.assertIn(b"\nEND\n", result.output)
                    self.assertNotIn(b"\r", result.output)
                    self.assertNotIn(b"\n>", b"\n" + result.output, "a reply has no notifications in it")
                self.assertEqual(self.control(peer, "signal", "SIGTERM").output, b"SUCCESS: signal SIGTERM thrown\n")
                self.assertEqual(peer.process.wait(10), 0)

    def test_command_that_cannot_be_sent(self):
        peer = Scripted(self.host, [b""])
        for words in (["password", "Disk", "secret"], ["kill", "a\nhold release"], [""], ["x" * 1001]):
            result = self.control(peer, *words)
            self.assertEqual((result.status, result.output), (64, b""), result)
            self.assertNotIn("secret", result.errors)
        self.control(peer, "hold")
        self.assertEqual(peer.heard(), b"hold\n", "it was not even connected to before")

    def test_reply_that_breaks_off(self):
        result = self.control(Scripted(self.host, [b"1,I,one\r\n"]), "log", "all")
        self.assertEqual((result.status, result.output), (69, b"1,I,one\n"), result)
        self.assertIn("no whole reply", result.errors)

    def test_nobody_there(self):
        result = self.host.run([self.bootkey, "--control", "hold"])
        self.assertEqual((result.status, result.output), (69, b""), result)
        self.assertIn("unix:/run/bootkey/management: No such file", result.errors)
        self.assertEqual(self.host.run([self.bootkey, "--control=127.0.0.1:7", "hold"]).status, 69)

    def test_server_with_another_client(self):
        peer = OpenVpn(self.host, "--management-hold")
        other = self.person(peer)
        other.sees(rb">HOLD:")
        result = self.control(peer, "hold")
        self.assertEqual((result.status, result.output), (69, b""), result)
        self.assertIn("OpenVPN serves one at a time", result.errors)
        other.type(b"\x04")
        self.ends(other, 0)
        self.assertEqual(self.control(peer, "hold").status, 0)

    def test_server_with_enough_clients(self):
        result = self.control(Scripted(self.host, [], b"ERROR: too many management clients\x1b\r\n"), "hold")
        self.assertEqual((result.status, result.output), (69, b""), result)
        self.assertIn("not let in by the management interface at unix:", result.errors)
        self.assertIn("it says ERROR: too many management clients\\x1b;", result.errors)

    # -- passwords

    def test_password_typed(self):
        peer = OpenVpn(self.host, *self.key(SECRET))
        person = self.person(peer, "password")
        person.sees(rb"Password 'Private Key': ")
        person.type_unseen(SECRET + b"\n")
        person.sees(rb"SUCCESS: 'Private Key' password entered, but not yet verified")
        self.ends(person, 0, SECRET)
        states = self.control(peer, "state", "all")
        self.assertRegex(str(states), r"\d,(WAIT|RESOLVE|TCP_CONNECT|RECONNECTING),", "with the right passphrase it goes on")
        with open(peer.log, "rb") as log:
            self.assertNotIn(SECRET, log.read())

    def test_password_from_standard_input(self):
        peer = OpenVpn(self.host, *self.key(SECRET))
        refused = self.control(peer, "password", "Disk", given=b"x\n")
        self.assertEqual(refused.status, REFUSED, refused)
        self.assertIn(b"we need one of type 'Private Key'", refused.output)
        self.assertEqual(self.control(peer, "password", given=b"").status, 64, "an empty one is none")
        self.assertEqual(self.control(peer, "password 'Private Key'", given=SECRET).status, 0)

    def test_terminal_that_controls_nothing(self):
        peer = OpenVpn(self.host, *self.key(SECRET))
        person = self.person(peer, "password", "Private Key", controlling=False)
        person.sees(rb"Password 'Private Key': ")
        person.type_unseen(SECRET + b"\n")
        self.ends(person, 0, SECRET)

    def test_disk_password_comes_first(self):
        needs = b"".join(b">PASSWORD:Need '%s' password\r\n" % name for name in (b"Private Key", b"Disk"))
        result, heard = self.given(SECRET + b"\nmore", b">STATE:1,CONNECTED,SUCCESS,management,,,,\r\n", needs)
        self.assertEqual((result.status, result.output.splitlines()[-1]), (0, b"unlocked"), result)
        escaped = SECRET.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        self.assertEqual(heard, b'state on\npassword "Disk" "%s"\npid\n' % escaped)

    def given(self, password, outcome, needs=b">PASSWORD:Need 'Disk' password\r\n"):
        """The Result of one who gives a password, of which that comes, and what the server heard."""
        peer = Scripted(self.host, [b"SUCCESS: real-time state notification set to ON\r\n",
                                    b"SUCCESS: 'Disk' password entered, but not yet verified\r\n", b"SUCCESS: pid=1\r\n" + outcome],
                        BANNER + needs)
        return self.control(peer, "password", given=password), peer.heard()

    def test_what_becomes_of_a_password(self):
        connected, exiting = b">STATE:1,CONNECTED,SUCCESS,management,,,,\r\n", b">STATE:1,EXITING,%s,,,,,\r\n"
        wrong = b">PASSWORD:Verification Failed: 'Disk'\r\n>PASSWORD:Need 'Disk' password\r\n"
        for outcome, status, last in ((connected + exiting % b"exit", 0, "unlocked"), (connected, 0, "unlocked"),
                                      (connected + wrong, REFUSED, "it is wrong"), (wrong, REFUSED, "it is wrong"),
                                      (exiting % b"SIGTERM", 69, "has not unlocked: SIGTERM"), (b"", 69, "has not unlocked"),
                                      (b">FATAL:no keys\r\n" + exiting % b"error", 69, "has not unlocked: no keys")):
            self.host = self.lab.host(nics=0)
            result, _ = self.given(SECRET, outcome)
            self.assertEqual(result.status, status, (outcome, result))
            self.assertIn(last, result.output.decode() + result.errors)

    def test_password_that_nobody_wants(self):
        peer = Bootkey(self.host, self.bootkey, "--management-hold")
        result = self.control(peer, "password", given=b"x\n")
        self.assertEqual((result.status, result.output), (REFUSED, b""), result)
        self.assertIn("asks for none now", result.errors)
        person = self.person(peer, "password")
        self.assertIn("asks for none now", self.ends(person, REFUSED).errors)
        self.assertNotIn(b"Password", person.seen)

    def test_session_that_unlocks(self):
        peer = Bootkey(self.host, self.bootkey, "--management-hold", "--management-query-passwords")
        person = self.person(peer)
        person.sees(rb">HOLD:")
        person.type(b"password\n")
        person.sees(rb"Password 'Disk': ")
        person.type_unseen(SECRET + b"\n")
        person.sees(rb"^unlocked")
        self.ends(person, 0, SECRET)
        self.assertNotIn(b">STATE", person.seen)

    def test_password_that_is_typed_slowly(self):
        """The other bootkey does not wait so long for it, and is connected to again."""
        peer = Bootkey(self.host, self.bootkey, "--management-hold", password="let me in")
        person = self.person(peer, "hold")
        person.sees(rb"Password of the management interface: ")
        peer.process.wait_for_error("did not log in in time", timeout=20)
        person.type_unseen(b"let me in\n")
        person.sees(rb"SUCCESS: hold=1")
        self.ends(person, 0, b"let me in")

    def test_password_of_the_interface(self):
        peer = OpenVpn(self.host, "--management-hold", password="let me in")
        right, wrong = (self.lab.file(f"{name}-password", text) for name, text in (("right", "let me in\nx"), ("wrong", "let me out")))
        self.assertEqual(self.control(peer, f"--management-password-file={right}", "hold").output, b"SUCCESS: hold=1\n")
        refused = self.control(peer, f"--management-password-file={wrong}", "hold")
        self.assertEqual((refused.status, refused.output), (69, b""), refused)
        self.assertIn("is wrong", refused.errors)
        self.assertEqual(self.control(peer, "--management-password-file=/nonexistent", "hold").status, 66)
        self.assertEqual(self.control(peer, "hold").status, 69, "there is no terminal to ask on")
        person = self.person(peer, "hold")
        for password in (b"wrong", b"let me in"):
            person.sees(rb"Password of the management interface: ")
            person.type_unseen(password + b"\n")
        person.sees(rb"SUCCESS: hold=1")
        self.ends(person, 0, b"let me in")

    # -- a session

    def test_session(self):
        peer = OpenVpn(self.host, *self.key(SECRET), "--verb", "3")
        person = self.person(peer)
        person.sees(rb">PASSWORD:Need 'Private Key' password\r\n")
        person.type(b"holdx\x7f\n")  # Backspace
        person.sees(rb"SUCCESS: hold=0\r\n")
        person.type(b"log on\nnonsense\n")
        person.sees(rb"bootkey> log on\r\n(.*\r\n)*bootkey> nonsense\r\n")  # both, although typed at once
        person.sees(rb"ERROR: unknown command")
        person.type(b"password\n")
        person.sees(rb"Password 'Private Key': ")
        person.type_unseen(b"\n")
        person.sees(rb"\(command not sent: the password is empty")
        person.type(b"password 'Private Key'\n")
        person.sees(rb"Password 'Private Key': ")
        person.type_unseen(SECRET + b"\n")
        person.sees(rb"SUCCESS: 'Private Key' password entered")
        person.sees(rb"^>LOG:\d+,")
        person.type(b"quit\n")
        self.ends(person, 0, SECRET)

    def test_session_keeps_no_password(self):
        with open(self.bootkey, "rb") as program:
            if b"__asan_" in program.read():
                self.skipTest("the address sanitizer keeps freed memory as it was")
        secret = secret_search.Secret("password", b"correct horse battery staple")
        reply = b"SUCCESS: 'Disk' password entered, but not yet verified\r\n"
        person = self.person(Scripted(self.host, [reply] * 5))
        for command in (b'password Disk "%s"\n' % secret.value, b"password Disk '%s\n" % secret.value, b"password\n"):
            with self.subTest(command):
                person.type(command)
                if command == b"password\n":
                    person.sees(rb"Password 'Disk': ")
                    person.type_unseen(secret.value + b"\n")
                person.sees(rb"SUCCESS: 'Disk'")
                self.assertEqual(secret_search.in_memory(person.process.pid, [secret]), {})
        person.type(b"password Disk " + secret.value)
        person.type(b"\x04")  # gives the program what is typed of the line
        kept = lab.wait_until(lambda: secret_search.in_memory(person.process.pid, [secret]), "the password where it is kept")
        for place in kept["password"]:  # locked, not dumped, wiped in children (madvise(2))
            self.assertLessEqual({"lo", "dd", "wf"}, place.flags, place)
        person.type(b"\n\x04")
        self.ends(person, 0)

    def test_session_that_the_server_ends(self):
        peer = OpenVpn(self.host, "--management-hold")
        person = self.person(peer)
        person.sees(rb">HOLD:")
        peer.process.signal(signal.SIGTERM)
        self.assertIn("closed the connection", self.ends(person, 69).errors)

    def test_commands_from_a_pipe(self):
        peer = OpenVpn(self.host, "--management-hold")
        result = self.control(peer, given=b"# a comment\nhold\n\nverb 3\nstate")
        self.assertEqual(result.status, 0, result)
        self.assertRegex(result.output, rb"^>INFO:.*\n>HOLD:.*\nSUCCESS: hold=1\nSUCCESS: verb level changed\n\d+,CONNECTING,+\nEND\n$")
        self.assertEqual(self.control(peer, given=b"hold\nbogus\nhold\n").status, REFUSED)
        many = self.control(peer, given=b"hold\n" * 5000)
        self.assertEqual((many.status, many.output.count(b"SUCCESS: hold=1\n")), (0, 5000))
        self.assertEqual(self.control(peer, given=b"pid\nhold\n pid").output.count(b"SUCCESS: "), 3)
        too_long = self.control(peer, given=b"x" * 5000 + b"\nhold\n")
        self.assertEqual(too_long.status, REFUSED)
        self.assertIn(b"(not sent: a command has at most 1000 bytes)\n", too_long.output)
        self.assertIn(b"SUCCESS: hold=1\n", too_long.output)

    # -- following

    def test_follow_on_a_terminal(self):
        peer = OpenVpn(self.host, "--management-hold", "--verb", "3")
        person = self.person(peer, "--follow")
        person.sees(rb"State   CONNECTING, for \d+ s")
        person.sees(rb"Wanted  held")
        person.sees(rb"bootkey --control=unix:\S+ hold release")
        person.sees(rb"\r\x1b\[\d+A\x1b\[Kbootkey at unix:")  # drawn once more, in its place
        person.type(b"\x03")
        self.ends(person, -signal.SIGINT)
        for end, status in ((signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP)):
            person = self.person(peer, "--follow")
            person.sees(rb"State   CONNECTING")
            lab.wait_until(lambda: not person.echoes(), "a terminal without echo")
            person.process.signal(end)
            self.ends(person, status)
        self.control(peer, "hold release")
        person = self.person(peer, "--follow")
        person.sees(rb"State   ASSIGN_IP, for \d+ s")
        peer.process.signal(signal.SIGTERM)
        person.sees(rb"State   EXITING \(SIGTERM\)")
        self.ends(person, 0)
        self.assertEqual(person.seen.count(b"\x1b[?7l"), person.seen.count(b"\x1b[?7h"), "lines are wrapped again")

    def test_follow_and_press_keys(self):
        """Each is a command of the protocol, and nothing that is typed is seen."""
        peer = OpenVpn(self.host, *self.key("x y z"), "--management-hold", "--verb", "3")
        person = self.person(peer, "--follow")
        person.sees(rb"Wanted  held")
        person.type(b"\r\nx\x1b[C")
        for key, seen in ((b"v", rb"verb level changed"), (b"V", rb"verb level changed"), (b"?", rb"Keys\r"), (b"?", rb"Log\r"),
                          (b"k", rb"there is no server to drop"), (b"p", rb"no password is asked for now"), (b"h", rb"hold release succeeded")):
            person.type(key)
            person.sees(seen)
        person.sees(rb"Wanted  password 'Private Key'")
        person.type(b"p")
        person.sees(rb"Password 'Private Key': ")
        person.type(SECRET + b"\x7f1")
        person.type(b"\x03")
        person.sees(rb"no password was sent")
        person.type(b"px y\x15x y zz\x7f\r")
        person.sees(rb"'Private Key' password entered, but not yet verified")
        person.sees(rb"State   (RESOLVE|TCP_CONNECT|WAIT|RECONNECTING)")
        person.type(b"q")
        self.ends(person, 0, SECRET[:9])
        self.assertNotIn(b"^[", person.seen)
        self.assertNotIn(b"x y z", person.seen)

    def test_follow_a_bootkey_by_keys(self):
        peer = Bootkey(self.host, self.bootkey, "--management-hold", "--verb=1", *self.lab.keys().options)
        person = self.person(peer, "--follow")
        person.sees(rb"Wanted  held")
        person.type(b"v")
        lab.wait_until(lambda: self.control(peer, "verb").output == b"SUCCESS: verb=2\n", "more log")
        person.type(b"h")
        person.sees(rb"hold release succeeded")
        person.type(b"h")
        person.sees(rb"hold flag set to OFF")
        self.assertEqual(self.control(peer, "hold").output, b"SUCCESS: hold=0\n")
        person.type(b"q")
        self.ends(person, 0)

    def test_follow_where_nothing_can_be_drawn_anew(self):
        peer = OpenVpn(self.host, "--management-hold")
        for kind in ("dumb", "", None):
            with self.subTest(kind):
                person = self.person(peer, "--follow", kind=kind)
                person.sees(rb"state: CONNECTING")
                person.sees(rb"log: ")
                self.assertTrue(person.echoes())
                person.type(b"\x03")
                self.ends(person, -signal.SIGINT)
                self.assertNotIn(b"\x1b", person.seen)

    def test_follow_into_a_file(self):
        peer = OpenVpn(self.host, "--verb", "3")
        follower = self.host.start([self.bootkey, f"--control={peer.address}", "--follow"])
        self.addCleanup(follower.kill)
        begin = b""
        while b"log on" not in begin:
            begin += follower.read_line()
        time.sleep(0.2)
        peer.process.signal(signal.SIGTERM)
        result = follower.finish()
        self.assertEqual(result.status, 0, result)
        text = begin + result.output
        self.assertRegex(text, rb"(?m)^\d\d:\d\d:\d\d state: ASSIGN_IP$")
        self.assertRegex(text, rb"(?m)^\d\d:\d\d:\d\d state: EXITING \(")
        self.assertNotIn(b"\x1b", text)

    def test_follow_until_the_server_is_killed(self):
        peer = OpenVpn(self.host, "--management-hold")
        person = self.person(peer, "--follow")
        person.sees(rb"State   CONNECTING")
        peer.process.signal(signal.SIGKILL)
        self.assertIn("in state CONNECTING", self.ends(person, 69).errors)

    def test_follow_servers(self):
        header = b"HEADER\tSERVER_LIST\tName\tAddress\tPort\tInterface\tPhase\tTries\tLast Error\tBytes Received\tSince (time_t)\r\n"
        rows = [b"SERVER_LIST\tMandos, on x\tfe80::1\t4711\teth0\t%s\t1\t%s\t0\t0\r\nEND\r\n" % row
                for row in ((b"connecting", b""), (b"waiting", EVIL))]
        start = [b"SUCCESS: x\r\n1,CONNECTING,,,,,,\r\nEND\r\n", b"SUCCESS: x\r\nEND\r\n", header + rows[0], header + rows[1],
                 b">STATE:2,EXITING,%s,,,,,\r\n" % EVIL]
        person = self.person(Scripted(self.host, start), "--follow")
        person.sees(rb"Mandos, on x  connecting .*\[fe80::1\]:4711 eth0")
        person.sees(rb"Mandos, on x  no answer yet; before: \\x1b\]0;evil|Mandos, on x  waits for approval; before: \\x1b\]0;evil")
        person.sees(rb"State   EXITING \(\\x1b\]0;evil")
        self.ends(person, 0, EVIL[:9])

    # -- what the screen shows

    def test_prompt_stands_below_what_comes(self):
        for kind in ("linux", "dumb"):
            with self.subTest(kind):
                host = self.lab.host(nics=0)
                self.host = host
                peer = Scripted(host, [b"SUCCESS: x\r\n>LOG:1,I,first\r\n", b"SUCCESS: hold=0\r\n>LOG:2,I,second\r\n", b""])
                person = self.person(peer, kind=kind)
                person.watches(lambda text: text.endswith("bootkey>"), "the prompt")
                person.type(b"hold x\x7f\x7f\x7f")
                person.watches(lambda text: text.endswith("bootkey> hol"), "what is typed")
                person.type(b"\x1b[A\x1b[Dd\n")
                screen = person.watches(lambda text: text.endswith(">LOG:2,I,second\nbootkey>"), "the prompt again")
                self.assertIn("SUCCESS: hold=0\n>LOG:2", screen.text())
                if kind == "linux":  # elsewhere nothing can be taken away
                    self.assertEqual(screen.lines().count("bootkey>"), 1)
                person.type(b"x\x03")
                person.watches(lambda text: text.endswith("bootkey> x^C\nbootkey>"), "what was dropped")
                person.type(b"\x03")
                self.ends(person, -signal.SIGINT)
                self.assertEqual(peer.heard(), b"state on\nhold\n")  # and nothing of what was dropped
                if kind == "dumb":
                    self.assertNotIn(b"\x1b", person.seen)

    def test_line_half_typed_when_something_comes(self):
        """Also where it takes several rows."""
        peer = Bootkey(self.host, self.bootkey, "--management-hold", "--verb=3")
        person = self.person(peer, size=(24, 40))
        person.sees(rb"bootkey> ")
        person.type(b"log on\n")
        person.watches(lambda text: "log notification" in text and text.endswith("\nbootkey>"), "the reply")
        line = "nonsense 日本語 " + "x" * 100
        person.type(line.encode())
        before = person.watches(lambda text: text.count("x") >= 100, "the line").lines()
        self.control(peer, "verb", "4")  # which the log tells
        screen = person.watches(lambda text: "erb 4" in text and "left" in text.replace("\n", "") and text.endswith("xxx"), "the line below the log")
        self.assertEqual(screen.lines()[-4:], before[-4:])
        self.assertEqual(screen.text().count("nonsense"), 1)
        person.type(b"\x15hold\n")
        person.watches(lambda text: "bootkey> hold\nSUCCESS: hold=1\n" in text and text.endswith("bootkey>"), "the reply")
        person.type(b"\x04")
        self.ends(person, 0)

    def test_question_can_be_left(self):
        peer = OpenVpn(self.host, *self.key(SECRET))
        person = self.person(peer)
        for key in (b"\x03", b"\x04"):
            person.sees(rb"bootkey> ")
            person.type(b"password\n")
            person.sees(rb"Password 'Private Key': ")
            person.type((SECRET if key == b"\x03" else b"") + key)
            person.sees(rb"\(no password was sent\)")
        person.type(b"pid\n")
        person.sees(rb"SUCCESS: pid=")
        person.type(b"\x04")
        self.ends(person, 0, SECRET)

    def test_help_comes_in_pages(self):
        peer = Bootkey(self.host, self.bootkey, "--management-hold")
        whole = self.control(peer, "help").output.decode().splitlines()
        self.assertLessEqual(max(map(len, whole)), 80)
        person = self.person(peer, size=(12, 80))
        person.watches(lambda text: text.endswith("bootkey>"), "the prompt")
        person.type(b"?\n")
        screen = person.watches(lambda text: "-- Enter or Space" in text, "the end of a page")
        self.assertEqual(screen.lines()[:11], whole[:11])
        person.type(b" ")
        screen = person.watches(lambda text: whole[21] in text and "-- Enter" in text, "the second page")
        self.assertEqual(screen.lines()[:11], whole[11:22])
        person.type(b"q")
        screen = person.watches(lambda text: text.endswith("bootkey>"), "the prompt after what was left out")
        self.assertNotIn("END", screen.text())
        person.type(b"help\n")
        person.watches(lambda text: "-- Enter" in text, "the end of a page")
        person.type(b"\n\r")
        person.watches(lambda text: text.endswith("END\nbootkey>"), "the prompt after the last page")
        person.type(b"quit\n")
        self.ends(person, 0)
        person = self.person(peer, size=(0, 0))  # as on a serial line
        person.sees(rb"bootkey> ")
        person.type(b"x\x7f")
        person.sees(rb"x\r\x1b\[Jbootkey> ")  # and no row above it is erased
        person.type(b"help\n")
        person.sees(rb"^END\r\n")
        person.type(b"\x04")
        self.ends(person, 0)
        self.assertNotIn(b"-- Enter", person.seen)

    def test_what_is_left_out_of_a_reply_is_no_more_than_that(self):
        first, rest = (b"".join(b"%d,I,line %d\r\n" % (i, i) for i in range(*each)) for each in ((0, 30), (30, 40)))
        peer = Scripted(self.host, [b"SUCCESS: x\r\n", first, rest + b"END\r\n>LOG:1,I,real-time\r\n", b"SUCCESS: pid=1\r\n", b""])
        person = self.person(peer)
        person.sees(rb"bootkey> ")
        person.type(b"log all\n")
        person.sees(rb"-- Enter or Space")
        person.type(b"q")
        person.sees(rb"bootkey> ")
        person.type(b"x\n")
        person.sees(rb">LOG:1,I,real-time")
        person.type(b"pid\n")
        person.sees(rb"SUCCESS: pid=1\r\n")
        person.type(b"\x04")
        self.ends(person, 0)
        self.assertNotIn(b"line 35", person.seen)

    def test_status_on_a_terminal_is_a_table(self):
        peer = Bootkey(self.host, self.bootkey, "--management-hold", *self.lab.keys().options)
        for kind in ("linux", "dumb"):
            person = self.person(peer, "status", kind=kind)
            self.ends(person, 0)
            text = person.screen().text()
            self.assertRegex(text, r"(?m)^State   CONNECTING, for \d+ s\nWanted  held\n        bootkey --control=\S+ hold release$")
            self.assertIn("Server  none has been found", text)
            if kind == "dumb":
                self.assertNotIn(b"\x1b", person.seen)
        self.assertTrue(self.control(peer, "status").output.startswith(b"OpenVPN STATISTICS\n"), "others get the protocol's lines")
        person = self.person(peer, "status 3")
        self.ends(person, 0)
        self.assertIn(b"HEADER\tSERVER_LIST\t", person.seen)
        self.host = self.lab.host(nics=0)
        person = self.person(OpenVpn(self.host), "status")
        self.ends(person, 0)
        self.assertIn(b"OpenVPN STATISTICS\r\n", person.seen)

    def test_follow_on_screens_of_all_sizes(self):
        """Thirty servers, wide names, two things wanted and a long log; and nothing that is typed disturbs it."""
        names = ["Mandos 日本語 on far", "Mandos e\u0301te\u0301 on x"] + [f"Mandos on host{i}" for i in range(28)]
        table = "HEADER\tSERVER_LIST\tName\tAddress\tPort\tInterface\tPhase\tTries\tLast Error\tBytes Received\tSince (time_t)\r\n"
        for i, name in enumerate(names):
            phase, error = (("waiting", ""), ("waiting", ""), ("rejected", "the answer is to another key"), ("failed", "timed out"))[i % 4]
            table += f"SERVER_LIST\t{name}\tfe80::{i + 1:x}\t4711\teth0\t{phase}\t{i}\t{error}\t0\t{int(time.time()) - 12}\r\n"
        states = "".join(f"{int(time.time()) - 60 + i},CONNECTING,,,,,,\r\n" for i in range(30))
        log = "".join(f"{int(time.time()) - 60 + i},I,line {i} 日本 {'x' * 150}\r\n" for i in range(60))
        replies = [f"SUCCESS: x\r\n{states}END\r\n", f"SUCCESS: x\r\n{log}END\r\n"] + [table + "END\r\n"] * 100
        wanted = (b">PASSWORD:Need 'Disk' password\r\n>NEED-OK:Need 'release-password' confirmation "
                  b"MSG:Mandos on server0 has sent a password; unlock with it?\r\n")
        for rows, columns in ((25, 80), (43, 132), (12, 40), (24, 80)):
            with self.subTest(rows=rows, columns=columns):
                self.host = self.lab.host(nics=0)
                person = self.person(Scripted(self.host, [reply.encode() for reply in replies], BANNER + wanted), "--follow",
                                     size=(rows, columns))
                person.watches(lambda text: "line 59" in text and "Wanted" in text, "log and wants")
                person.type(b"\n\n\r some words\x1b[C\x1b[D")
                person.sees(rb"\x1b\[\d+A\x1b\[K")  # drawn whole once more
                screen = person.watches(lambda text: "q quit" in text, "the keys")
                lines = screen.lines()
                joined = "".join(line.strip() if "control" in line else line for line in lines)
                self.assertEqual(screen.text().count("bootkey at"), 1, lines)
                self.assertTrue(lines[0].startswith("bootkey at"), lines)
                self.assertTrue(lines[-1].startswith("q quit"), lines)
                self.assertLess(len(lines), rows)
                self.assertIn("bootkey --control=unix:/run/management-test", joined)
                self.assertIn("password 'Disk'", screen.text())
                self.assertRegex(screen.text(), r"\d\d:\d\d:\d\d  line 59")
                if rows >= 24:
                    self.assertIn("\nServer ", screen.text())
                    begin = {line.find("waits for approval") + line.count("日本語") * 3 - line.count("\u0301")
                             for line in lines if "waits for approval" in line}
                    self.assertEqual(len(begin), 1, "wide and combining characters keep the columns")
                    self.assertLessEqual(sum("CONNECTING" in line for line in lines) - 1, rows / 3)
                person.type(b"q")
                self.ends(person, 0)

    # -- hostile text

    def test_hostile_text(self):
        replies = [b"%s\r\nERROR: %s\r\n" % (EVIL, EVIL), b""]
        greeting = BANNER + b">INFO:%s\r\n" % EVIL
        person = self.person(Scripted(self.host, [b"SUCCESS: x\r\n", *replies], greeting))
        person.type(b"x\n")
        person.sees(rb"ERROR: \\x1b\]0;evil\\x07\\x1b\[2J\\x9b")
        person.type(b"\x04")
        self.ends(person, 0)
        person.screen()  # which takes none of these
        self.assertNotIn(b"\x1b]", person.seen)
        self.assertNotIn(b"\x1b[2J", person.seen)

        self.host = self.lab.host(nics=0)
        result = self.control(Scripted(self.host, [replies[0], b"SUCCESS: pid=1\r\n"], greeting), "x")
        self.assertEqual(result.output, EVIL + b"\nERROR: " + EVIL + b"\n", "a file gets what came")


if __name__ == "__main__":
    netns_case.main()
