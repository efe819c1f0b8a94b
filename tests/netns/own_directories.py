# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab host has for itself of the file system: /proc, /sys, /run, /tmp, /dev, the console level, and no configuration.

prepare() runs in process 1 of new namespaces, before any program does; it makes system calls only, since every host needs it.
"""

import ctypes
import fcntl
import os
import socket
import struct

_libc = ctypes.CDLL(None, use_errno=True)

# <sys/mount.h>
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
# <linux/sockios.h>, <linux/if.h>
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8913, 0x8914, 1, 0x40
_IFREQ = "16sH22x"  # struct ifreq with flags

# What may be installed or configured on the machine for bootkey, for Mandos and for the libraries that they use. Hosts see empty
# directories in their places, so that a test finds what it has made itself, and nothing else.
HIDDEN = ("/etc/keys", "/etc/mandos", "/etc/bootkey", "/etc/gnutls", "/conf/conf.d", "/lib/mandos/network-hooks.d",
          "/etc/initramfs-tools/network-hooks.d", "/root/.gnupg")
CONSOLE_LEVEL = "/proc/sys/kernel/printk"
_OWN_LEVEL = "/dev/.printk"  # the file in its place
_NODES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}


def mount(source, target, kind=None, flags=0, data=None):
    """mount(2)."""
    encoded = [text.encode() if text is not None else None for text in (source, target, kind, data)]
    if _libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), target)


def show_machines_console_level():
    """Take the file away that is in its place."""
    if _libc.umount2(CONSOLE_LEVEL.encode(), MNT_DETACH) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), CONSOLE_LEVEL)


def hide_machines_console_level():
    """Put the file back in its place."""
    mount(_OWN_LEVEL, CONSOLE_LEVEL, None, MS_BIND)


def set_link_up(name):
    """Bring an interface of the network namespace that we are in up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        fcntl.ioctl(channel, SIOCSIFFLAGS, struct.pack(_IFREQ, name.encode(), _link_flags(channel, name) | IFF_UP))


def link_is_up(name, flag=IFF_UP):
    """Whether an interface of the network namespace that we are in is up; with IFF_RUNNING, whether it has a carrier, too."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        return bool(_link_flags(channel, name) & flag)


def _link_flags(channel, name):
    return struct.unpack(_IFREQ, fcntl.ioctl(channel, SIOCGIFFLAGS, struct.pack(_IFREQ, name.encode(), 0)))[1]


def prepare(scratch, kept_paths):
    """Make them. `scratch`: an empty directory, used as a mount point. `kept_paths`: directories below /tmp or /run that stay."""
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount("scratch", scratch, "tmpfs", 0, "mode=0700")
    _make_devices(scratch + "/dev")
    for name, mode in (("run", "0755"), ("tmp", "1777")):
        os.mkdir(f"{scratch}/{name}")
        mount(name, f"{scratch}/{name}", "tmpfs", 0, f"mode={mode}")
    os.mkdir(scratch + "/run/mount")  # which mount(8) would make later
    for kept in kept_paths:
        os.makedirs(scratch + kept, exist_ok=True)
        mount(kept, scratch + kept, None, MS_BIND)
    with open(scratch + _OWN_LEVEL, "w") as file:
        file.write("7\t4\t1\t7\n")
    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs")  # which shows the interfaces of the network namespace where it was mounted
    mount(scratch + _OWN_LEVEL, CONSOLE_LEVEL, None, MS_BIND)
    for path in filter(os.path.isdir, HIDDEN):
        mount("none", os.path.realpath(path), "tmpfs", 0, "mode=0755")
    for name in ("dev", "run", "tmp"):
        mount(f"{scratch}/{name}", f"/{name}", None, MS_BIND | MS_REC)
    set_link_up("lo")


def _make_devices(folder):
    """/dev with what every program expects; its log socket is the lab's, so that the machine's own log stays clean."""
    os.makedirs(folder + "/shm")
    os.chmod(folder, 0o755)
    os.chmod(folder + "/shm", 0o1777)
    for node in _NODES:
        os.close(os.open(f"{folder}/{node}", os.O_CREAT | os.O_WRONLY))
        mount(f"/dev/{node}", f"{folder}/{node}", None, MS_BIND)
    for name, target in _LINKS.items():
        os.symlink(target if target.startswith("/") else f"/proc/self/{target}", f"{folder}/{name}")
