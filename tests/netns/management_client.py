# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the management interface, for tests: lines in, lines out, nothing understood."""

import os
import re
import socket
import time

import lab


def connection_inside(host, where, user=0):
    """A connection on a host of the lab, made there by a program of that user and handed to us; None if nobody listens.

    `where`: a port of 127.0.0.1, or the path of a Unix socket.
    """
    is_path = isinstance(where, str)

    def connect():
        os.seteuid(user)  # of this process alone, which ends here
        with socket.socket(socket.AF_UNIX if is_path else socket.AF_INET) as connection:
            if connection.connect_ex(where if is_path else ("127.0.0.1", where)) == 0:
                os.seteuid(0)
                socket.send_fds(theirs, [b"connected"], [connection.fileno()])
                return True
        return False

    ours, theirs = socket.socketpair()
    with ours, theirs:
        if not host.space.call(connect):
            return None
        return socket.socket(fileno=socket.recv_fds(ours, 16, 1)[1][0])


class ManagementClient:
    """A client of whoever listens, as soon as somebody does. `where`: a Unix socket's path, or a connection."""

    def __init__(self, where, timeout=10):
        self.lines = []  # that nobody has asked for yet
        self.everything = []
        self._rest = b""
        self._end = False
        self._socket = where if isinstance(where, socket.socket) else \
            lab.wait_until(lambda: self._connect(where), "the management interface", timeout)

    @classmethod
    def over_tcp(cls, host, port, user=0):
        """A client of that user on a host of the lab, where somebody listens on 127.0.0.1."""
        return cls(lab.wait_until(lambda: connection_inside(host, port, user), "the management interface"))

    @staticmethod
    def _connect(path):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            return None
        return connection

    def close(self):
        self._socket.close()

    def send(self, *lines):
        self.send_bytes("".join(line + "\n" for line in lines).encode())

    def send_bytes(self, data):
        """Send what need not be whole lines, or text."""
        self._socket.sendall(data)

    def read(self, seconds=0.0):
        """Take in what has come; wait for it so long at most."""
        self._socket.settimeout(max(seconds, 0.001))
        try:
            data = self._socket.recv(65536)
        except (TimeoutError, socket.timeout):
            return
        except ConnectionResetError:
            data = b""
        self._end = not data
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            assert line.endswith(b"\r"), line
            self.lines.append(line[:-1].decode(errors="backslashreplace"))
            self.everything.append(self.lines[-1])

    def until(self, pattern, timeout=10):
        """The next line that matches, which is taken with all before it."""
        end = time.monotonic() + timeout
        while True:
            for number, line in enumerate(self.lines):
                if re.search(pattern, line):
                    self.seen = self.lines[:number + 1]
                    self.lines = self.lines[number + 1:]
                    return line
            if self._end or time.monotonic() > end:
                raise AssertionError(f"no line matches {pattern!r} in {self.lines}{' and then the end' if self._end else ''}")
            self.read(0.1)

    def ask(self, command):
        """The reply to a command: one line, or all before END."""
        self.send(command)
        reply = []
        while True:
            line = self.until("")
            if line.startswith(">"):
                continue
            if line == "END" or (not reply and line.startswith(("SUCCESS:", "ERROR:"))):
                return reply + ([] if line == "END" else [line])
            reply.append(line)

    def rest(self, timeout=10):
        """All lines until the connection ends."""
        end = time.monotonic() + timeout
        while not self._end:
            if time.monotonic() > end:
                raise AssertionError(f"the connection goes on after {self.lines}")
            self.read(0.1)
        lines, self.lines = self.lines, []
        return lines
