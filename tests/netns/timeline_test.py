#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline that every unlock as root leaves in /run/bootkey, and what --report makes of it."""

import json
import os
import signal
import time
import xml.etree.ElementTree

import lab
import netns_case
import exit_codes_test
from exit_codes_test import become_nobody
from lab import TIMELINE
from management_case import ManagementCase
from netns_case import PASSWORD, below

HOSTILE = 'Mandos <&"\'> ]]> \u202e\u2028 höst'


class TimelineTest(ManagementCase):
    def records(self, client):
        """The last run and its records by kind; the file is as it should be."""
        self.assertEqual(client.check(["stat", "-c", "%a %u", TIMELINE, os.path.dirname(TIMELINE)]).split("\n")[:2],
                         ["644 0", "1711 0"])
        run, *others = json.loads(client.check(["cat", TIMELINE]))
        kinds = {"interface": [], "hook": [], "server": [], "restart": []}
        for record in others:
            kinds[next(iter(record))].append(record)
        return run, kinds

    def in_order(self, *moments):
        self.assertNotIn(None, moments)
        self.assertEqual(list(moments), sorted(moments))

    def report(self, client, *options, **process_options):
        return client.run([self.bootkey, "--report", *options], **process_options)

    # -- the file

    def test_unlock_leaves_what_happened_when(self):
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(PASSWORD)])
        others = self.lab.mandos([self.lab.keys(number=2).section(b"another")])
        client = self.lab.client(nics=2)
        client.carrier(False, "eth1")
        self.lab.file("hooks/hook", "#!/bin/sh\nsleep 0.1\nexit 3\n", 0o755)
        begun = time.monotonic()
        self.fetch(client, *keys.options, f"--network-hook-dir={self.lab.path('hooks')}")
        run, kinds = self.records(client)
        self.assertEqual((run["status"], run["signal"], run["failure"], run["left_out"]), (0, 0, "", 0))
        self.in_order(begun * 1000, run["begun"], run["written"], run["ended"], time.monotonic() * 1000)
        start, stop = kinds["hook"]
        self.assertEqual((start["hook"], start["mode"], start["failure"]), ("hook", "start", "exit status 3"))
        self.assertEqual(stop["mode"], "stop")
        self.assertGreater(start["ended"] - start["begun"], 100)
        eth0, eth1 = sorted(kinds["interface"], key=lambda record: record["interface"])
        self.in_order(start["ended"], eth0["asked_up"], eth0["running"], eth0["usable"])
        self.assertEqual((eth1["interface"], eth1["running"]), ("eth1", None))
        winners = [record for record in kinds["server"] if record["judged"] and not record["rejection"]]
        self.assertEqual([record["server"] for record in winners], [server.service_name])
        self.in_order(eth0["usable"], *(winners[0][phase] for phase in ("connecting", "handshake", "waiting", "receiving", "ended",
                                                                         "decrypting", "judged")), run["written"], stop["begun"])
        self.assertEqual(winners[0]["interface_index"], eth0["index"])
        refusing = [record for record in kinds["server"] if record["server"] == others.service_name]
        self.assertTrue(refusing)
        text = self.report(client).output.decode()
        for name in (server.service_name, others.service_name, "eth0", "eth1", "hook hook"):
            self.assertIn(name, text)

    def test_run_that_fails_at_once(self):
        client = self.lab.client()
        self.assertEqual(self.run_bootkey(client).status, 66)
        run, kinds = self.records(client)
        self.assertEqual((run["status"], run["written"]), (66, None))
        self.assertIn("/etc/keys/bootkey", run["failure"])
        self.assertEqual(sum(kinds.values(), []), [])
        self.assertIn("with status 66", self.report(client).output.decode())

    def test_run_that_is_ended_by_a_signal(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD, approval_delay="1h", approved_by_default="False")])
        client = self.lab.client()
        run, management = self.manage(client, keys)
        management.send("state on all")
        management.until(",GET_CONFIG,")  # the monitor knows, not the log alone
        worker = next(pid for pid, name in below(run.pid).items() if name == "bootkey-worker")
        os.kill(worker, signal.SIGKILL)
        management.until(",GET_CONFIG,")
        run.signal(signal.SIGTERM)
        self.assertEqual(run.finish().status, -signal.SIGTERM)
        run, kinds = self.records(client)
        self.assertEqual((run["signal"], run["written"]), (signal.SIGTERM, None))
        self.assertEqual([record["restart"] for record in kinds["restart"]], ["worker"])
        self.assertEqual({(record["failure"], record["ended"] is None) for record in kinds["server"] if record["waiting"]},
                         {("the worker ended", False), ("", True)})
        self.assertIn("silent until the end", " ".join(self.report(client).output.decode().split()))

    def test_run_that_is_killed_leaves_the_one_before(self):
        client = self.lab.client()
        self.assertEqual(self.run_bootkey(client).status, 66)
        before = client.check(["cat", TIMELINE])
        run = self.start(client, *self.lab.keys().options)
        lab.wait_until(client.link_local, "an address")
        run.signal(signal.SIGKILL)
        run.finish()
        self.assertEqual(client.run([self.bootkey, "--restore"]).status, 0)
        self.assertEqual(client.check(["cat", TIMELINE]), before)

    def test_timeline_that_cannot_be_written_does_not_matter(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        client.check(["mkdir", "-p", TIMELINE + "/in the way"])
        before = client.state()
        result = self.run_bootkey(client, *keys.options)
        self.assert_password(result)
        self.assertIn("cannot write the timeline", result.errors)
        client.check_unchanged(before)

    def test_user_leaves_none(self):
        keys, options = exit_codes_test.ExitCodesTest.keys_of_nobody(self)
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.host()
        self.fetch(client, *options, prepare=become_nobody)
        self.assertNotEqual(client.run(["ls", TIMELINE]).status, 0)

    # -- the report

    def test_report_without_a_timeline(self):
        result = self.report(self.lab.client())
        self.assertEqual((result.status, result.output), (66, b""), result)
        self.assertIn("a bootkey that unlocks as root writes it", result.errors)

    def test_report_of_a_broken_timeline(self):
        client = self.lab.client()
        self.assertEqual(self.run_bootkey(client).status, 66)
        for change in (r"s/\(\"status\": *\)66/\1066/", "$d", "s/keys/\\x1b[2J/"):
            with self.subTest(change):
                client.check(["sh", "-c", f"sed '{change}' {TIMELINE} >/tmp/broken && cp {TIMELINE} /tmp/good && cp /tmp/broken {TIMELINE}"])
                result = self.report(client)
                self.assertEqual((result.status, result.output), (66, b""), result)
                self.assertIn("is not as bootkey writes it", result.errors)
                self.assertNotIn("\x1b", result.errors)
                client.check(["cp", "/tmp/good", TIMELINE])
        self.assertEqual(self.report(client).status, 0)

    def test_report_of_hostile_names(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)], service_name=HOSTILE)
        client = self.lab.client()
        self.fetch(client, *keys.options)
        picture = self.lab.path("picture.svg")
        self.assertEqual(self.report(client, f"--svg={picture}").status, 0)
        tree = xml.etree.ElementTree.parse(picture)
        texts = "\n".join(element.text or "" for element in tree.iter())
        shown = HOSTILE.replace("\u202e", "\\xe2\\x80\\xae").replace("\u2028", "\\xe2\\x80\\xa8")
        self.assertIn(shown, texts)
        self.assertEqual({element.tag.split("}")[1] for element in tree.iter()}, {"svg", "title", "style", "rect", "text", "line", "path"})
        self.assertIn("the password", texts)
        utf8 = self.report(client).output.decode()
        self.assertIn(shown.split(" höst")[0], " ".join(utf8.split()))
        for environment, encoding in (({"LC_ALL": "C"}, "ascii"), ({}, "ascii"), ({"LANG": "de_DE.utf8"}, "utf-8")):
            with self.subTest(environment):
                text = self.report(client, environment=environment).output.decode(encoding)
                self.assertEqual([line for line in text.split("\n") if len(line) > 80], [])
                self.assertFalse([letter for letter in text if letter < " " and letter != "\n"])
        self.assertIn("█", utf8)

    def test_report_is_for_everybody(self):
        client = self.lab.client()
        self.assertEqual(self.run_bootkey(client).status, 66)
        result = self.report(client, prepare=become_nobody)
        self.assertEqual(result.status, 0, result)
        self.assertEqual(self.report(client, "--svg=/proc/picture.svg").status, 73)


if __name__ == "__main__":
    netns_case.main()
