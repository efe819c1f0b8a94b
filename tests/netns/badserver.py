#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Password servers that misbehave at one chosen moment. They speak the real protocol and the real TLS up to there.

    badserver.py FILE FOREIGN-FILE PORT=BEHAVIOUR [PORT=BEHAVIOUR ...]

The files hold an answer to this client, which comes cut to pieces, and one to another client. Run on a host of the lab by
start(); prints "ready" and then "PORT BEHAVIOUR" whenever the moment has come on a connection. The behaviours are the names
of BEHAVIOURS and, before there is a connection, "drop_syn".
"""

import ctypes
import os
import selectors
import socket
import struct
import sys
import threading
import time

import peers

PROGRAM = os.path.abspath(__file__)
# A literal data packet of garbage (RFC 4880, sections 4.2 and 5.9), as long as any client might swallow.
MEGABYTE = b"\xcb\xff" + struct.pack("!I", (1 << 20) - 6) + b"x" * ((1 << 20) - 6)


def start(host, servers, file="/dev/null", foreign_file="/dev/null"):
    """Start servers on a lab host, {port: behaviour}; a namespaces.Process."""
    process = host.start(["/usr/bin/python3", "-B", PROGRAM, file, foreign_file,
                          *(f"{port}={behaviour}" for port, behaviour in servers.items())])
    line = process.read_line()
    if line != b"ready\n":
        raise RuntimeError(f"the bad servers did not start: {line!r} {process.errors()}")
    return process


# -- one connection

def reset(connection):
    """Close it by RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
    connection.close()


def wait_for_end(connection):
    """Read and drop until the other side has gone."""
    try:
        while connection.recv(65536):
            pass
    except OSError:
        pass
    connection.close()


class DrippingTls(peers.TlsClient):
    """Says its part of the handshake a byte at a time."""

    _PUSH = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

    def prepare(self, connection):
        def push(_, data, __):
            time.sleep(0.1)
            try:
                return connection.send(ctypes.string_at(data, 1))
            except OSError:
                return -1

        self._push = self._PUSH(push)
        self._library.gnutls_transport_set_push_function(self._session, self._push)


def before_tls(act):
    """A server that acts right after the protocol version."""
    def behave(connection, _answers, moment):
        peers.read_protocol_version(connection)
        moment()
        act(connection)
    return behave


def in_tls(act):
    """A server that acts after the handshake."""
    def behave(connection, answers, moment):
        peers.read_protocol_version(connection)
        session = peers.TlsClient(connection)
        moment()
        act(connection, session, answers)
    return behave


def slow_handshake(connection, _answers, moment):
    peers.read_protocol_version(connection)
    moment()
    DrippingTls(connection)
    wait_for_end(connection)


def reset_in_handshake(connection):
    connection.sendall(peers.client_hello()[:100])
    time.sleep(0.01)
    reset(connection)


def tarpit(connection, _answers, moment):
    moment()
    wait_for_end(connection)


def reset_after_accept(connection, _answers, moment):
    moment()
    reset(connection)


def drip(connection, session, answers):
    for place in range(len(answers.own)):
        if session.send(answers.own[place:place + 1]) == 0:
            break
        time.sleep(1)
    connection.close()


def firehose(connection, session, _answers):
    sent = size = 0
    while sent == size:
        size = len(MEGABYTE)
        sent = session.send(MEGABYTE)
    connection.close()


def answer(content):
    """Say content(answers) and end the session in order."""
    def act(connection, session, answers):
        session.send(content(answers))
        session.close()
        connection.close()
    return act


def reset_in_answer(connection, session, answers):
    session.send(answers.own[:len(answers.own) // 2])
    reset(connection)


BEHAVIOURS = {
    "tarpit": tarpit,
    "reset_after_accept": reset_after_accept,
    "reset_after_version": before_tls(reset),
    "tarpit_after_version": before_tls(wait_for_end),
    "web_server": before_tls(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    "slow_handshake": slow_handshake,
    "reset_in_handshake": before_tls(reset_in_handshake),
    "reset_after_handshake": in_tls(lambda connection, *_: reset(connection)),
    "mute": in_tls(lambda connection, *_: wait_for_end(connection)),
    "drip": in_tls(drip),
    "firehose": in_tls(firehose),
    "reset_in_answer": in_tls(reset_in_answer),
    "empty": in_tls(answer(lambda answers: b"")),
    "truncated": in_tls(answer(lambda answers: answers.own[:-20])),
    "garbage": in_tls(answer(lambda answers: os.urandom(500))),
    "foreign": in_tls(answer(lambda answers: answers.foreign)),
    "megabyte": in_tls(answer(lambda answers: MEGABYTE)),
}
ALL = ["drop_syn", *BEHAVIOURS]


class Answers:
    def __init__(self, file, foreign_file):
        with open(file, "rb") as own, open(foreign_file, "rb") as foreign:
            self.own = own.read()
            self.foreign = foreign.read()


def serve(connection, port, behaviour, answers):
    try:
        BEHAVIOURS[behaviour](connection, answers, lambda: peers.say(port, behaviour))
    except OSError as error:  # the other side has gone away
        sys.stderr.write(f"{port} {behaviour}: {error}\n")
    connection.close()


def main():
    file, foreign_file, *servers = sys.argv[1:]
    answers = Answers(file, foreign_file)
    threading.stack_size(256 * 1024)  # bytes; there may be hundreds
    selector = selectors.DefaultSelector()
    full_queues = []
    for port, behaviour in (server.split("=") for server in servers):
        dropped = behaviour == "drop_syn"
        listener = socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True,
                                        backlog=0 if dropped else 128)
        if dropped:  # one connection that nobody accepts fills the queue: the kernel drops the SYN of any other
            full_queues += [listener, socket.create_connection(("::1", int(port)))]
        else:
            selector.register(listener, selectors.EVENT_READ, (int(port), behaviour))
    peers.say("ready")
    while True:
        for key, _ in selector.select():
            connection = key.fileobj.accept()[0]
            threading.Thread(target=serve, args=(connection, *key.data, answers), daemon=True).start()


if __name__ == "__main__":
    main()
