#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conversations in the manual page bootkey-management(7), carried out; the page says at its top how they are written.

With BOOTKEY_PEER=openvpn those that OpenVPN would not answer in the same way are left out.
"""

import os
import re
import shlex
import socket

import interop_case
from netns_case import REPOSITORY

PAGE = os.path.join(REPOSITORY, "man/bootkey-management.7")
OPTIONS = r'.\" options:'
PASSWORD = "let me in"


class Conversation:
    """A literal block: `lines`, and what its comment says."""

    def __init__(self, number, options, lines):
        self.number = number  # of its first line in the page
        self.lines = lines
        self.only_bootkey = options[:2] == ["only", "bootkey"]
        self.password = options[-1:] == ["password"]
        self.options = options[2 * self.only_bootkey:len(options) - self.password]


def conversations():
    """All of the page."""
    found, block, options = [], None, []
    with open(PAGE) as page:
        for number, line in enumerate(page.read().splitlines(), 1):
            if line.startswith(OPTIONS):
                options = shlex.split(line[len(OPTIONS):])
            elif line.startswith(".Bd -literal"):
                block = []
            elif line == ".Ed":
                if any(text.startswith("> ") for text in block):
                    found.append(Conversation(number - len(block), options, block))
                block, options = None, []
            elif block is not None:
                block.append(line.replace(r"\(aq", "'").replace(r"\&", "").replace(r"\e", "\\"))
    return found


def pattern(line):
    """The regular expression for a line of the page."""
    return re.sub(r"\d+", r"\\d+", re.escape(line)).replace(re.escape("..."), ".*")


def carry_out(path, lines):
    """Runs on the host: sends and reads as the lines say; what was not as it should be, or nothing.

    `lines`: pairs of a command, or None, and the pattern of a line that must come, or None.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(path)
        received = b""
        skipping = False  # whatever comes before the next line that must
        for command, expected in lines:
            if command is not None:
                connection.sendall(command.encode() + b"\n")
                continue
            if expected == ".*":
                skipping = True
                continue
            while True:
                end = received.find(b"\r\n")
                prompt = received == b"ENTER PASSWORD:"
                if end < 0 and not prompt:
                    try:
                        piece = connection.recv(65536)
                    except TimeoutError:
                        piece = b""
                    if not piece:
                        return f"{expected} did not come; the rest is {received!r}"
                    received += piece
                    continue
                line = received.decode() if prompt else received[:end].decode()
                received = b"" if prompt else received[end + 2:]
                if re.fullmatch(expected, line):
                    skipping = False
                    break
                if not skipping and not line.startswith(">"):  # notifications come when they like
                    return f"{line!r} came instead of {expected}"
    return ""


class ManPageTest(interop_case.InteropCase):
    def test_conversations(self):
        tried = 0
        for conversation in conversations():
            if conversation.only_bootkey and self.kind == "openvpn":
                continue
            tried += 1
            with self.subTest(f"line {conversation.number}"):
                self.host = self.lab.host()
                peer = self.serve(*conversation.options, password=PASSWORD if conversation.password else None)
                steps = [(line[2:], None) if line.startswith("> ") else (None, pattern(line)) for line in conversation.lines]
                self.assertEqual(peer.host.space.call(carry_out, peer.path, steps), "")
                peer.process.kill()
        self.assertGreater(tried, 8)

    def test_all_commands_are_described(self):
        with open(PAGE) as page:
            commands = page.read().split(".Sh COMMANDS")[1].split(".Sh HOLD")[0]
        described = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^\.It Ic ([\w-]+(?: , [\w-]+)*)", commands, re.MULTILINE))))
        peer = self.serve("--management-hold")
        result = self.host.run([self.bootkey, f"--control={peer.address}", "help"])
        self.assertEqual(result.status, 0, result)
        said = result.output.decode()
        listed = {name for names in re.findall(r"^([a-z][\w-]*(?:\|[a-z-]+)?) .*: ", said, re.MULTILINE) for name in names.split("|")}
        listed.update(re.findall(r"\(also: ([a-z-]+)\)", said))
        if self.kind == "openvpn":
            self.assertEqual(described - listed, set())
        else:
            self.assertEqual(described, listed)


if __name__ == "__main__":
    interop_case.main()
