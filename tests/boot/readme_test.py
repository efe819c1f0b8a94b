#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What README.md tells under Install, Enrol, Check and Reboot, typed at the console of a whole Debian system with an encrypted root."""

import os
import signal

import boot_case  # makes the modules of tests/netns known
import enroll_test
import guest
import target
import whole_system
from boot_case import LIMIT, PASSPHRASE, PROMPT, TYPED

SECONDS = 1700  # in the guest, apt-get and update-initramfs take minutes


class ReadmeTest(boot_case.BootCase, enroll_test.EnrolledByScript):
    def command(self, machine, line, *typed):
        """Type a command, and the answers to its questions; what it said. It must succeed."""
        before = len(machine.said())
        machine.type(f"{line}; echo \"ENDED $?\"\n")
        for number, answer in enumerate(typed, 1):
            machine.wait_for(rf"(?s)\A.{{{before}}}.*(assword[^\n]*: .*){{{number}}}", target.IMAGE_SECONDS)
            machine.type(answer)
        ended = machine.wait_for(rf"(?s)\A.{{{before}}}(.*)ENDED ([0-9]+)\n", target.IMAGE_SECONDS)
        self.assertEqual(ended[2], "0", ended[1])
        return ended[1]

    def boot_system(self, disks):
        machine = guest.Guest(self.lab, whole_system.initial_ram_disk(disks[1]), append="root=/dev/mapper/root rw", disks=disks, memory=1024,
                              own_pace=True)
        self.addCleanup(machine.close)
        return machine

    def test_install_enrol_check_reboot(self):
        if not os.path.isdir(os.path.join(target.PEERS, "packages/systemd-sysv")):
            self.skipTest("no package systemd-sysv in build/peers/packages (tools/test fetches it)")
        signal.alarm(SECONDS)
        server = self.server_with_private_etc()
        disks = whole_system.disks(PASSPHRASE, boot_case.MODULES, self.lab.directory)

        machine = self.boot_system(disks)
        machine.wait_for(PROMPT, LIMIT)
        machine.type(TYPED)
        machine.wait_for(whole_system.PROMPT, LIMIT)
        self.assertIn("made keys in /etc/keys/bootkey", self.command(machine, "apt-get install -y ./bootkey_*.deb"))
        self.command(machine, "bootkey --enroll=script >enroll.sh", TYPED, TYPED)
        script = self.command(machine, "cat enroll.sh").partition("#!/bin/sh")
        result = self.run_script(server, "".join(script[1:]))
        self.assertEqual(result.status, 0, result)
        self.start_enrolled(server)
        self.assertIn("A reboot would unlock this machine", self.command(machine, "bootkey --check --device=/dev/vda"))
        machine.type("reboot\n")
        machine.wait_for_end(LIMIT)

        machine = self.boot_system(disks)
        machine.wait_for(whole_system.PROMPT, 2 * LIMIT)  # nobody has typed anything
        log = self.command(machine, "cat /run/bootkey/log")
        self.assertRegex(log, "was given to the prompt for device root")
        self.assertNotIn(PASSPHRASE.decode(), machine.said())
        self.assertRegex(self.command(machine, "bootkey --report"), " ms")
        machine.type("poweroff\n")
        machine.wait_for_end(LIMIT)


if __name__ == "__main__":
    boot_case.main()
