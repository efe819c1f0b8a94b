#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""--enroll against a real server: what it prints is taken as it is, and nothing it does can keep the server from starting."""

import fcntl
import os
import re
import subprocess
import termios

import lab
import netns_case
from netns_case import PASSWORD

SSH_HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEbpW8u0sd2wHkFTvbpDTyhkH9nO0ZjcYWLiyuRcdLlQ"


class EnrolledByScript(netns_case.NetnsCase):
    """Cases in which the script of --enroll changes a server."""

    def server_with_private_etc(self):
        """A server host (nothing started) whose /etc/mandos/clients.conf can be changed, and whose init only takes notes."""
        server = self.lab.mandos([], start=False)
        for name in ("systemctl", "service", "invoke-rc.d"):
            self.lab.file(f"bin/{name}", f"#!/bin/sh\necho \"{name} $*\" >>{self.lab.path('init-log')}\n", 0o755)
        server.host.environment["PATH"] = f"{self.lab.path('bin')}:{server.host.environment['PATH']}"
        server.host.private_etc()
        server.host.check(["sh", "-c", ": >/etc/mandos/clients.conf"])
        return server

    def run_script(self, server, script):
        """Pipe a script into the server's shell."""
        path = self.lab.file("script", script)
        with open(path, "rb") as stream:
            return server.host.run(["sh"], stdin=stream)

    def enrolled(self, server):
        """The server's clients.conf."""
        return server.host.check(["cat", "/etc/mandos/clients.conf"])

    def start_enrolled(self, server):
        server.set_clients([self.enrolled(server)])
        server.start()


class EnrollTest(EnrolledByScript):
    def script(self, host, keys, name, password=PASSWORD):
        file = self.lab.file("password", password)
        result = self.run_bootkey(host, "--enroll=script", f"--name={name}", f"--password-file={file}", *keys.options)
        self.assertEqual(result.status, 0, result)
        return result.output

    def test_sections_of_two_machines(self):
        first, second = self.lab.client(), self.lab.client()
        keys = [self.lab.keys(number=1), self.lab.keys("rsa4096")]
        self.lab.mandos([self.enroll(first, keys[0], "--name=first", password=b"one"),
                         self.enroll(second, keys[1], "--name=second", password=b"two")])
        self.fetch(first, *keys[0].options, password=b"one")
        self.fetch(second, *keys[1].options, password=b"two")

    def test_what_a_section_says(self):
        keys = self.lab.keys()
        client = self.lab.client()
        client.private_etc()
        client.check(["sh", "-c", "mkdir -p /etc/ssh && rm -f /etc/ssh/*_key.pub && "
                                  f"echo {SSH_HOST_KEY} root@machine >/etc/ssh/ssh_host_ed25519_key.pub"])
        section = self.enroll(client, keys, "--name=machine", "--host=192.0.2.99")
        self.assertRegex(section, r"(?m)^\[machine\]$")
        for option, value in (("host", "192.0.2.99"), ("key_id", keys.key_id), ("fingerprint", keys.fingerprint)):
            self.assertRegex(section, rf"(?mi)^{option} *= *{value}$")
        self.assertRegex(section, r"(?m)^checker *=.*ssh-keyscan")
        self.assertIn(SSH_HOST_KEY.split()[1], section)
        self.assertRegex(section, r"(?m)^secret *=")

    def test_without_an_ssh_host_key_there_is_a_warning(self):
        client = self.lab.client()
        client.private_etc()
        client.check(["rm", "-rf", "/etc/ssh"])
        file = self.lab.file("password", PASSWORD)
        result = self.run_bootkey(client, "--enroll", f"--password-file={file}", *self.lab.keys().options)
        self.assertEqual(result.status, 0, result)
        self.assertIn("ping", result.errors)

    def test_enrolling_leaves_no_trace(self):
        client = self.lab.client()
        keys = self.lab.keys()
        self.lab.file("password-to-enroll", PASSWORD)
        before = client.state()
        self.enroll(client, keys)
        client.check_unchanged(before)

    def test_password_with_every_byte(self):
        password = bytes(range(256))
        client, keys = self.lab.client(), self.lab.keys()
        self.lab.mandos([self.enroll(client, keys, password=password)])
        self.fetch(client, *keys.options, password=password)

    def test_scripts_of_two_machines(self):
        server = self.server_with_private_etc()
        clients = [(self.lab.client(), self.lab.keys(number=number), f"machine{number}") for number in (1, 2)]
        for client, keys, name in clients:
            self.assertEqual(self.run_script(server, self.script(client, keys, name)).status, 0)
        with open(self.lab.path("init-log")) as log:
            self.assertEqual(len(re.findall("restart.*mandos|mandos.*restart", log.read())), 2)
        self.start_enrolled(server)
        for client, keys, _ in clients:
            self.fetch(client, *keys.options)

    def test_script_of_one_machine_twice(self):
        server = self.server_with_private_etc()
        client, keys, others = self.lab.client(), self.lab.keys(), self.lab.keys(number=2)
        self.assertEqual(self.run_script(server, self.script(client, keys, "machine")).status, 0)
        before = self.enrolled(server)
        for what, refused in (("the same again", self.script(client, keys, "machine")),
                              ("the same key, another name", self.script(client, keys, "another")),
                              ("the same name, another key", self.script(client, others, "machine"))):
            with self.subTest(what):
                result = self.run_script(server, refused)
                self.assertNotEqual(result.status, 0)
                self.assertTrue(result.errors.strip(), "says why")
                self.assertEqual(self.enrolled(server), before)
        self.start_enrolled(server)
        self.fetch(client, *keys.options)

    def test_password_from_the_terminal_without_echo(self):
        keys = self.lab.keys()
        client = self.lab.client()
        terminal, line = os.openpty()

        def take_the_terminal():
            os.setsid()
            fcntl.ioctl(line, termios.TIOCSCTTY, 0)

        before = termios.tcgetattr(terminal)
        process = client.start([self.bootkey, "--enroll", "--name=machine", *keys.options], stdin=line,
                               stdout=subprocess.PIPE, prepare=take_the_terminal)
        os.close(line)
        for _ in range(2):  # a password that is typed unseen is asked for twice
            prompt = b""
            while not prompt.endswith(b": "):
                prompt += os.read(terminal, 1000)
            lab.wait_until(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, "echo off")
            os.write(terminal, PASSWORD + b"\n")
        result = process.finish()
        self.assertEqual(result.status, 0, result)
        self.assertEqual(termios.tcgetattr(terminal)[3], before[3], "the terminal is as it was")
        os.close(terminal)
        self.lab.mandos([result.output.decode()])
        self.fetch(client, *keys.options)


if __name__ == "__main__":
    netns_case.main()
