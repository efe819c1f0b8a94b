# SPDX-License-Identifier: GPL-3.0-or-later
"""What an emulated machine boots: initial RAM disks of a Debian system where the package is installed, and an encrypted disk.

Both are kept in build/boot, by what they are made from. The root file system on the disk is tiny: its init tells over the serial port
how the boot went, and powers off. This machine's kernel need not know dm-crypt: cryptsetup encrypts a file by itself.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

import guest
from guest import CACHE, made_once

sys.path.insert(0, os.path.join(guest.REPOSITORY, "tests", "package"))

import install_test  # noqa: E402
import target  # noqa: E402

DISK_MEGABYTES = 32
HEADER_MEGABYTES = 8
# A key derivation that takes no time, so that it does not hide what is looked at.
ENCRYPT = (f"cryptsetup reencrypt --encrypt --batch-mode --disable-locks --type luks2 --reduce-device-size {HEADER_MEGABYTES}M --pbkdf pbkdf2 "
           "--pbkdf-force-iterations 1000 --luks2-metadata-size 16k --luks2-keyslots-size 256k").split()

# Process 1 of the unlocked system.
ROOT_INIT = """#!/bin/busybox sh
export PATH=/bin
echo "ROOT IS MOUNTED $(cut -d ' ' -f 1 /proc/uptime)"
sleep 1  # what is ending may end
tell() { echo "BEGIN $1"; shift; "$@" 2>&1; echo END; }
tell links ip -o link
tell addresses ip -o address
tell routes ip -o route
tell processes ps -o pid,args
tell files find /run -type f
tell sockets find /run -type s
tell log cat /run/bootkey/log
tell timeline cat /run/bootkey/timeline.json
echo "ALL TOLD"
sync
poweroff -f
"""
APPLETS = "sh cut sleep echo ip ps find cat sync poweroff grep mount ls dmesg date od".split()


def digest(*parts):
    """A name for what is made of these."""
    joined = hashlib.sha256()
    for part in parts:
        joined.update(part if isinstance(part, bytes) else str(part).encode())
        joined.update(b"\0")
    return joined.hexdigest()[:16]


def digest_of_file(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def checked(command, **options):
    """Run a command; an AssertionError with what it said if it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)[:200]} ended with {done.returncode}:\n{done.stdout[-8000:]}")
    return done.stdout


def installed(mandos_client, packages):
    """A layer (see target.py) with the package installed, and with mandos-client or these others."""
    if mandos_client:
        return install_test.with_mandos_client()

    def prepare(system):
        for package in packages:
            system.install_of_debian(package)
        system.install()
    return target.layer("-".join(["installed", *packages]), prepare)


def initial_ram_disk(files, commands=":", mandos_client=False, packages=()):
    """The path of an image made in a Debian system where the package is installed, these {path: (mode, content)} are in place, and these
    commands have run; not compressed, which it is not worth. `mandos_client`: that is installed, too. `packages`: others of Debian. What
    was said meanwhile is beside the image, in a file that ends with .log."""
    name = digest(digest_of_file(target.package()), commands, mandos_client, packages,
                  *(f"{path} {mode:o} {digest(text)}" for path, (mode, text) in sorted(files.items())))
    path = os.path.join(CACHE, f"initrd-{name}")
    with made_once(path) as temporary:
        if temporary:
            with target.Target(on=installed(mandos_client, packages)) as system:
                for inside in files:
                    system.write(inside, *reversed(files[inside]))
                said = system.shell(commands, timeout=target.IMAGE_SECONDS) + system.make_image()
                # Debian 13 puts what is compressed already before the compressed part: such an image passes as it is (-f).
                system.shell(f"zstd -q -d -c -f {system.image} >/root/unpacked")
                shutil.move(system.export("/root/unpacked"), temporary)
            with open(f"{path}.log", "w") as log:
                log.write(said)
    return path


def root_image():
    """A file system (ext4) with an init and what it needs, as bytes."""
    with tempfile.TemporaryDirectory(prefix="bootkey-root-") as scratch:
        root = os.path.join(scratch, "root")
        for name in ("bin", "sbin", "proc", "sys", "dev", "run", "tmp", "etc", "root"):
            os.makedirs(f"{root}/{name}")
        for source in [shutil.which("busybox"), *guest.libraries(shutil.which("busybox"))]:
            target = f"{root}/bin/busybox" if source.endswith("busybox") else root + source
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(source, target)
        for applet in APPLETS:
            os.symlink("busybox", f"{root}/bin/{applet}")
        with open(f"{root}/sbin/init", "w") as file:
            file.write(ROOT_INIT)
        os.chmod(f"{root}/sbin/init", 0o755)
        image = os.path.join(scratch, "image")
        checked(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-L", "root", "-d", root, image, f"{DISK_MEGABYTES - HEADER_MEGABYTES}M"])
        with open(image, "rb") as file:
            return file.read()


def encrypted_disk(passphrase, number=1):
    """The path of a disk image: LUKS2 with this passphrase, and in it the root file system. `number`: which one of several such disks."""
    image = root_image_cached()
    path = os.path.join(CACHE, f"disk-{digest(passphrase, number, digest_of_file(image), *ENCRYPT)}")
    with made_once(path) as temporary:
        if temporary:
            shutil.copyfile(image, temporary)
            encrypt(temporary, passphrase)
    return path


def encrypt(path, passphrase):
    """Make LUKS2 with this passphrase out of the image of a file system, which grows by the header."""
    os.truncate(path, os.path.getsize(path) + (HEADER_MEGABYTES << 20))
    with tempfile.NamedTemporaryFile(prefix="bootkey-passphrase-") as file:
        file.write(passphrase)
        file.flush()
        checked([*ENCRYPT, "--key-file", file.name, path], cwd=CACHE)  # where it puts a header meanwhile


def root_image_cached():
    """The path of root_image()."""
    path = os.path.join(CACHE, f"root-{digest(ROOT_INIT)}")
    with made_once(path) as temporary:
        if temporary:
            with open(temporary, "wb") as file:
                file.write(root_image())
    return path
