#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time that stands still or jumps for the program alone: suspended in each phase, and a reader that does not read.

A wall clock that is set needs a machine of its own: tests/boot/. What the program does with it then is in tests/discovery/.
"""

import fcntl
import os
import signal
import time

import lab
import netns_case
import peers
from netns_case import PASSWORD, SLACK

# Seconds; longer than any pause between two questions or tries here.
SUSPENDED = 3


class SuspendTest(netns_case.NetnsCase):
    def suspend(self, process, meanwhile=lambda: None):
        """Stop the program for a time, in which something happens."""
        process.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        meanwhile()
        time.sleep(max(0, SUSPENDED - (time.monotonic() - stopped)))
        process.signal(signal.SIGCONT)
        return time.monotonic()

    def assert_soon(self, process, since):
        self.assert_password(process.finish())
        self.assertLess(time.monotonic() - since, 1 + SLACK)

    def test_before_there_is_a_carrier(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        before = client.state()
        client.carrier(False)
        process = self.start(client, *keys.options)
        lab.wait_until(client.is_up, "the interface up")
        since = self.suspend(process, lambda: client.carrier(True))
        self.assert_soon(process, since)
        client.check_unchanged(before)

    def test_while_searching(self):
        keys = self.lab.keys()
        client = self.lab.client()
        before = client.state()
        process = self.start(client, *keys.options)
        lab.wait_until(client.link_local, "an address")
        since = self.suspend(process, lambda: self.lab.mandos([keys.section(PASSWORD)]))
        self.assert_soon(process, since)
        client.check_unchanged(before)

    def test_before_the_handshake(self):
        keys = self.lab.keys()
        mute = self.lab.host()
        peer = peers.start(mute, "mute", 4711)
        peers.announce(mute, peers.announcement("mute", 4711, [mute.link_local()]))
        client = self.lab.client()
        before = client.state()
        process = self.start(client, *keys.options)
        self.assertEqual(peer.read_line(), b"accepted\n")
        since = self.suspend(process, lambda: self.lab.mandos([keys.section(PASSWORD)]))
        self.assert_soon(process, since)
        client.check_unchanged(before)

    def test_while_a_server_waits_for_approval(self):
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(PASSWORD, approval_delay="2s", approved_by_default=True)])
        client = self.lab.client()
        before = client.state()
        process = self.start(client, *keys.options)
        lab.wait_until(lambda: "TCP connection from" in server.log(), "the connection")
        since = self.suspend(process)  # the server answers and closes meanwhile
        self.assert_soon(process, since)
        self.assertEqual(server.log().count("TCP connection from"), 1)
        client.check_unchanged(before)

    def test_while_the_output_is_full(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        before = client.state()
        process, reader, filling = start_with_full_pipe(self, client, *keys.options)
        process.wait_for_error("is decrypted")
        self.suspend(process)
        with os.fdopen(reader, "rb") as stream:
            self.assertEqual(stream.read(), filling + PASSWORD)
        self.assertEqual(process.finish().status, 0)
        client.check_unchanged(before)


def start_with_full_pipe(case, host, *options):
    """Start bootkey with a pipe as standard output that takes nothing more; (process, our end, what the pipe holds)."""
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    filling = b"x" * fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ)
    os.write(writer, filling)
    process = case.start(host, *options, stdout=writer)
    os.close(writer)
    return process, reader, filling


class BlockedOutputTest(netns_case.NetnsCase):
    def blocked(self, password=PASSWORD):
        """A run that has its password and cannot write it: (client, its state before, process, reader, what is in the pipe)."""
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(password)])
        client = self.lab.client()
        before = client.state()
        process, reader, filling = start_with_full_pipe(self, client, *keys.options)
        process.wait_for_error("is decrypted")
        self.alive(process, 0.5)
        self.assertEqual(server.log().count("TCP connection from"), 1)
        return client, before, process, reader, filling

    def test_password_arrives_whole_once_it_is_read(self):
        password = os.urandom(40000)
        client, before, process, reader, filling = self.blocked(password)
        with os.fdopen(reader, "rb") as stream:
            self.assertEqual(stream.read(), filling + password)
        self.assertEqual(process.finish().status, 0)
        client.check_unchanged(before)

    def test_signals_work(self):
        client, before, process, reader, _ = self.blocked()
        said = len(process.errors())
        process.signal(signal.SIGUSR2)
        process.wait_for_error(r"is decrypted[^\0]*\n.*eth0")
        self.assertGreater(len(process.errors()), said)
        process.signal(signal.SIGHUP)  # not now: the password is on its way
        self.alive(process, 0.2)
        process.signal(signal.SIGTERM)
        self.assertEqual(process.finish(5 + SLACK).status, -signal.SIGTERM)
        os.close(reader)
        client.check_unchanged(before)

    def test_reader_that_goes_away(self):
        client, before, process, reader, _ = self.blocked()
        os.close(reader)
        self.assertEqual(process.finish().status, 75)
        client.check_unchanged(before)


if __name__ == "__main__":
    netns_case.main()
