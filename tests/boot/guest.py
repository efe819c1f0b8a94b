# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of its own for what namespaces cannot give: a kernel and a wall clock. QEMU by software emulation on the lab's LAN.

The initial RAM disk is made here and holds busybox, the programs named with their libraries, the modules for the network card, and
the script that is process 1. The guest speaks on its serial port; it ends when the Guest object is closed.
"""

import glob
import gzip
import os
import re
import select
import shutil
import subprocess
import sys
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPOSITORY, "tests", "netns"))

# In the order in which they need each other.
MODULES = ("virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci failover net_failover virtio_net").split()
PROLOGUE = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin
mkdir -p /proc /sys /dev /run /tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
for module in {modules}; do insmod "/modules/$module.ko"; done
"""


def kernel():
    """The path of a kernel image whose modules are beside it, as tools/packages.sh unpacks them; or None."""
    found = glob.glob(os.path.join(REPOSITORY, "build/peers/linux/boot/vmlinuz-*"))
    return found[0] if found else None


def why_unavailable():
    """None if guests can be run here, else the reason in words."""
    if kernel() is None:
        return "no kernel image in build/peers/linux (tools/test fetches it)"
    if not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun"
    missing = [name for name in ("qemu-system-x86_64", "busybox", "nft") if not shutil.which(name)]
    return f"not installed: {', '.join(missing)}" if missing else None


def libraries(program):
    """The shared libraries that a program needs, the dynamic linker among them."""
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", text)


def archive(files):
    """A cpio archive (newc) of {path: (mode, content)}; directories are added."""
    directories = sorted({parent for path in files for parent in parents(path)})
    entries = [(path, 0o40755, b"") for path in directories]
    entries += [(path, 0o100000 | mode, content) for path, (mode, content) in files.items()]
    data = b""
    for number, (path, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        name = path.lstrip("/").encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        head = b"070701" + "".join(f"{field:08x}" for field in fields).encode() + name
        data += head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)
    return data


def parents(path):
    while len(path := os.path.dirname(path)) > 1:
        yield path


def initial_ram_disk(programs, texts, script):
    """The content of an initial RAM disk. `programs`: paths, or {path inside: path}. `texts`: {path inside: file to copy}."""
    release = os.path.basename(kernel())[len("vmlinuz-"):]
    folder = os.path.join(os.path.dirname(os.path.dirname(kernel())), "lib/modules", release)
    sources = {"/bin/busybox": shutil.which("busybox"), **programs, **texts}
    for program in list(sources.values()):
        sources.update((library, library) for library in libraries(program))
    for module in MODULES:
        sources[f"/modules/{module}.ko"] = glob.glob(f"{folder}/**/{module}.ko", recursive=True)[0]
    files = {}
    for inside, source in sources.items():
        with open(source, "rb") as file:
            files[inside] = (0o600 if inside in texts else 0o755, file.read())
    files["/init"] = (0o755, (PROLOGUE.format(modules=" ".join(MODULES)) + script).encode())
    return gzip.compress(archive(files), 1)


class Guest:
    """A running guest whose network card eth0 is on the LAN of a lab.Lab."""

    def __init__(self, lab, initrd):
        lab.switch.ip("tuntap add dev guest mode tap", "link set guest master lan", "link set guest up")
        path = lab.file("initrd", initrd)
        command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "q35", "-smp", "2", "-m", "512", "-display", "none",
                   "-monitor", "none", "-serial", "stdio", "-no-reboot", "-nodefaults", "-kernel", kernel(), "-initrd", path,
                   "-append", "console=ttyS0 quiet panic=-1", "-netdev", "tap,id=lan,ifname=guest,script=no,downscript=no",
                   "-device", "virtio-net-pci,netdev=lan,romfile="]
        self._output = b""
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         bufsize=0, preexec_fn=lab.switch.join_network)

    def wait_for(self, pattern, timeout):
        """Wait until the guest has said what matches; the match. An AssertionError with all it said if it does not."""
        deadline = time.monotonic() + timeout
        while True:
            match = re.search(pattern, self.said(), re.MULTILINE)
            if match:
                return match
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not select.select([self._process.stdout], [], [], remaining)[0]:
                raise AssertionError(f"the guest did not say {pattern!r} within {timeout} s; it said:\n{self.said()}")
            piece = self._process.stdout.read(65536)
            if not piece:
                raise AssertionError(f"the guest ended without saying {pattern!r}; it said:\n{self.said()}")
            self._output += piece

    def said(self):
        """All that the guest has said so far."""
        return self._output.decode(errors="backslashreplace").replace("\r", "")

    def close(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
