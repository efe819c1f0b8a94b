#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other programs on the LAN: servers that misbehave in one chosen way, and announcements with any content at all.

Run on a host of the lab by start(); each prints "ready" when it serves and then a line for whatever happens to it.

    mute PORT               accepts connections and never says a word
    answer PORT FILE        speaks the protocol as a Mandos server does and sends the file's bytes as the answer
    answer PORT FILE hold   the same, but leaves the connection open after the bytes
    dhe PORT                offers only TLS 1.2 with finite-field Diffie-Hellman; prints the prime as hexadecimal
    announce FILE           multicast DNS: announces the services in the file, see announcement()
    noise                   answers every multicast DNS question with packets that are wrong in many ways
"""

import ctypes
import json
import os
import select
import socket
import struct
import sys

PROGRAM = os.path.abspath(__file__)


def start(host, *arguments):
    """Start a peer on a lab host and wait until it serves; a namespaces.Process."""
    process = host.start(["/usr/bin/python3", "-B", PROGRAM, *map(str, arguments)])
    line = process.read_line()
    if line != b"ready\n":
        raise RuntimeError(f"peer {arguments} did not start: {line!r} {process.errors()}")
    return process


def announcement(instance, port, addresses, target="peer", txt=()):
    """One service for `announce`. Instance name, target and TXT strings may be any bytes; addresses are text."""
    def text(value):
        return (value.encode() if isinstance(value, str) else value).hex()

    return {"instance": text(instance), "port": port, "addresses": list(addresses), "target": text(target),
            "txt": [text(string) for string in txt]}


def announce(host, *services):
    """Start announcing services from a lab host; a namespaces.Process."""
    return start(host, "announce", host.lab.file(f"announcements-{host.name}", json.dumps(services)))


def say(*words):
    print(*words, flush=True)


# -- servers

def listen(port):
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    say("ready")
    return listener


def serve_mute(port):
    connections = []
    with listen(port) as listener:
        while True:
            connections.append(listener.accept()[0])
            say("accepted")


def read_protocol_version(connection):
    line = b""
    while not line.endswith(b"\n"):
        piece = connection.recv(1)
        if not piece:
            raise ConnectionError("closed before the protocol version")
        line += piece
    if line != b"1\r\n":
        raise ConnectionError(f"protocol version {line!r}")


def serve_answer(port, file, hold):
    with open(file, "rb") as stream:
        answer = stream.read()
    held = []
    with listen(port) as listener:
        while True:
            connection = listener.accept()[0]
            try:
                read_protocol_version(connection)
                session = TlsClient(connection)
                sent = session.send(answer)
                say("answered", sent)
                if hold:
                    held.append((connection, session))
                else:
                    session.close()
                    connection.close()
            except (ConnectionError, OSError) as error:
                say("failed", error)


class TlsClient:
    """A TLS client that takes a raw public key from its server: GnuTLS through ctypes, as the Mandos server does it."""

    _CLIENT, _ENABLE_RAWPK, _CERTIFICATE, _SHUT_WR = 2, 1 << 18, 1, 1
    _PRIORITY = b"NORMAL:!CTYPE-X.509:+CTYPE-RAWPK"

    def __init__(self, connection):
        self._library = ctypes.CDLL("libgnutls.so.30")
        self._credentials = ctypes.c_void_p()
        self._session = ctypes.c_void_p()
        self._check(self._library.gnutls_certificate_allocate_credentials(ctypes.byref(self._credentials)))
        self._check(self._library.gnutls_init(ctypes.byref(self._session), self._CLIENT | self._ENABLE_RAWPK))
        self._check(self._library.gnutls_priority_set_direct(self._session, self._PRIORITY, None))
        self._check(self._library.gnutls_credentials_set(self._session, self._CERTIFICATE, self._credentials))
        self._library.gnutls_transport_set_int2(self._session, connection.fileno(), connection.fileno())
        self.prepare(connection)
        self._check(self._library.gnutls_handshake(self._session))

    def prepare(self, connection):
        """Called before the handshake; for those that behave in another way."""

    def send(self, data):
        """Send it all, or as much as the other side takes; how much that was."""
        sent = 0
        while sent < len(data):
            piece = data[sent:sent + 16384]
            count = self._library.gnutls_record_send(self._session, piece, ctypes.c_size_t(len(piece)))
            if count < 0:
                break
            sent += count
        return sent

    def close(self):
        self._library.gnutls_bye(self._session, self._SHUT_WR)
        self._library.gnutls_deinit(self._session)

    def _check(self, code):
        if code < 0:
            self._library.gnutls_strerror.restype = ctypes.c_char_p
            raise ConnectionError(self._library.gnutls_strerror(code).decode())


def client_hello():
    """A TLS 1.2 ClientHello (RFC 5246) with DHE-RSA suites only, no named groups, and raw public keys (RFC 7250)."""
    suites = struct.pack("!3H", 0x009F, 0x009E, 0x00FF)  # DHE_RSA AES-256-GCM, AES-128-GCM, RFC 5746
    signatures = struct.pack("!7H", 12, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601)  # RSA-PSS and PKCS#1
    extensions = (struct.pack("!HH", 13, len(signatures)) + signatures +
                  struct.pack("!HHBB", 20, 2, 1, 2))  # server_certificate_type: RawPublicKey
    body = (b"\x03\x03" + os.urandom(32) + b"\0" + struct.pack("!H", len(suites)) + suites + b"\x01\0" +
            struct.pack("!H", len(extensions)) + extensions)
    message = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack("!H", len(message)) + message


def server_messages(connection):
    """The handshake messages that come, as (type, body), until something else does, which is told."""
    stream = connection.makefile("rb")
    pending = b""
    while True:
        header = stream.read(5)
        if len(header) < 5 or header[0] != 0x16:
            say("failed: no handshake message but", (header + stream.read(2)).hex())
            return
        pending += stream.read(int.from_bytes(header[3:5], "big"))
        while len(pending) >= 4 and len(pending) >= 4 + int.from_bytes(pending[1:4], "big"):
            size = int.from_bytes(pending[1:4], "big")
            yield pending[0], pending[4:4 + size]
            pending = pending[4 + size:]


def serve_dhe(port):
    with listen(port) as listener:
        while True:
            with listener.accept()[0] as connection:
                try:
                    read_protocol_version(connection)
                    connection.sendall(client_hello())
                    for kind, body in server_messages(connection):
                        if kind == 12:  # ServerKeyExchange begins with the prime (RFC 5246, section 7.4.3)
                            say("prime", body[2:2 + int.from_bytes(body[:2], "big")].hex())
                            break
                except OSError as error:
                    say("failed", error)


# -- announcements

MDNS_PORT = 5353
GROUPS = {socket.AF_INET: "224.0.0.251", socket.AF_INET6: "ff02::fb"}
SERVICE = (b"_mandos", b"_tcp", b"local")
PTR, TXT, AAAA, SRV, A = 12, 16, 28, 33, 1


def dns_name(labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record(name, kind, data, ttl=120):
    return name + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def records(services):
    """The resource records of announcements, as a list of byte strings."""
    result = []
    for service in services:
        instance = dns_name((bytes.fromhex(service["instance"]), *SERVICE))
        target = dns_name((bytes.fromhex(service["target"]), b"local"))
        strings = [bytes.fromhex(string) for string in service["txt"]] or [b""]
        result.append(record(dns_name(SERVICE), PTR, instance))
        result.append(record(instance, SRV, struct.pack("!3H", 0, 0, service["port"]) + target))
        result.append(record(instance, TXT, b"".join(bytes([len(string)]) + string for string in strings)))
        for address in service["addresses"]:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            result.append(record(target, AAAA if ":" in address else A, socket.inet_pton(family, address)))
    return result


def reply(answers, question=None):
    """A response packet; one to a legacy question repeats its identifier and question (RFC 6762, section 6.7)."""
    identifier, questions = (question[:2], question[12:]) if question else (b"\0\0", b"")
    return identifier + struct.pack("!5H", 0x8400, 1 if question else 0, len(answers), 0, 0) + questions + b"".join(answers)


def packets(services, question=None):
    """Response packets for all services, some in each so that no packet is too large."""
    return [reply(records(services[start:start + 8]), question) for start in range(0, len(services), 8)]


def noise(question):
    """Packets that no parser may trip over: cut short, counts too high, names that point at themselves or at nothing."""
    header = question[:2] + struct.pack("!5H", 0x8400, 1, 4, 0, 0)
    whole = reply(records([announcement("noise", 4711, ["fe80::1"])]), question)
    return ([b"", b"\0", question[:2], header, header + b"\xc0", header + b"\xc0\x0c" * 20, header + b"\x3f" + b"a" * 10,
             question[:2] + struct.pack("!5H", 0x8400, 65535, 65535, 65535, 65535), os.urandom(512)] +
            [whole[:length] for length in range(12, len(whole), 7)] +
            [whole[:place] + b"\xff\xff" + whole[place + 2:] for place in range(12, len(whole) - 2, 7)])


def mdns_sockets():
    """A multicast DNS socket for each address family, with the group that it sends to."""
    index = socket.if_nametoindex("eth0")
    sockets = {}
    for family, group in GROUPS.items():
        channel = socket.socket(family, socket.SOCK_DGRAM)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            channel.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            channel.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            channel.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            member = socket.inet_pton(family, group) + struct.pack("=I", index)
            channel.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
            to_group = (group, MDNS_PORT, 0, index)
        else:
            request = struct.pack("=4s4si", socket.inet_aton(group), b"", index)
            channel.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
            channel.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
            channel.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
            to_group = (group, MDNS_PORT)
        channel.bind(("", MDNS_PORT))
        sockets[channel] = to_group
    return sockets


def serve_mdns(answers):
    """Answer questions for Mandos services; answers(question or None) gives the packets."""
    def send(channel, packet, destination):
        try:
            channel.sendto(packet, destination)
        except OSError as error:  # no address of this family
            sys.stderr.write(f"nothing sent: {error}\n")

    sockets = mdns_sockets()
    for channel, to_group in sockets.items():
        for packet in answers(None):
            send(channel, packet, to_group)
    say("ready")
    while True:
        for channel in select.select(list(sockets), [], [])[0]:
            question, source = channel.recvfrom(9000)
            is_question = len(question) > 12 and not question[2] & 0x80
            if not is_question or dns_name(SERVICE) not in question:
                continue
            legacy = source[1] != MDNS_PORT
            for packet in answers(question if legacy else None):
                send(channel, packet, source if legacy else sockets[channel])
            if legacy:
                say("asked", source[0])


def serve_announcements(file):
    with open(file) as stream:
        services = json.load(stream)
    serve_mdns(lambda question: packets(services, question))


def main():
    kind, *arguments = sys.argv[1:]
    if kind == "mute":
        serve_mute(int(arguments[0]))
    elif kind == "answer":
        serve_answer(int(arguments[0]), arguments[1], "hold" in arguments[2:])
    elif kind == "dhe":
        serve_dhe(int(arguments[0]))
    elif kind == "announce":
        serve_announcements(arguments[0])
    elif kind == "noise":
        serve_mdns(lambda question: noise(question or b"\0" * 12))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
