#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is at the management interface, and how they come and go: several clients, some that do not read, over TCP, connected to;
and what each of them is told of the log and of texts.
"""

import contextlib
import os
import re
import signal
import socket
import stat

import lab
import netns_case
from management_case import BANNER, ManagementCase
from management_client import ManagementClient
from netns_case import PASSWORD

PORT = 7505
MOST_CLIENTS = 16
TOO_MANY = "ERROR: too many management clients"
STRANGER = "ERROR: without a password only root and the user who runs bootkey may connect, who wait for the replies"

# A host that holds more connections than there is room for, until all are closed.
IDLE = """
import socket, sys
held = [socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) for _ in range(200)]
print("connected", flush=True)
for connection in held:
    connection.settimeout(20)
    while connection.recv(100): pass
print("all closed")
"""
# A host that guesses on many connections at once, with no regard to what is answered, for four seconds; how many were.
GUESS = """
import socket, sys, threading, time
answered, end = [0] * 24, time.monotonic() + 4
def guess(number):
    while time.monotonic() < end:
        try:
            with socket.create_connection((sys.argv[1], int(sys.argv[2])), 1) as connection:
                connection.recv(100)
                connection.sendall(b"guess %d\\n" % number)
                answered[number] += connection.recv(100).startswith(b"ERROR")
        except OSError:
            pass
