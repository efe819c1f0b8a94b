#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A switch's port for one tagged VLAN, through which nothing else goes; for kernels that know no VLANs themselves.

    trunk.py VLAN

The guest's frames come and go as datagrams (QEMU's -netdev socket,udp=...); for the LAN there is a TAP interface, "trunk". Prints "ready"
when both are there. Runs in the switch's network namespace, see start().
"""

import fcntl
import os
import select
import socket
import struct
import sys

OURS, GUEST = ("127.0.0.1", 4001), ("127.0.0.1", 4002)
# <linux/if_tun.h>
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
# A tag (IEEE 802.1Q) is this type and 16 bits, the last 12 of which are the VLAN's number; it stands behind the two addresses.
TAG_TYPE = b"\x81\x00"
ADDRESSES = 12
TAG = slice(ADDRESSES, ADDRESSES + 4)


def start(lab, vlan):
    """Start a port of a Lab's switch; a namespaces.Process."""
    lab.switch.check(["sh", "-c", "mkdir -p /dev/net && mknod /dev/net/tun c 10 200"])
    port = lab.switch.start(["/usr/bin/python3", "-B", os.path.abspath(__file__), str(vlan)])
    if port.read_line() != b"ready\n":
        raise RuntimeError(f"the trunk did not start: {port.errors()}")
    lab.switch.ip("link set trunk master lan", "link set trunk up")
    return port


def card():
    """Arguments for QEMU: a network card with its cable in this port."""
    (our_address, our_port), (address, port) = OURS, GUEST
    return ["-netdev", f"socket,id=trunk,udp={our_address}:{our_port},localaddr={address}:{port}",
            "-device", "virtio-net-pci,netdev=trunk,addr=2,mac=52:54:00:00:00:01,romfile="]


def main(vlan):
    cable = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    cable.bind(OURS)
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"trunk", IFF_TAP | IFF_NO_PI))
    print("ready", flush=True)
    while True:
        readable = select.select([cable, tap], [], [])[0]
        if cable in readable:
            frame = cable.recv(65536)
            number = struct.unpack_from("!H", frame, ADDRESSES + 2)[0] & 0xFFF
            if frame[ADDRESSES:].startswith(TAG_TYPE) and number == vlan:
                os.write(tap, frame[:TAG.start] + frame[TAG.stop:])
        if tap in readable:
            frame = os.read(tap, 65536)
            cable.sendto(frame[:ADDRESSES] + TAG_TYPE + struct.pack("!H", vlan) + frame[ADDRESSES:], GUEST)


if __name__ == "__main__":
    main(int(sys.argv[1]))
