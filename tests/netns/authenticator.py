#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""authenticator.py INTERFACE USER PASSWORD: the port of a switch that lets one user in (IEEE 802.1X, EAP-MD5: RFC 3748)."""

import hashlib
import os
import socket
import struct
import sys

EAPOL = 0x888E
GROUP = b"\x01\x80\xc2\x00\x00\x03"  # the stations' address of IEEE 802.1X
START, LOGOFF = 1, 2  # EAPOL packets; 0 is EAP
REQUEST, RESPONSE, SUCCESS, FAILURE = 1, 2, 3, 4
IDENTITY, MD5 = 1, 4
SOL_PACKET, PACKET_ADD_MEMBERSHIP = 263, 1  # packet(7)


class Port:
    def __init__(self, interface, user, password):
        self.user, self.password = user.encode(), password.encode()
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EAPOL))
        self.socket.bind((interface, EAPOL))
        self.socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack("iHH8s", socket.if_nametoindex(interface), 0, 6, GROUP))
        self.number = 0
        self.challenge = self.identity = b""

    def send(self, code, body=b""):
        eap = struct.pack("!BBH", code, self.number, 4 + len(body)) + body
        source = self.socket.getsockname()[4]
        self.socket.send(GROUP + source + struct.pack("!HBBH", EAPOL, 2, 0, len(eap)) + eap)

    def request(self, kind, data=b""):
        self.number = (self.number + 1) % 256
        self.send(REQUEST, bytes([kind]) + data)

    def hear(self, frame):
        kind, size = struct.unpack("!xBH", frame[14:18])
        if kind == START:
            self.request(IDENTITY)
        if kind in (START, LOGOFF):
            return
        code, number, _, method = struct.unpack("!BBHB", frame[18:23])
        data = frame[23:18 + size]
        if (code, number) != (RESPONSE, self.number):
            return
        if method == IDENTITY:
            self.identity, self.challenge = data, os.urandom(16)
            self.request(MD5, bytes([16]) + self.challenge)
        elif method == MD5:
            wanted = hashlib.md5(bytes([number]) + self.password + self.challenge).digest()
            good = self.identity == self.user and data[1:17] == wanted
            print(self.identity, good, file=sys.stderr, flush=True)
            self.send(SUCCESS if good else FAILURE)

    def serve(self):
        while True:
            self.hear(self.socket.recv(2000))


if __name__ == "__main__":
    Port(*sys.argv[1:]).serve()
