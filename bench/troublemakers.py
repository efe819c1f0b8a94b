#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs on hosts of the lab, beside those of tests/netns/peers.py: servers that stall a client, and one that only listens.

Each prints "ready" when it serves.

    silent PORT N   on N ports from that one on, finishes the TLS handshake and never says a word
    drip PORT       begins a TLS handshake and sends a byte of it each second
    drop PORT       lets no connection come about: its queue is full, so the kernel drops each SYN
    endless PORT    does all that a Mandos server does, but its answer never ends
    chatter         other machines' multicast DNS traffic: questions and answers about printers, twenty packets a second
    observe         prints "NANOSECONDS PORT" for each announcement by a real server that it hears (CLOCK_MONOTONIC)
"""

import os
import re
import select
import socket
import struct
import sys
import threading
import time

from programs import lab, peers

PROGRAM = os.path.abspath(__file__)


def start(host, *arguments):
    """Start one on a lab host and wait until it serves; a namespaces.Process."""
    process = host.start(["/usr/bin/python3", "-B", PROGRAM, *map(str, arguments)])
    line = process.read_line()
    if line != b"ready\n":
        raise RuntimeError(f"troublemaker {arguments} did not start: {line!r} {process.errors()}")
    return process


class Observer:
    """A host that hears all announcements on the LAN."""

    def __init__(self, world):
        self._process = start(world.host("observer"), "observe")

    def announced(self, port, since, timeout=10):
        """When (CLOCK_MONOTONIC, ns) a service on this port was announced first after a moment."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            line = self._process.read_line(deadline - time.monotonic())
            if line.endswith(b"\n"):
                moment, announced_port = map(int, line.split())
                if announced_port == port and moment >= since:
                    return moment
        raise RuntimeError(f"no announcement of port {port} within {timeout} s")


def serve(listener, handle):
    """Call handle(connection) for each connection, each in a thread of its own."""
    while True:
        threading.Thread(target=handle, args=[listener.accept()[0]], daemon=True).start()


sessions = []  # held for ever


def keep_silent(connection):
    try:
        peers.read_protocol_version(connection)
        sessions.append((connection, peers.TlsClient(connection)))
    except OSError:
        connection.close()


def silent(first, count):
    listeners = [socket.create_server(("::", port), family=socket.AF_INET6) for port in range(first, first + count)]
    for listener in listeners:
        threading.Thread(target=serve, args=[listener, keep_silent], daemon=True).start()
    peers.say("ready")
    while True:
        time.sleep(60)


def drip(connection):
    try:
        peers.read_protocol_version(connection)
        for byte in peers.client_hello():
            connection.sendall(bytes([byte]))
            time.sleep(1)
    except OSError:
        connection.close()


def answer_for_ever(connection):
    try:
        peers.read_protocol_version(connection)
        session = peers.TlsClient(connection)
        piece = b"\xc1" + b"\x5a" * 16383  # looks like the beginning of an OpenPGP message
        while session.send(piece) == len(piece):
            pass
    except OSError:
        pass
    connection.close()


def drop(port):
    with socket.create_server(("::", port), family=socket.AF_INET6, backlog=0) as listener:
        held = []
        for _ in range(2):  # a queue for none has room for one; nobody accepts them
            held.append(socket.socket(socket.AF_INET6))
            held[-1].setblocking(False)
            held[-1].connect_ex(("::1", port))
        time.sleep(0.1)
        peers.say("ready")
        while True:
            select.select([], [], [listener, *held])


def chatter():
    sockets = peers.mdns_sockets()
    service = peers.dns_name((b"_ipp", b"_tcp", b"local"))
    question = struct.pack("!6H", 0, 0, 1, 0, 0, 0) + service + struct.pack("!2H", peers.PTR, 1)
    printer = peers.dns_name((b"printer", b"_ipp", b"_tcp", b"local"))
    answer = peers.reply([peers.record(service, peers.PTR, printer)])
    peers.say("ready")
    while True:
        for packet in (question, answer):
            for channel, to_group in sockets.items():
                try:
                    channel.sendto(packet, to_group)
                except OSError:
                    continue  # no address of this family
            time.sleep(0.05)


# An SRV record (RFC 2782) after its name: type, class with "cache flush", time to live, length, priority 0, weight 0, port.
# Announcements of peers.py have no such flag: a thousand of those would only fill the pipe.
SRV = re.compile(rb"\0\x21\x80\x01(....)..\0\0\0\0(..)", re.DOTALL)


def observe():
    sockets = peers.mdns_sockets()
    peers.say("ready")
    while True:
        for channel in select.select(list(sockets), [], [])[0]:
            packet = channel.recv(9000)
            moment = time.monotonic_ns()
            if len(packet) > 12 and packet[2] & 0x80:  # an answer
                for lifetime, port in SRV.findall(packet):
                    if lifetime != b"\0\0\0\0":  # which would be a good-bye
                        peers.say(moment, int.from_bytes(port, "big"))


def main():
    kinds = {
        "silent": lambda port, count: silent(int(port), int(count)),
        "drip": lambda port: serve(peers.listen(int(port)), drip),
        "drop": lambda port: drop(int(port)),
        "endless": lambda port: serve(peers.listen(int(port)), answer_for_ever),
        "chatter": chatter,
        "observe": observe,
    }
    if sys.argv[1:2] == [] or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    kinds[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
