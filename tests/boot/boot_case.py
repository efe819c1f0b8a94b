# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cases of booting have in common: a LAN with a real Mandos server, a Debian guest with an encrypted root, and how it went.
"""

import json
import os
import re
import signal
import sys

import debian
import guest
import netns_case
import target

PASSPHRASE = b"correct horse battery staple"
TYPED = PASSPHRASE.decode() + "\n"
CRYPTTAB = "root /dev/vda none luks,initramfs{options}\n"
UNLOCKED = r"^ROOT IS MOUNTED ([0-9.]+)\n"
PROMPT = r"Please unlock disk root"
CARD = "enp0s2"  # the guest's network card, as udev calls it
# An address on the kernel command line.
STATIC = "192.0.2.9"
STATIC_IP = f"ip={STATIC}::192.0.2.1:255.255.255.0::{CARD}:off"
# Seconds until a guest has unlocked its disk, or asks for the passphrase, on a machine that has much else to do; else it is 15.
LIMIT = 300
CASE_SECONDS = 900
MODULES = "virtio_pci\nvirtio_blk\nvirtio_net\ndm_crypt\nxts\next4\n"


def why_unavailable():
    """None if guests can be booted here, else the reason in words."""
    return target.why_unavailable() or guest.why_unavailable()


# Scripts in every image run what a case adds, if it adds something.
STAGES = ("init-top", "init-premount", "local-bottom")
STAGE_SCRIPT = "#!/bin/sh\n[ \"$1\" != prereqs ] || exec echo bootkey\n[ ! -e /test/{stage} ] || . /test/{stage}\n"


def removed(paths):
    """What is added to an image if something is to be missing when it all begins."""
    return script(f"rm -r {paths}", "init-top")


def script(commands, when="init-premount"):
    """What is added to an image to run something when bootkey has been started; or when it has been ended: local-bottom."""
    return {f"/test/{when}": (0o644, f"{commands}\n".encode())}


def system_files(keys, crypttab=CRYPTTAB.format(options=""), settings=None, mandos_client=False):
    """What a system with an encrypted root has: {path: (mode, content)}. `keys`: a key set of the lab, or None. `settings`: {path: text, or
    (mode, text)} of more files. `mandos_client`: the keys are its."""
    files = {"/etc/crypttab": (0o644, crypttab),
             "/etc/fstab": (0o644, "/dev/mapper/root / ext4 ro 0 1\n"),
             "/etc/initramfs-tools/modules": (0o644, MODULES),
             **{f"/etc/initramfs-tools/scripts/{stage}/zz-test": (0o755, STAGE_SCRIPT.format(stage=stage)) for stage in STAGES}}
    for name in ("pubkey.txt", "seckey.txt", "tls-pubkey.pem", "tls-privkey.pem") if keys else ():
        with open(f"{keys.directory}/{name}", "rb") as file:
            files[f"/etc/keys/{'mandos' if mandos_client else 'bootkey'}/{name}"] = (0o600, file.read())
    for path, text in (settings or {}).items():
        files[path] = text if isinstance(text, tuple) else (0o644, text)
    return files


# Added to an image in which no worker lives long.
CRASHING = script("while sleep 0.02; do kill -SEGV $(pidof bootkey-worker); done 2>/dev/null &")


class Booted:
    """What the unlocked system told."""

    def __init__(self, said):
        self.text = said
        self.parts = {name: part.strip().splitlines() for name, part in re.findall(r"^BEGIN (\w+)\n(.*?)^END$", said, re.M | re.S)}

    def __getitem__(self, name):
        return self.parts[name]


class BootCase(netns_case.NetnsCase):
    def setUp(self):
        super().setUp()
        signal.alarm(CASE_SECONDS)
        self.keys = self.lab.keys()

    def serve(self, password=PASSPHRASE, server=None, **settings):
        """A Mandos server that has the password. `server`: options as of lab.mandos(); `settings`: as of clients.conf."""
        return self.lab.mandos([self.keys.section(password, **settings)], **(server or {}))

    def image(self, crypttab=CRYPTTAB.format(options=""), settings=None, commands=":", keys=True, mandos_client=False,
              packages=(), added=None):
        """The path of an initial RAM disk. `settings`: as of system_files(). `mandos_client`: that is installed, too, and the keys are
        its. `packages`: what else of Debian is installed, of boot_packages in tools/packages.sh. `added`: {path: (mode, content)} that
        lie over what is in the image, in a second archive behind it."""
        for name in packages:
            if not os.path.isdir(os.path.join(target.PEERS, "packages", name)):
                self.skipTest(f"no package {name} in build/peers/packages (tools/test fetches it)")
        files = system_files(self.keys if keys else None, crypttab, settings, mandos_client)
        signal.alarm(2 * target.IMAGE_SECONDS)  # maybe after somebody else's
        path = debian.initial_ram_disk(files, commands, mandos_client, packages)
        signal.alarm(CASE_SECONDS)
        if not added:
            return path
        with open(path, "rb") as file:
            image = file.read()
        return self.lab.file("initrd", image + b"\0" * (-len(image) % 4) + guest.archive(added))

    def disk(self, passphrase=PASSPHRASE, number=1):
        """The image of an encrypted disk, of which there are several with the same passphrase."""
        return debian.encrypted_disk(passphrase, number)

    def boot(self, image, append="", disks=None, own_pace=True, **options):
        """A guest that boots from the disk with this initial RAM disk."""
        machine = guest.Guest(self.lab, image, append=f"root=/dev/mapper/root ro {append}".strip(),
                              disks=disks or [self.disk()], snapshot=True, own_pace=own_pace, **options)
        self.addCleanup(machine.close)
        return machine

    def typed_although(self, image, serve=True):
        """How a boot goes in which bootkey cannot unlock, and a person types."""
        if serve:
            self.serve()
        machine = self.boot(image)
        machine.wait_for(PROMPT, LIMIT)
        machine.stays_silent_of(UNLOCKED, 3)
        machine.type(TYPED)
        return self.told(machine)

    def told(self, machine):
        """How the boot of an unlocked guest went."""
        machine.wait_for("^ALL TOLD$", LIMIT)
        return Booted(machine.said())

    def assert_put_back(self, booted, up=()):
        """The network is as it was, but for interfaces that may be up, nothing runs, no secret lies about."""
        for line in booted["links"]:
            if line.split(": ")[1] not in up:
                self.assertNotRegex(line, r"[<,]UP[,>]", booted.text)
        self.assertEqual([line for line in booted["routes"] if line], [])
        self.assertFalse([line for line in booted["processes"] if re.search(r"bootkey|gpg|askpass", line)], booted.text)
        self.assertFalse([path for path in booted["files"] if "bootkey" in path
                          and os.path.basename(path) not in ("log", "timeline.json")], booted.text)
        self.assertFalse([path for path in booted["sockets"] if "bootkey" in path], booted.text)
        self.assertNotIn(PASSPHRASE.decode(), booted.text)


    def timeline(self, booted):
        """The run that the timeline tells of, and its attempts."""
        run, *records = json.loads("\n".join(booted["timeline"]))
        return run, [record for record in records if "server" in record]


def main():
    """Run the cases of this file, or say why that is not possible here."""
    reason = why_unavailable()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(netns_case.SKIPPED)
    netns_case.main()
