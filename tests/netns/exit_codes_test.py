#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every exit status, and that a refused command line touches nothing."""

import os
import resource

import lab
import netns_case
from netns_case import PASSWORD

NOBODY = 65534


def become_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


class ExitCodesTest(netns_case.NetnsCase):
    def refused(self, status, *options, words=()):
        """A run that ends with this status, names what is wrong and has touched nothing."""
        client = self.lab.client()
        self.lab.file("hooks/hook", f"#!/bin/sh\n: >{self.lab.path('touched')}\n", 0o755)
        before = client.state()
        result = self.run_bootkey(client, f"--network-hook-dir={self.lab.path('hooks')}", *options)
        self.assertEqual(result.status, status, result)
        self.assertEqual(result.output, b"")
        client.check_unchanged(before, timeout=0)
        self.assertFalse(self.lab.exists("touched"), "a hook was run")
        for word in words:
            self.assertIn(word, result.errors)

    def run_with_server(self, keys=None, client=None, sections=None, **options):
        """A run that gets an answer; (the server, the result)."""
        keys = keys or self.lab.keys()
        server = self.lab.mandos(sections or [keys.section(PASSWORD)])
        client = client or self.lab.client()
        before = client.state()
        result = self.run_bootkey(client, *keys.options, "--retry=0.5", **options)
        client.check_unchanged(before)
        return server, result

    def test_0_help_and_version(self):
        client = self.lab.client()
        for option in ("--help", "-?", "--usage", "--version", "-V"):
            with self.subTest(option):
                result = client.run([self.bootkey, option])
                self.assertEqual(result.status, 0, result)
                self.assertIn(b"bootkey", result.output)

    def test_64_bad_options(self):
        keys = self.lab.keys().options
        for option, value in (("delay", "abc"), ("delay", "-1"), ("delay", ""), ("retry", "1x"), ("retry", "nan"),
                              ("verb", "16"), ("verb", "-1"), ("dh-bits", "many"), ("network-hook-timeout", "soon"),
                              ("connect", "localhost:1"), ("connect", "192.0.2.1"), ("connect", "192.0.2.1:0"),
                              ("connect", "192.0.2.1:65536"), ("connect", "192.0.2.1:http"), ("connect", ":4711"),
                              ("connect", "[fe80::1%eth0]4711"), ("server", "192.0.2.1:x"), ("interface", "lo"),
                              ("priority", "NONSENSE")):
            with self.subTest(option=option, value=value):
                self.refused(64, *keys, f"--{option}={value}", words=[f"--{option}", value])

    def test_64_options_that_do_not_exist_or_do_not_go_together(self):
        self.refused(64, "--no-such-option", words=["no-such-option"])
        self.refused(64, "stray", words=["stray"])
        self.refused(64, *self.lab.keys().options, "--connect=192.0.2.1:1", "--server=192.0.2.2:2",
                     words=["--connect", "--server"])

    def test_66_keys_missing_or_unusable(self):
        keys = self.lab.keys()
        garbage = self.lab.file("garbage", "this is no key\n")
        public, secret = f"--pubkey={keys.pubkey}", f"--seckey={keys.seckey}"
        self.refused(66, words=["/etc/keys/bootkey"])
        self.refused(66, public, "--seckey=/nonexistent", words=["/nonexistent"])
        self.refused(66, "--pubkey=/nonexistent", secret, words=["/nonexistent"])
        self.refused(66, public, f"--seckey={garbage}", words=[garbage])
        self.refused(66, *keys.options[:3], f"--tls-privkey={garbage}", words=[garbage])
        self.refused(66, *keys.options[:2], f"--tls-pubkey={garbage}", keys.options[3], words=[garbage])

    def test_69_without_gpg(self):
        client = self.lab.client()
        client.check(["mount", "--bind", "/dev/null", "/usr/bin/gpg"])
        before = client.state()
        result = self.run_bootkey(client, *self.lab.keys().options)
        self.assertEqual(result.status, 69, result)
        self.assertIn("gpg", result.errors)
        client.check_unchanged(before)

    def test_71_without_file_descriptors(self):
        with open(self.bootkey, "rb") as program:
            if b"__ubsan_" in program.read():
                self.skipTest("the sanitizers need file descriptors of their own")
        # Libraries may end a program with statuses of their own where they get no descriptor.
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        for limit in (4, 6, 8, 9, 11, 13, 15, 17, 20):
            with self.subTest(limit):
                before = client.state()
                result = self.run_bootkey(client, *keys.options, prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
                self.assertIn((result.status, result.output), ((71, b""),) if limit <= 8 else ((71, b""), (0, PASSWORD)), result)
                client.check_unchanged(before)

    def test_73_keys_cannot_be_created(self):
        client = self.lab.client()
        client.check(["sh", "-c", "mkdir /tmp/full && mount -t tmpfs -o ro full /tmp/full"])
        for directory in ("/tmp/full/keys", "/dev/null/keys"):
            with self.subTest(directory):
                result = self.run_bootkey(client, f"--generate-keys={directory}")
                self.assertEqual(result.status, 73, result)
                self.assertIn(directory, result.errors)

    def test_74_output_closed(self):
        server, result = self.run_with_server(prepare=lambda: os.close(1))
        self.assertEqual(result.status, 74, result)
        self.assertLessEqual(server.log().count("TCP connection"), 1)

    def test_74_output_full(self):
        with open("/dev/full", "wb") as full:
            server, result = self.run_with_server(stdout=full)
        self.assertEqual(result.status, 74, result)
        self.assertLessEqual(server.log().count("TCP connection"), 1)

    def test_75_reader_went_away(self):
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(PASSWORD, approval_delay="2s", approved_by_default=True)])
        client = self.lab.client()
        before = client.state()
        process = self.start(client, *keys.options, "--retry=0.5")
        lab.wait_until(lambda: "TCP connection" in server.log(), "the connection")
        process.close_output()
        self.assertEqual(process.finish().status, 75)
        self.assertEqual(server.log().count("TCP connection"), 1)
        client.check_unchanged(before)

    def test_short_writes_are_gone_on_with(self):
        password = os.urandom(60000)
        reader, writer = os.pipe()
        keys = self.lab.keys()
        self.lab.mandos([keys.section(password)])
        with os.fdopen(reader, "rb") as stream:
            process = self.start(self.lab.client(), *keys.options, stdout=writer,
                                 prepare=lambda: os.set_blocking(1, False))
            os.close(writer)
            self.assertEqual(stream.read(), password)
        self.assertEqual(process.finish().status, 0)

    def test_77_interfaces_are_down_and_we_are_not_root(self):
        keys, options = self.keys_of_nobody()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        before = client.state()
        result = self.run_bootkey(client, *options, prepare=become_nobody)
        self.assertEqual(result.status, 77, result)
        self.assertIn("root", result.errors)
        client.check_unchanged(before)

    def test_0_not_root_but_everything_is_up(self):
        keys, options = self.keys_of_nobody()
        self.lab.mandos([keys.section(PASSWORD)])
        self.fetch(self.lab.host(), *options, prepare=become_nobody)

    def keys_of_nobody(self):
        """Keys that the user nobody can read: (the key set, command line options)."""
        keys = self.lab.keys()
        options = []
        for option in keys.options:
            name, path = option.split("=")
            with open(path, "rb") as file:
                copy = self.lab.file(f"nobody{name}", file.read(), 0o600)
            os.chown(copy, NOBODY, NOBODY)
            options.append(f"{name}={copy}")
        return keys, options


if __name__ == "__main__":
    netns_case.main()
