#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""dropbear-initramfs lets a person in over SSH, over the network card that bootkey uses."""

import os
import subprocess
import time

import boot_case
import debian
from boot_case import CARD, LIMIT, PASSPHRASE, PROMPT, STATIC, STATIC_IP

UPTIME = "cut -d ' ' -f 1 /proc/uptime"


def private_key():
    """The path of the person's private key; the public one is beside it."""
    path = os.path.join(debian.CACHE, "ssh-key")
    with debian.made_once(path) as temporary:
        if temporary:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "person", "-f", temporary], check=True)
            os.rename(f"{temporary}.pub", f"{path}.pub")
    return path


class DropbearTest(boot_case.BootCase):
    def setUp(self):
        super().setUp()
        self.person = self.lab.host(addresses=["192.0.2.2/24"])

    def dropbear(self, settings=None, added=None):
        """A guest with Dropbear, whose address the kernel command line says."""
        with open(f"{private_key()}.pub") as file:
            files = {"/etc/dropbear/initramfs/authorized_keys": (0o600, file.read()), **(settings or {})}
        return self.boot(self.image(settings=files, packages=["dropbear-initramfs"], added=added), append=STATIC_IP)

    def log_in(self, machine, command, **options):
        """Run a command in the guest over SSH as soon as that answers; a namespaces.Process."""
        ssh = ["ssh", "-i", private_key(), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
               "-o", "LogLevel=ERROR"]
        deadline = time.monotonic() + LIMIT
        while self.person.run([*ssh, "-o", "ConnectTimeout=1", f"root@{STATIC}", "true"]).status != 0:
            if time.monotonic() > deadline:
                raise AssertionError(f"nobody can log in within {LIMIT} s; the guest said:\n{machine.said()}")
        process = self.person.start([*ssh, "-o", f"ConnectTimeout={LIMIT}", f"root@{STATIC}", command], **options)
        self.addCleanup(process.kill)
        return process

    def test_unlocked_over_ssh_while_bootkey_searches(self):
        machine = self.dropbear()
        machine.wait_for(PROMPT, LIMIT)
        session = self.log_in(machine, "cryptroot-unlock", stdin=subprocess.PIPE)
        session.stdin.write(PASSPHRASE)
        session.stdin.close()
        booted = self.told(machine)
        self.assert_put_back(booted)  # Dropbear takes down all interfaces
        self.assertRegex("\n".join(booted["log"]), "Terminated: putting everything back")

    def test_unlocked_by_the_management_interface(self):
        machine = self.dropbear()
        machine.wait_for(PROMPT, LIMIT)
        followed = self.log_in(machine, "bootkey --control --follow")
        session = self.log_in(machine, "bootkey --control state && bootkey --control password", stdin=subprocess.PIPE)
        session.stdin.write(b"wrong\n")
        session.stdin.close()
        result = session.finish(LIMIT)
        self.assertRegex(result.output, rb"^[0-9]+,[A-Z_]+,(?s:.*)SUCCESS: 'Disk' password entered", result)
        machine.wait_for(f"(?s){PROMPT}.*{PROMPT}", LIMIT)  # askpass asks again, which says that it was wrong
        again = self.log_in(machine, "bootkey --control password", stdin=subprocess.PIPE)
        again.stdin.write(PASSPHRASE + b"\n")
        again.stdin.close()
        result = again.finish(LIMIT)
        self.assertIn(b"SUCCESS: 'Disk' password entered", result.output, result)
        booted = self.told(machine)
        self.assert_put_back(booted)
        self.assertRegex("\n".join(booted["log"]), "the password from a management client was given to the prompt for device root")
        self.assertRegex(followed.finish(LIMIT).output, b"EXITING")

    def test_session_goes_on_while_bootkey_comes_and_goes(self):
        machine = self.dropbear({"/etc/dropbear/initramfs/dropbear.conf": "IFDOWN=none\n"},
                                boot_case.script(f"echo BOOTKEY HAS ENDED $({UPTIME}) >/dev/console; sleep 2", "local-bottom"))
        machine.wait_for(PROMPT, LIMIT)
        session = self.log_in(machine, f"/scripts/local-bottom/bootkey; /scripts/init-premount/bootkey; while {UPTIME}; do sleep 0.1; done")
        self.assertRegex(session.read_line(LIMIT), rb"^[0-9.]+\n$", session.errors())
        self.serve()
        ended = float(machine.wait_for(r"^BOOTKEY HAS ENDED ([0-9.]+)\n", LIMIT)[1])
        while (line := session.read_line(20)) and float(line) < ended + 0.5:
            pass
        self.assertTrue(line, f"the session has ended: {session.errors()}")
        booted = self.told(machine)
        self.assertRegex("\n".join(booted["log"]), "was given to the prompt for device root")
        # Who has configured the interface, it belongs to.
        self.assertRegex("\n".join(booted["addresses"]), rf"{CARD} .*inet {STATIC}/24")
        self.assertFalse([line for line in booted["processes"] if "bootkey" in line])


if __name__ == "__main__":
    boot_case.main()
