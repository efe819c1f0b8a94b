# SPDX-License-Identifier: GPL-3.0-or-later
"""The disks of a whole Debian system with systemd: an encrypted one, and one for /boot, which can be read from outside.

Both are made once, in build/boot. Root is logged in on the serial console, and has bootkey's package in the home directory.
"""

import glob
import os
import shutil
import tempfile

import debian
import guest
import target

ROOT_MEGABYTES, BOOT_MEGABYTES = 1000, 250
PROMPT = r"root@machine:\S*# "  # of root's shell
LOGIN = """[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200 %I $TERM
"""
FILES = {
    "/etc/crypttab": "root /dev/vda none luks,initramfs\n",
    "/etc/fstab": "/dev/mapper/root / ext4 rw 0 1\n/dev/vdb /boot ext4 rw 0 2\n",
    "/etc/hostname": "machine\n",
    "/etc/systemd/network/lan.network": "[Match]\nName=en*\n[Network]\nLinkLocalAddressing=ipv6\n",
    "/etc/systemd/system/serial-getty@ttyS0.service.d/login.conf": LOGIN,
}
# Kernel modules that such a system has use for; all of them take hundreds of megabytes.
MODULES = "arch crypto fs/ext4 fs/jbd2 fs/mbcache.ko* lib net drivers/block drivers/char drivers/md drivers/net/*virtio* drivers/net/net_failover* drivers/virtio"


def _make(folder, passphrase, modules):
    with target.Target() as system:
        system.copy(os.path.join(target.PEERS, "packages/systemd-sysv"), "/root/systemd-sysv")
        # apt-get knows the order in which they have to be installed.
        system.shell("apt-get install -y --no-install-recommends /root/systemd-sysv/*.deb", timeout=target.IMAGE_SECONDS)
        for path, text in {**FILES, "/etc/initramfs-tools/modules": modules}.items():
            system.write(path, text)
        system.shell("systemctl enable systemd-networkd")
        system.copy(target.package(), "/root/")
        system.make_image()
        root, boot = f"{folder}/root", f"{folder}/boot"
        release = system.kernel
        # What is mounted over the system stays outside.
        system.outside(f"""
            copy=$(mktemp -d)
            mount -t tmpfs tmpfs "$copy"
            cp -a --one-file-system {system.root}/. "$copy"
            rm -rf "$copy"/root/systemd-sysv
            modules="$copy/lib/modules/{release}"
            mkdir -p "$modules/kernel"
            cd {target.PEERS}/linux/lib/modules/{release}
            cp modules.* "$modules"
            cd kernel
            for path in {MODULES}; do
                [ ! -e "$path" ] || cp -a --parents "$path" "$modules/kernel"
            done
            depmod --basedir "$copy" {release}
            mke2fs -q -t ext4 -L boot -d "$copy/boot" {boot} {BOOT_MEGABYTES}M
            rm -rf "$copy"/boot/*
            mke2fs -q -t ext4 -L root -d "$copy" {root} {ROOT_MEGABYTES}M
            """)
    debian.encrypt(root, passphrase)


def disks(passphrase, modules, folder):
    """Paths of the two disks, for `/` and `/boot`: copies in the folder, which may be changed."""
    name = debian.digest(debian.digest_of_file(target.package()), passphrase, modules, *FILES, *FILES.values())
    made = os.path.join(guest.CACHE, f"system-{name}")
    with guest.made_once(made) as temporary:
        if temporary:
            for old in glob.glob(os.path.join(guest.CACHE, "system-*/")):  # each takes more than a gigabyte
                if old.rstrip("/") != temporary:
                    shutil.rmtree(old)
            os.mkdir(temporary)
            _make(temporary, passphrase, modules)
    return [shutil.copy(os.path.join(made, disk), os.path.join(folder, disk)) for disk in ("root", "boot")]


def initial_ram_disk(boot):
    """The content of the image on the disk for /boot."""
    release = os.path.basename(glob.glob(os.path.join(target.PEERS, "linux/lib/modules/*"))[0])
    with tempfile.NamedTemporaryFile(prefix="bootkey-initrd-") as file:
        debian.checked(["debugfs", "-R", f"dump /initrd.img-{release} {file.name}", boot])
        return file.read()
