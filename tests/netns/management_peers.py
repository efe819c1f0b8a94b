# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs with a management interface, on hosts of the lab, all used in the same way: a real OpenVPN, bootkey, and a server that
says what a test wants it to say. And a person at a terminal who looks at what comes of it.

A peer has `host`, `address` as `bootkey --control=ADDRESS` takes it, and `process`; `path` or `port` is set. It is listening when it is
made, and ends with its host.
"""

import fcntl
import os
import re
import select
import struct
import termios
import time

import lab
import vt_screen

SOCKET = "/run/management-test"
PORT = 7505
BANNER = b">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n"


class Peer:
    """What all of them have. `tcp`: on 127.0.0.1 instead of a Unix socket. `password`: clients must give it."""

    def __init__(self, host, tcp=False, password=None):
        self.host = host
        self.path = None if tcp else SOCKET
        self.port = PORT if tcp else None
        self.address = f"127.0.0.1:{PORT}" if tcp else f"unix:{SOCKET}"
        self.password_file = password and host.lab.file(f"{host.name}/management-password", password + "\n", 0o600)
        self.process = None

    def run(self, command, **options):
        self.process = self.host.start(command, **options)
        lab.wait_until(lambda: self.host.space.call(_listens, self.path, self.port), f"{command[0]} listening",
                       check=self._check_running)

    def _check_running(self):
        if not self.process.running():
            raise RuntimeError(f"{self.process.command} ended:\n{self.process.errors()}")


def _listens(path, port):
    """Whether somebody listens there; without connecting, since OpenVPN takes one client at a time."""
    with open("/proc/net/unix" if path else "/proc/net/tcp") as table:
        if path:
            return any(line.split()[-1] == path and line.split()[3] == "00010000" for line in table)  # __SO_ACCEPTCON
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in list(table)[1:])


class OpenVpn(Peer):
    """OpenVPN 2.6 with no tunnel to speak of. It has one client at a time."""

    def __init__(self, host, *options, **peer_options):
        super().__init__(host, **peer_options)
        place = [self.path, "unix"] if self.path else ["127.0.0.1", str(self.port)]
        if self.password_file:
            place.append(self.password_file)
        self.log = host.lab.path("logs", f"{host.name}.openvpn")
        self.run(["openvpn", "--dev", "null", "--suppress-timestamps", "--log", self.log, "--management", *place, *options])


class Bootkey(Peer):
    """bootkey, unlocking with these options."""

    def __init__(self, host, program, *options, **peer_options):
        super().__init__(host, **peer_options)
        if self.password_file:
            options = (*options, f"--management-password-file={self.password_file}")
        self.run([program, f"--management={self.address}", *options])


class Scripted(Peer):
    """Greets one client, and whenever a line comes answers with the next of `replies` (bytes); closes behind the last one."""

    def __init__(self, host, replies, greeting=BANNER, **peer_options):
        super().__init__(host, **peer_options)
        self.run(["/usr/bin/python3", "-c", _SCRIPTED_SERVER, self.path, greeting.hex(), *(reply.hex() for reply in replies)])

    def heard(self):
        """The lines that have come, when it has ended."""
        return self.process.finish().output


_SCRIPTED_SERVER = """
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
client = listener.accept()[0]
greeting, *replies = (bytes.fromhex(text) for text in sys.argv[2:])
client.sendall(greeting)
with client.makefile("rb") as lines:
    for reply, line in zip(replies, lines):
        sys.stdout.buffer.write(line)
        client.sendall(reply)
"""


class Person:
    """Somebody at a pseudo-terminal of `size`, rows and columns, where a program is started. `kind`: TERM; None: not set."""

    def __init__(self, case, host, command, controlling=True, kind="linux", size=(24, 80)):
        self.master, slave = os.openpty()
        case.addCleanup(os.close, self.master)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.seen = b""
        self.size = size

        def take_the_terminal():
            os.setsid()
            if controlling:
                fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        environment = {name: value for name, value in {**host.environment, "TERM": kind}.items() if value is not None}
        self.process = host.start(command, stdin=slave, stdout=slave, prepare=take_the_terminal, environment=environment)
        case.addCleanup(self.process.kill)
        os.close(slave)

    def type(self, text):
        os.write(self.master, text)

    def type_unseen(self, text):
        """Type when the echo is off, as for a password."""
        lab.wait_until(lambda: not self.echoes(), "a terminal without echo")
        self.type(text)

    def echoes(self):
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def sees(self, pattern, timeout=10):
        """Wait until the pattern (bytes) appears behind what was waited for before; the match."""
        deadline = time.monotonic() + timeout
        begin = getattr(self, "looked_at", 0)
        while True:
            match = re.compile(pattern, re.MULTILINE).search(self.seen, begin)
            if match:
                self.looked_at = match.end()
                return match
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"{pattern} did not appear; the screen got {self.seen[begin:]!r} and the program said: "
                                     f"{self.process.errors()}")

    def screen(self):
        """What the terminal shows of all that was seen (vt_screen.Screen)."""
        screen = vt_screen.Screen(*self.size)
        screen.feed(self.seen)
        return screen

    def watches(self, wanted, what, timeout=10):
        """Wait until `wanted(text of the screen)` is true; the screen."""
        deadline = time.monotonic() + timeout
        while not wanted(self.screen().text()):
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"the screen does not show {what}:\n{self.screen().text()}\n{self.process.errors()}")
        return self.screen()

    def leaves(self, timeout=10):
        """The program's Result, when it has ended; the screen has all by then."""
        result = self.process.finish(timeout)
        while self._read(0):
            pass
        return result

    def _read(self, timeout):
        """More of what is on the screen; False if nothing comes in time or the terminal is closed."""
        if not select.select([self.master], [], [], max(0, timeout))[0]:
            return False
        try:
            piece = os.read(self.master, 65536)
        except OSError:  # EIO: the program has closed its end
            return False
        self.seen += piece
        return bool(piece)