threads = [threading.Thread(target=guess, args=(number,), daemon=True) for number in range(len(answered))]
for thread in threads: thread.start()
time.sleep(1)
print("at it", flush=True)
time.sleep(3.5)
print(sum(answered))
"""


def say_and_go():
    """As somebody else, give the consent and close at once."""
    os.seteuid(65520)  # of this process alone, which ends here
    with socket.socket() as connection:
        connection.connect(("127.0.0.1", PORT))
        connection.sendall(b"needok release-password ok\n")


class ManagementClientsTest(ManagementCase):
    def end(self, run, number=signal.SIGTERM):
        run.signal(number)
        result = run.finish()
        self.assertEqual((result.status, result.output), (-number, b""), result)
        return result

    # -- several of them

    def test_each_has_switches_of_its_own_and_all_else_is_shared(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        run, first = self.manage(self.lab.client(), keys, "--management-hold")
        second, third = self.join(), self.join()
        for client in (first, second, third):
            client.until("^>HOLD:Waiting for hold release:0")
        self.assertEqual(first.ask("state on"), ["SUCCESS: real-time state notification set to ON"])
        self.assertEqual(second.ask("hold off"), ["SUCCESS: hold flag set to OFF"])
        self.assertEqual(first.ask("hold"), ["SUCCESS: hold=0"])
        third.send("exit")
        third.rest()
        second.send("hold release")
        self.assert_password(run.finish())
        self.assertEqual(self.states(first.rest())[-2:], [("CONNECTED", "SUCCESS"), ("EXITING", "exit")])
        self.assertNotIn(">STATE:", "\n".join(second.rest()))

    def test_so_many_and_no_more(self):
        keys = self.lab.keys()
        run, first = self.manage(self.lab.client(), keys, "--management-hold")
        others = [self.join() for _ in range(MOST_CLIENTS - 1)]
        turned_away = ManagementClient(self.socket)
        self.addCleanup(turned_away.close)
        self.assertEqual(turned_away.rest(), [TOO_MANY])
        others[0].send("quit")
        others[0].rest()
        others[0].close()
        run.wait_for_error("management client [0-9]+ left")
        self.assertEqual(self.join().ask("hold"), first.ask("hold"))
        self.end(run)

    def test_clients_that_do_not_read(self):
        """Their connections end when too much waits for them; the unlock, and those who read, go on as if they were not there."""
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        run, busy = self.manage(self.lab.client(), keys, "--management-hold", "--verb=3")
        idle = [self.join() for _ in range(8)]
        for client in idle:
            client.send("log on", *["log all"] * 1000)
        for _ in range(1000):
            if "does not read" in run.errors():
                break
            busy.send(*["hold"] * 100)
            for _ in range(100):
                busy.until("^SUCCESS: hold=1")
        busy.send("hold release")
        result = run.finish()
        self.assert_password(result)
        self.assertRegex(result.errors, "management client [0-9]+ does not read what it is sent: it is disconnected")
        busy.rest()
        # What had been sent before is there, in whole lines but for the last one.
        self.assertEqual([line for client in idle for line in client.rest() if not re.match(">|[0-9]+,|SUCCESS:|END$", line)], [])

    # -- over TCP

    def test_over_tcp_with_a_password(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        file = self.lab.file("password", "tell nobody\n")
        run = self.start(client, *keys.options, f"--management=127.0.0.1:{PORT}", f"--management-password-file={file}",
                         "--management-hold")
        guessing = ManagementClient.over_tcp(client, PORT)
        self.addCleanup(guessing.close)
        guessing.send("hold release", "tell nobody ", "", "tell nobody")
        self.assertEqual([line.removeprefix("ENTER PASSWORD:") for line in guessing.rest()], ["ERROR: bad password"] * 3)
        knowing = ManagementClient.over_tcp(client, PORT)
        self.addCleanup(knowing.close)
        knowing.send("tell nobody")
        self.assertEqual(knowing.until("password"), "ENTER PASSWORD:SUCCESS: password is correct")
        self.assertEqual(knowing.until(""), BANNER)
        self.assertEqual(knowing.ask("hold"), ["SUCCESS: hold=1"])
        knowing.send("hold release")
        self.assert_password(run.finish())

    def test_address_that_others_reach(self):
        keys = self.lab.keys()
        client = self.lab.client()
        result = self.run_bootkey(client, *keys.options, f"--management=0.0.0.0:{PORT}")
        self.assertEqual((result.status, result.output), (64, b""), result)
        self.assertIn("--management-password-file", result.errors)
        file = self.lab.file("password", "tell nobody\n")
        run = self.start(client, *keys.options, f"--management=0.0.0.0:{PORT}", f"--management-password-file={file}")
        run.wait_for_error("warning: the management interface at .* can be reached from other machines")
        self.end(run)

    def test_who_did_not_release_the_hold_is_told(self):
        """Also where nothing else happens, for there is no interface that can be used."""
        run, releases = self.manage(self.lab.host(nics=0), self.lab.keys(), "--management-hold", "--management-query-passwords")
        watches = self.join()
        watches.until("^>HOLD:")
        watches.until("^>PASSWORD:Need 'Disk'")
        self.assertEqual(watches.ask("state on"), ["SUCCESS: real-time state notification set to ON"])
        self.assertEqual(releases.ask("hold release"), ["SUCCESS: hold release succeeded"])
        watches.until("^>INFO:The hold is over$")
        watches.until("^>STATE:[0-9]+,CONNECTING,")
        late = self.join()
        self.assertEqual([line.split(",")[1] for line in late.ask("state all")], ["CONNECTING", "CONNECTING"])
        self.assertNotIn(">HOLD", "".join(late.everything))
        self.assertRegex(releases.ask("password Disk typed")[0], "^SUCCESS")
        watches.until("^>INFO:'Disk' password is no longer needed$")
        self.assert_password(run.finish(), b"typed")

    def test_programs_of_others_at_loopback(self):
        """Without a password bootkey is steered by root and its own user alone: not by its worker, nor by anybody else here."""
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        run = self.start(client, *keys.options, f"--management=127.0.0.1:{PORT}", "--management-confirm")
        run.wait_for_error(f"warning: the management interface at 127.0.0.1:{PORT} asks for no password: .* give the consent")
        run.wait_for_error("a person's consent is waited for")
        for user in (65520, 65521, 1000) * 4:  # the worker's, the decryptor's, somebody's
            stranger = ManagementClient.over_tcp(client, PORT, user)
            self.addCleanup(stranger.close)
            with contextlib.suppress(OSError):  # it is closed already
                stranger.send("needok release-password ok")
            self.assertEqual(stranger.rest(), [STRANGER])
        for _ in range(5):  # who is gone before it can be seen who it was
            client.space.call(say_and_go)
        self.alive(run, 0.5)
        self.assertLess(len(re.findall("was refused", run.errors())), 4)
        person = ManagementClient.over_tcp(client, PORT)
        self.addCleanup(person.close)
        person.until("^>NEED-OK:Need 'release-password' confirmation")
        person.send("needok release-password ok")
        self.assert_password(run.finish())

    def test_what_a_web_page_can_send(self):
        """A browser on the machine, or whatever else sends a request for somebody else, is not taken for a client."""
        keys = self.lab.keys()
        client = self.lab.client()
        run = self.start(client, *keys.options, f"--management=127.0.0.1:{PORT}", "--management-hold")
        for first in (b"POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n", b"GET /?x HTTP/1.1\r\n", b"\x16\x03\x01\x02\n",
                      b"SSH-2.0-x\r\n"):
            for piece in (len(first), 1):
                browser = ManagementClient.over_tcp(client, PORT)
                self.addCleanup(browser.close)
                with contextlib.suppress(OSError):  # it is closed before all is said
                    for begin in range(0, len(first), piece):
                        browser.send_bytes(first[begin:begin + piece])
                    browser.send("hold release", "signal SIGTERM")
                self.assertEqual(browser.rest(), [BANNER, ">HOLD:Waiting for hold release:0"])
        self.alive(run, 0.5)
        self.assertEqual(len(re.findall("spoke (HTTP|TLS|SSH), not commands", run.errors())), 3)
        person = ManagementClient.over_tcp(client, PORT)
        self.addCleanup(person.close)
        self.assertEqual(person.ask("hold"), ["SUCCESS: hold=1"])
        self.end(run)

    def test_who_does_not_know_the_password_keeps_nobody_out(self):
        """Connections that never log in, and guesses by the thousand, from another host."""
        keys = self.lab.keys()
        client, attacker, operator = (self.lab.host(addresses=[f"192.0.2.{number}/24"]) for number in (9, 10, 11))
        file = self.lab.file("password", "tell nobody\n")
        run = self.start(client, *keys.options, f"--management=192.0.2.9:{PORT}", f"--management-password-file={file}",
                         "--management-hold")
        run.wait_for_error("on hold")
        idle = attacker.start(["/usr/bin/python3", "-c", IDLE, "192.0.2.9", str(PORT)])
        idle.read_line()
        enter = [self.bootkey, f"--control=192.0.2.9:{PORT}", f"--management-password-file={file}", "hold"]
        self.assertEqual(operator.check(enter), "SUCCESS: hold=1\n")
        self.assertEqual(idle.finish(30).output, b"all closed\n")
        guess = attacker.start(["/usr/bin/python3", "-c", GUESS, "192.0.2.9", str(PORT)])
        guess.read_line()
        self.assertEqual(operator.check(enter), "SUCCESS: hold=1\n")
        guesses = int(guess.finish(30).output)
        self.assertLess(guesses, 4 * 20)  # in four seconds
        self.assertLess(len(run.errors().splitlines()), 20)
        self.end(run)

    # -- connected to

    def test_connects_to_a_client_that_comes_later(self):
        keys = self.lab.keys()
        self.slow_server(keys)
        run = self.start(self.lab.client(), *keys.options, f"--management=unix:{self.socket}", "--management-client",
                         "--management-query-passwords")
        run.wait_for_error("cannot connect to the management client")
        run.wait_for_error(": waiting")  # the unlock did not wait for a client
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.socket)
            listener.listen()
            listener.settimeout(15)
            first = self.join(listener.accept()[0])
            first.close()
            second = self.join(listener.accept()[0])  # it comes again
        second.until("^>PASSWORD:Need 'Disk' password")
        second.send("password Disk typed")
        self.assert_password(run.finish(), b"typed")
        self.assertTrue(self.lab.exists("management"))  # which is not ours

    def test_last_one_leaves_and_all_servers_are_tried(self):
        keys, others = self.lab.keys(), self.lab.keys(number=2)
        server = self.lab.mandos([others.section(PASSWORD)])
        run, first = self.manage(self.lab.client(), keys, "--management-signal", "--retry=3600")
        second = self.join()

        def tries():
            return server.log().count("TCP connection from")

        first.send("state on all")
        first.until(",WAIT,|,RECONNECTING,")
        first.send("exit")
        first.rest()
        self.alive(run, 1)
        self.assertEqual(tries(), 1)
        second.close()
        lab.wait_until(lambda: tries() == 2, "another try")
        self.end(run)

    # -- the socket

    def test_socket_is_ours_and_goes_with_us(self):
        keys = self.lab.keys()
        client = self.lab.client()
        for number in (signal.SIGTERM, signal.SIGINT):
            run, management = self.manage(client, keys)
            self.assertEqual(stat.S_IMODE(os.stat(self.socket).st_mode), 0o600)
            management.ask("state on")
            self.end(run, number)
            self.assertEqual(self.states(management.rest())[-1], ("EXITING", number.name))
            self.no_socket_is_left()

    def test_socket_of_one_that_was_killed(self):
        keys = self.lab.keys()
        self.slow_server(keys)
        client = self.lab.client()
        before = client.state()
        run, management = self.manage(client, keys)
        run.wait_for_error(": waiting")
        run.kill()
        management.rest()
        self.assertTrue(self.lab.exists("management"))
        run, management = self.manage(client, keys)
        self.assertRegex(management.ask("pid")[0], "SUCCESS: pid=[0-9]+")
        self.end(run)
        self.no_socket_is_left()
        client.check_unchanged(before)

    def test_socket_that_another_one_has(self):
        keys = self.lab.keys()
        client = self.lab.client()
        run, management = self.manage(client, keys, "--management-hold")
        self.lab.mandos([keys.section(PASSWORD)])
        result = self.run_bootkey(client, *keys.options, f"--management=unix:{self.socket}")
        self.assert_password(result)
        self.assertIn("another program listens there", result.errors)
        self.assertEqual(management.ask("hold"), ["SUCCESS: hold=1"])
        self.end(run)
        self.no_socket_is_left()

    # -- what they are told

    def test_echo(self):
        keys = self.lab.keys()
        run, management = self.manage(self.lab.client(), keys, "--management-hold", "--echo=first", "--echo", "setenv a \"b\", c")
        self.assertEqual([line.split(",", 1)[1] for line in management.ask("echo all")], ["first", "setenv a \"b\", c"])
        self.end(run)

    def test_echo_from_servers(self):
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(PASSWORD, approval_delay="1h", approved_by_default="False")], port=4711, start=False)
        texts = [f"text {number:02}" for number in range(20)]
        records = "".join(f"<txt-record>{record}</txt-record>"
                          for record in ["other=unseen", "echo", "echo=a\x7fb, c", *(f"echo={text}" for text in texts)])
        server.host.private_etc()
        file = self.lab.file("echo.service", "<service-group><name>Announces texts</name><service><type>_mandos._tcp</type>"
                             f"<port>4711</port>{records}</service></service-group>")
        server.host.check(["cp", file, "/etc/avahi/services/"])
        server.start()
        client = self.lab.client()
        for wanted in (True, False):
            options = ["--management-hold", *(["--echo-from-servers"] if wanted else [])]
            run, management = self.manage(client, keys, *options)
            self.assertEqual(management.ask("echo on"), ["SUCCESS: real-time echo notification set to ON"])
            self.assertEqual(management.ask("hold release"), ["SUCCESS: hold release succeeded"])
            run.wait_for_error("Announces texts.*: waiting")
            if wanted:
                management.until(">ECHO:")
                lab.wait_until(lambda: len(management.ask("echo all")) == 16, "the texts")
            told = [line.split(",", 1)[1] for line in management.ask("echo all")]
            # Of what a server announces, the order is its own.
            self.assertLessEqual(set(told), {*texts, "a\\x7fb, c"})
            self.assertEqual(len(told), 16 if wanted else 0)
            self.end(run)

    def test_log_is_what_standard_error_says(self):
        keys = self.lab.keys()
        self.slow_server(keys)
        run, management = self.manage(self.lab.client(), keys, "--management-hold")
        management.send("log on", "hold release")
        run.wait_for_error(": waiting")
        management.send("signal SIGTERM")
        told = [line.split(",", 2)[2] for line in management.rest() if line.startswith(">LOG:")]
        said = [re.sub(r"bootkey: (\[.*? ms\] )?(warning: )?", "", line) for line in run.finish().errors.splitlines()]
        self.assertGreater(len(told), 10)
        self.assertEqual([line for line in told if line not in said], [])

    def test_word_that_may_be_a_password_is_told_to_its_sender_alone(self):
        """See secrets_test.py for passwords in other places than a command's and a type's."""
        keys = self.lab.keys()
        run, sender = self.manage(self.lab.client(), keys, "--management-hold", "--management-query-passwords", "--verb=15")
        witness = self.join()
        witness.ask("log on")
        self.assertEqual(sender.ask("dontell"), ["ERROR: unknown command [dontell], enter 'help' for more options"])
        self.assertEqual(sender.ask("password dontell x"),
                         ["ERROR: password of type 'dontell' entered, but we need one of type 'Disk'"])
        told = witness.ask("log all")
        result = self.end(run)
        self.assertIn("an unknown command (1 words not shown)", "\n".join(told))
        self.assertNotIn("dontell", "\n".join([result.errors, *told, *witness.everything]))

    def test_verb_reaches_all_processes(self):
        keys = self.lab.keys()
        self.slow_server(keys)
        run, management = self.manage(self.lab.client(), keys, "--verb=1")
        management.send("state on")
        management.until(",GET_CONFIG,")
        self.assertNotIn("key is ready", run.errors())
        management.send("verb 9", "log on")
        decryptor = next(pid for pid, name in netns_case.below(run.pid).items() if name == "bootkey-decrypt")
        os.kill(decryptor, signal.SIGKILL)
        management.until("^>LOG:[0-9]+,I,openpgp: the secret key is ready")
        management.send("signal SIGUSR1", "signal SIGHUP")
        management.until("^>LOG:[0-9]+,D,avahi: ")
        management.send("verb 0")
        management.until("^>LOG:[0-9]+,I,management client 1: verb 0")
        management.send("signal SIGTERM")
        self.assertNotIn(">LOG:", "\n".join(management.rest()))
        run.finish()

    def test_mute(self):
        keys = self.lab.keys()
        run, management = self.manage(self.lab.client(), keys, "--management-hold", "--verb=7")
        self.assertEqual(management.ask("mute"), ["SUCCESS: mute=0"])
        self.assertEqual(management.ask("mute 2"), ["SUCCESS: mute level changed"])
        for _ in range(10):
            management.ask("pid")
        management.ask("verb 2")
        management.ask("signal SIGUSR2")
        told = [line.split(",", 2)[2] for line in management.ask("log all")]
        self.assertEqual(sum(": pid" in line for line in told), 2)
        self.assertIn("messages like the last one that are not shown: 9", told)
        self.end(run)


if __name__ == "__main__":
    netns_case.main()
