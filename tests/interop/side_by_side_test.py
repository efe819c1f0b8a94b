#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same commands to a real OpenVPN and to the program that BOOTKEY_PEER names, and the replies line by line.

Every command is given with no, good, bad and too many arguments. What must differ from run to run is made alike by NORMALISED;
where bootkey's reply is meant to be another than OpenVPN's, DIFFERENT has both, and why. With BOOTKEY_PEER=openvpn OpenVPN is
compared with itself, and with its side of DIFFERENT.
"""

import re
import socket

import interop_case
from management_peers import OpenVpn

# What is not compared: pattern, what stands for it, why.
NORMALISED = [
    (r"^\d{9,}(?=,)", "TIME", "lines of histories begin with the time"),
    (r"(?<=^SUCCESS: pid=)\d+$", "PID", "each program has its own"),
    (r"\b(TCP|MANAGEMENT):0(?=\W|$)", "SOURCE", "OpenVPN calls a line of a Unix socket TCP:0"),
    (r"(?<=^ERROR: unknown command) \[.*\](?=, enter)", "", "bootkey says which one it was"),
]

NOT_HERE = [r"ERROR: The '[\w-]+' command is not supported by the current daemon mode"]
OUT_OF_RANGE = [r"ERROR: (mute level|verb level|bytecount interval|version) is out of range"]
BAD_NUMBER = [r"ERROR: (echo|log|state) parameter must be 'on' or 'off' or some number n or 'all'"]
TAKEN_FOR_A_NUMBER = "OpenVPN takes what is no number for 0, and drops what follows one; bootkey refuses both"
ON_ITS_OWN = "bootkey refuses as a whole what OpenVPN carries out in part"
UNKNOWN = [r"ERROR: unknown command, enter 'help' for more options"]
NO_TUNNEL = "bootkey has no such thing: it makes no tunnel, and is no server of one"
HISTORY = r"TIME,.*"

# Command: OpenVPN's reply, bootkey's, and why. Each reply is a list of patterns for whole lines, "..." standing for any lines.
DIFFERENT = {
    "help extra": (["Management Interface for OpenVPN.*", "Commands:", "...", "END"], ["Management Interface for .*", "...", "END"],
                   "each has the commands that it has"),
    "version": (["OpenVPN Version: OpenVPN 2.*", "Management Version: 5", "END"],
                [r"OpenVPN Version: OpenVPN 2\.6\.14 compatible; bootkey .*", "Management Version: 5", "END"],
                "clients take the fourth word for the version of the protocol's program"),
    "version x": ([], OUT_OF_RANGE, TAKEN_FOR_A_NUMBER),
    "version 5x": ([], OUT_OF_RANGE, TAKEN_FOR_A_NUMBER),
    "auth-retry bogus": (["--auth-retry method must be .*", "ERROR: bad auth-retry parameter"], ["ERROR: bad auth-retry parameter"],
                         "each refusal is one line with its prefix"),
    "bytecount x": (["SUCCESS: bytecount interval changed"], OUT_OF_RANGE, TAKEN_FOR_A_NUMBER),
    "bytecount 1x": (["SUCCESS: bytecount interval changed"], OUT_OF_RANGE, TAKEN_FOR_A_NUMBER),
    "bytecount -1": (["SUCCESS: bytecount interval changed"], OUT_OF_RANGE, TAKEN_FOR_A_NUMBER),
    "mute x": (["SUCCESS: mute level changed"], OUT_OF_RANGE, TAKEN_FOR_A_NUMBER),
    "mute 5x": (["SUCCESS: mute level changed"], OUT_OF_RANGE, TAKEN_FOR_A_NUMBER),
    "verb x": (["SUCCESS: verb level changed"], OUT_OF_RANGE, TAKEN_FOR_A_NUMBER),
    "verb 1x": (["SUCCESS: verb level changed"], OUT_OF_RANGE, TAKEN_FOR_A_NUMBER),
    "echo 1x": ([HISTORY, "END"], BAD_NUMBER, TAKEN_FOR_A_NUMBER),
    "log 1x": ([HISTORY, "END"], BAD_NUMBER, TAKEN_FOR_A_NUMBER),
    "state 1x": ([HISTORY, "END"], BAD_NUMBER, TAKEN_FOR_A_NUMBER),
    "state 99999999999": ([HISTORY, "END"], BAD_NUMBER, "OpenVPN lets numbers overflow"),
    "echo on bogus": (["SUCCESS: real-time echo notification set to ON", *BAD_NUMBER], BAD_NUMBER, ON_ITS_OWN),
    "log off bogus": (["SUCCESS: real-time log notification set to OFF", *BAD_NUMBER], BAD_NUMBER, ON_ITS_OWN),
    "state on bogus": (["SUCCESS: real-time state notification set to ON", *BAD_NUMBER], BAD_NUMBER, ON_ITS_OWN),
    "state 1 extra": ([HISTORY, "END", *BAD_NUMBER], BAD_NUMBER, ON_ITS_OWN),
    "log 1": ([HISTORY, "END"], ["...", "END"], "each has its own log"),
    "net": (NOT_HERE, ["...", "END"], "bootkey shows what OpenVPN shows on Windows"),
    "net extra": (NOT_HERE, ["...", "END"], "bootkey shows what OpenVPN shows on Windows"),
    "status": (NOT_HERE, ["OpenVPN STATISTICS", "Updated,.*", "...", "END"], "bootkey's status works during a hold, too"),
    "status 2": (NOT_HERE, ["TITLE,.*", "TIME,.*", "HEADER,SERVER_LIST,.*", "END"], "bootkey's status works during a hold, too"),
    "status 3": (NOT_HERE, ["TITLE\t.*", "TIME\t.*", "HEADER\tSERVER_LIST\t.*", "END"], "bootkey's status works during a hold, too"),
    **{command: (NOT_HERE, ["ERROR: bad status format version number"], "bootkey's status works during a hold, too")
       for command in ("status 0", "status 4", "status x", "status 2x", "status -1")},
    **{command: ([r"ERROR: Options warning: Bad backslash \('\\'\) usage in SOURCE: .*double backslashes such as .*"],
                 [r"ERROR: Options error: Bad backslash \('\\'\) usage in SOURCE.*"], "OpenVPN goes on about file names of Windows")
       for command in (r"kill a\b", r"\hold", r"h\old")},
    **{command: ([r"ERROR: no .* is currently needed at this time"], [r"ERROR: the '\S+' command takes 2 parameters, and there is more: .*"],
                 "a value of several words without quotes would be cut at the first blank")
       for command in ("password Disk x extra", "username Auth x extra", "needstr x y extra")},
    "hold " + "x" * 300: ([r"ERROR: Options error: Parameter at SOURCE is too long \(256 chars max\): x+"],
                          [r"ERROR: Options error: Parameter at SOURCE is too long \(256 chars max\).*"],
                          "it may be a secret: bootkey does not show it"),
    **{command: ([r"ERROR: the '\S+' command requires .*"], UNKNOWN, NO_TUNNEL)
       for command in ("proxy", "remote", "client-auth-nt", "client-deny", "client-kill", "client-pending-auth", "cr-response")},
    **{command: (NOT_HERE, UNKNOWN, NO_TUNNEL) for command in ("remote-entry-count",)},
    "env-filter": (["SUCCESS: env_filter_level=0"], UNKNOWN, NO_TUNNEL),
    "test 1": ([r"\[0\] The purpose of this command is .*"], UNKNOWN, "it is for debugging OpenVPN"),
}

# During a hold.
COMMANDS = [
    "auth-retry", "auth-retry none", "auth-retry nointeract", "auth-retry interact", "auth-retry bogus", "auth-retry none extra",
    "auth-retry", "bytecount", "bytecount 0", "bytecount 60", "bytecount 0 extra", "bytecount x", "bytecount 1x", "bytecount -1",
    "bytecount 0", "echo", "echo on", "echo off", "echo all", "echo 0", "echo 1", "echo 1x", "echo on all", "echo all on", "echo off 1",
    "echo on off", "echo bogus", "echo on bogus", "echo on all extra", "echo off", "forget-passwords", "forget-passwords extra",
    "help extra", "hold", "hold bogus", "hold off", "hold", "hold on", "hold on extra", "hold", "kill", "load-stats", "load-stats extra",
    "log", "log bogus", "log on", "log off", "log 0", "log 1", "log 1x", "log off bogus", "mute", "mute 5", "mute", "mute 0", "mute x",
    "mute 5x", "mute -1", "mute 0 extra", "needok", "needok x", "needok x y", "needok x ok", "needok x ok extra", "needstr",
    "needstr x", "needstr x y", "needstr x y extra", "net", "net extra", "password", "password Disk", "password Disk x",
    "password Disk x extra", "username", "username Auth", "username Auth x", "username Auth x extra", "pid", "pid extra", "signal",
    "signal SIGNONE",
    "signal SIGHUP", "signal SIGUSR1", "signal USR1", "signal sigusr1", "signal 10", r"signal 'z\q'", 'signal "it\'s"', 'signal "a, b"',
    "state", "state bogus", "state on", "state off", "state 0",
    "state 1", "state 1x", "state -1", "state 99999999999", "state all", "state 1 extra", "state on all", "state all on", "state off 1",
    "state on off", "state on bogus", "state off", "status", "status 0", "status 2", "status 3", "status 4", "status x", "status 2x",
    "status -1", "verb", "verb 4", "verb", "verb 1", "verb 15", "verb 1 extra", "verb 16", "verb -1", "verb x", "verb 1x", "verb 1",
    "version", "version 5", "version 5 extra", "version x", "version 5x",
    # Words
    "", " ", "# hold", "; hold", "hold # off", "hold ;off", " hold", "\thold\t", "hold\r", "Hold", "HOLD", "frobnicate", "frobnicate x",
    '"hold"', "'hold'", '"hold" "off"x', "'hold' 'on'", r"\hold", r"h\old", r"kill a\b", r'"ho\"ld"', r"ho\ ld", r"'ho\ld'",
    '"hold', "'hold", "hold \"on", "hold\\", '""', "''", '"hold on"', "ho\x01ld", "h\x1bold", "h\u00f6ld", "hold " + "x" * 300,
    # OpenVPN's own, but for pkcs11-id-count, of which it dies here
    "proxy", "remote", "remote-entry-count", "client-auth-nt", "client-deny", "client-kill", "client-pending-auth",
    "cr-response", "env-filter", "test 1",
]

# While it runs; OpenVPN as a server, which is where it has these.
RUNNING_COMMANDS = [
    "kill", "kill nobody", "kill 'no body'", "kill nobody extra", "kill 192.0.2.1", "kill 192.0.2.1:4711", "kill 192.0.2.1:x",
    "kill 192.0.2.1:99999", "kill ''", r"kill 'z\q'", 'kill "it\'s"', "load-stats", "status 4", "status x", "status 0", "hold", "state off",
]
RUNNING_DIFFERENT = {
    command: (["OpenVPN CLIENT LIST", "...", "END"], ["ERROR: bad status format version number"], TAKEN_FOR_A_NUMBER)
    for command in ("status x", "status 0")
}


def converse(path, commands):
    """Runs on the host: what each command is answered with, lines without CR LF; a reply of None: the connection was closed."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(path)
        lines = connection.makefile("rb")
        lines.readline()  # the banner
        replies = []
        for command in commands:
            connection.sendall(command.encode() + b"\npid\n")  # whose reply is the end of the other
            pids = 2 if command.split()[:1] == ["pid"] else 1
            reply = []
            while pids:
                line = lines.readline()
                if not line.endswith(b"\r\n"):
                    return [*replies, [*reply, f"broken off: {line!r}"]]
                text = line.decode(errors="backslashreplace")[:-2]
                pids -= text.startswith("SUCCESS: pid=")
                if pids and not text.startswith(">"):
                    reply.append(text)
            replies.append(reply)
        return replies


