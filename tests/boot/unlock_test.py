#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian system with an encrypted root boots, unlocked by the package as it is after installation: beside the prompt of cryptsetup."""

import re

import boot_case  # makes the modules of tests/netns known
import badserver
import peers
from boot_case import LIMIT, PROMPT, TYPED, UNLOCKED



class UnlockTest(boot_case.BootCase):
    def test_without_a_person(self):
        self.serve()
        # These become variables of every program in the initial RAM disk, and would give away the keys of the TLS session.
        machine = self.boot(self.image(), append="GNUTLS_DEBUG_LEVEL=9 SSLKEYLOGFILE=/run/keys GLIBC_TUNABLES=glibc.malloc.perturb=1")
        machine.wait_for(UNLOCKED, LIMIT)
        booted = self.told(machine)
        self.assert_put_back(booted)
        self.assertNotIn("/run/keys", booted["files"])
        self.assertNotRegex("\n".join(booted["log"]), "(?i)gnutls")
        run, attempts = self.timeline(booted)
        self.assertEqual((run["status"], run["signal"], run["failure"]), (0, 0, ""))
        self.assertEqual([attempt["rejection"] for attempt in attempts if attempt["judged"]], [""])
        self.assertGreater(run["written"], attempts[0]["connecting"])

    def test_typed_while_no_server_is_there(self):
        machine = self.boot(self.image())
        machine.wait_for(PROMPT, LIMIT)
        machine.type(TYPED)
        self.assert_put_back(self.told(machine))

    # -- controls: what unlocks the disk in the other cases is bootkey

    def assert_stays_locked(self, image, append="", said=None):
        """A person types in the end, since nobody else unlocks the disk although there is a server. `said`: a pattern of why, if that is told."""
        self.serve()
        machine = self.boot(image, append=append)
        machine.wait_for(PROMPT, LIMIT)
        machine.stays_silent_of(UNLOCKED, 5)
        machine.type(TYPED)
        booted = self.told(machine)
        self.assert_put_back(booted)
        if said:
            self.assertRegex("\n".join(booted["log"]), said)
        else:
            self.assertNotIn("/run/bootkey/log", booted["files"])

    def test_switched_off(self):
        self.assert_stays_locked(self.image(), append="bootkey=off")

    def test_switched_off_as_mandos_client_is(self):
        self.assert_stays_locked(self.image(), append="mandos=off", said=r"^bootkey: not started, since mandos=off .*\Z")

    def test_device_that_does_not_exist(self):
        """As --check says of such an image."""
        self.serve()
        machine = self.boot(self.image(settings={"/etc/initramfs-tools/conf.d/device": "DEVICE=enp99s0\n"}))
        machine.wait_for(PROMPT, LIMIT)
        machine.stays_silent_of(UNLOCKED, 5)
        machine.type(TYPED)
        booted = self.told(machine)
        self.assert_put_back(booted)
        self.assertRegex("\n".join(booted["log"]), "cannot use interface enp99s0")

    def test_left_out_of_the_image(self):
        self.assert_stays_locked(self.image(settings={"/etc/bootkey/initramfs.conf": "CLIENT=none\n"}))

    def test_removed(self):
        self.assert_stays_locked(self.image(commands="dpkg --remove bootkey"))

    # -- servers

    def test_server_that_appears_late(self):
        machine = self.boot(self.image())
        machine.wait_for(PROMPT, LIMIT)
        self.serve()
        self.assert_put_back(self.told(machine))

    def test_tarpit_first(self):
        host = self.lab.host()
        badserver.start(host, {4711: "tarpit"})
        peers.announce(host, peers.announcement("Tarpit", 4711, [host.link_local()], target=host.name))
        self.serve()
        self.assert_put_back(self.told(self.boot(self.image())))

    def test_clock_that_was_never_set(self):
        self.serve()
        machine = self.boot(self.image(), more=["-rtc", "base=1970-01-01"])
        self.assert_put_back(self.told(machine))

    # -- wrong passwords

    def test_wrong_password_while_a_person_types(self):
        self.serve(b"not this one")
        machine = self.boot(self.image())
        machine.wait_for(PROMPT, LIMIT)
        for letter in TYPED:
            machine.type(letter)
            machine.stays_silent_of(UNLOCKED, 1)
        # What the wrong password has cut off has to be typed again, once.
        if not machine.says(UNLOCKED, 10):
            machine.type(TYPED)
        self.assert_put_back(self.told(machine))

    def test_old_password_comes_first(self):
        self.serve(b"the old one")
        self.serve(approval_delay="3s", approved_by_default="True")
        self.assert_put_back(self.told(self.boot(self.image())))

    # -- several disks

    # As cryptsetup's hook writes it into the image.
    TWO = {"/cryptroot/crypttab": (0o644, b"root /dev/vda none luks,initramfs\ndata /dev/vdb none luks,initramfs\n")}

    def test_two_disks_of_one_password(self):
        self.serve()
        machine = self.boot(self.image(added=self.TWO), disks=[self.disk(), self.disk(number=2)])
        self.assert_put_back(self.told(machine))

    def test_two_disks_of_different_passwords(self):
        self.serve()
        machine = self.boot(self.image(added=self.TWO), disks=[self.disk(), self.disk(b"the other one")])
        machine.wait_for(r"(?s)unlock disk data.*unlock disk data", LIMIT)  # the server's password was refused
        machine.type("the other one\n")
        self.assert_put_back(self.told(machine))

    def test_two_disks_by_decrypt_keyctl(self):
        """Which asks once for both."""
        self.serve()
        options = "none luks,initramfs,keyscript=/lib/cryptsetup/scripts/decrypt_keyctl\n"
        two = {"/cryptroot/crypttab": (0o644, f"root /dev/vda {options}data /dev/vdb {options}".encode())}
        image = self.image(crypttab=boot_case.CRYPTTAB.format(options=",keyscript=decrypt_keyctl"), packages=("keyutils",), added=two)
        booted = self.told(self.boot(image, disks=[self.disk(), self.disk(number=2)]))
        self.assert_put_back(booted)
        self.assertEqual(len(re.findall("was given to the prompt for device", "\n".join(booted["log"]))), 1, booted.text)

    def test_right_password_that_first_fails_for_another_reason(self):
        """It is offered again when cryptroot begins its tries anew, and not before."""
        self.serve()
        fails_once = ("mv /usr/sbin/cryptsetup /usr/sbin/cryptsetup.real\n"
                      "printf '%s\\n' '#!/bin/sh' 'case \" $* \" in *\" open \"*) [ -e /run/failed ] || { : >/run/failed; exit 3; } ;; esac' "
                      "'exec /usr/sbin/cryptsetup.real \"$@\"' >/usr/sbin/cryptsetup\nchmod 755 /usr/sbin/cryptsetup")
        machine = self.boot(self.image(added=boot_case.script(fails_once, "init-top")))
        machine.wait_for(rf"(?s){PROMPT}.*{PROMPT}", LIMIT)
        machine.stays_silent_of(UNLOCKED, 3)
        machine.type("wrong\n")
        machine.wait_for(rf"(?s)({PROMPT}.*){{3}}", LIMIT)
        machine.type("wrong as well\n")  # the last try of this round
        booted = self.told(machine)
        self.assert_put_back(booted)
        self.assertEqual(len(re.findall("was given to the prompt for device", "\n".join(booted["log"]))), 2, booted.text)

    # -- when something is wrong with bootkey

    def test_keys_that_no_server_knows(self):
        files = boot_case.system_files(self.lab.keys(number=2))
        self.typed_although(self.image(added={path.replace("/etc/keys/bootkey", "/conf/conf.d/mandos"): (0o400, content)
                                              for path, (_, content) in files.items() if path.startswith("/etc/keys/")}))

    def test_keys_are_missing(self):
        booted = self.typed_although(self.image(added=boot_case.removed("/conf/conf.d/mandos")))
        self.assertIn("seckey.txt", "\n".join(booted["log"]))

    def test_library_is_missing(self):
        self.typed_although(self.image(added=boot_case.removed("/usr/lib/x86_64-linux-gnu/libgnutls.so.30*")))

    def test_worker_that_crashes_again_and_again(self):
        booted = self.typed_although(self.image(added=boot_case.CRASHING), serve=False)
        self.assertRegex("\n".join(booted["log"]), r"the worker ended with signal 11")

    def test_monitor_is_killed(self):
        killed = boot_case.script("kill -KILL $(cat /run/bootkey.pid)")
        # Whoever puts back later cannot tell whether the system needs the loopback interface by now.
        self.assert_put_back(self.typed_although(self.image(added=killed)), up=["lo"])


if __name__ == "__main__":
    boot_case.main()