def normalised(reply):
    """The lines of a reply as they are compared."""
    for pattern, stand_in, _ in NORMALISED:
        reply = [re.sub(pattern, stand_in, line) for line in reply]
    return reply


def matches(patterns, reply):
    """Whether the lines of a reply are as the patterns say."""
    if not patterns:
        return not reply
    if patterns[0] == "...":
        return any(matches(patterns[1:], reply[begin:]) for begin in range(len(reply) + 1))
    return bool(reply) and bool(re.fullmatch(patterns[0], reply[0])) and matches(patterns[1:], reply[1:])


class SideBySideTest(interop_case.InteropCase):
    def replies(self, peer, commands):
        replies = peer.host.space.call(converse, peer.path, commands)
        self.assertEqual(len(replies), len(commands), f"the last reply is {replies[-1]}")
        return [normalised(reply) for reply in replies]

    def compare(self, openvpn, other, commands, different):
        """Both programs are as the table says, or alike; `other` is of the kind under test."""
        side = 0 if self.kind == "openvpn" else 1
        for command, expected, reply in zip(commands, self.replies(openvpn, commands), self.replies(other, commands)):
            with self.subTest(command[:60]):
                if command in different:
                    self.assertTrue(matches(different[command][0], expected), f"OpenVPN: {expected}")
                    self.assertTrue(matches(different[command][side], reply), f"{self.kind}: {reply}; OpenVPN: {expected}")
                else:
                    self.assertEqual(reply, expected)
        self.assertEqual(set(different) - set(commands), set(), "commands that are not tried")

    def test_hold(self):
        openvpn_options = ["--auth-retry", "interact"] if self.kind == "openvpn" else []
        options = ["--management-hold", "--echo", "one two"]
        other = self.serve(*options, *openvpn_options)
        openvpn = OpenVpn(self.lab.host(), *options, "--auth-retry", "interact")
        self.compare(openvpn, other, COMMANDS, DIFFERENT)

    def test_running(self):
        other = self.server(self.host) if self.kind == "openvpn" else self.serve()
        self.compare(self.server(self.lab.host()), other, RUNNING_COMMANDS, RUNNING_DIFFERENT)

    def server(self, host):
        """An OpenVPN that is a server."""
        if host.run(["sh", "-c", "mkdir -p /dev/net && mknod /dev/net/tun c 10 200 && : <>/dev/net/tun"]).status != 0:
            self.skipTest("no tunnels can be made here: /dev/net/tun does not open")
        secret, certificate = self.lab.path("server.key"), self.lab.path("server.pem")
        host.check(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", secret, "-out", certificate,
                    "-subj", "/CN=x"])
        return OpenVpn(host, "--mode", "server", "--dev", "tap7", "--server-bridge", "--tls-server", "--dh", "none", "--ca", certificate,
                       "--cert", certificate, "--key", secret)

    def test_line_that_is_too_long(self):
        peer = self.serve("--management-hold")
        for line in ("x" * 1023 + " hold off", "kill " + "y" * 100_000, "z " * 5000):
            with self.subTest(line[:10]):
                refusal, = self.replies(peer, [line])
                self.assertTrue(matches(["ERROR: .*"], refusal), [text[:100] for text in refusal])
                self.assertEqual(self.replies(peer, ["hold"]), [["SUCCESS: hold=1"]])


if __name__ == "__main__":
    interop_case.main()
