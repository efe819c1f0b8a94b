# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of its own for what namespaces cannot give: a kernel and a wall clock. QEMU by software emulation on the lab's LAN.

The initial RAM disk is made here and holds busybox, the programs named with their libraries, the modules for the network card, and
the script that is process 1. The guest speaks on its serial port; it ends when the Guest object is closed.
"""

import contextlib
import fcntl
import glob
import lzma
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPOSITORY, "tests", "netns"))

# What is made for guests is kept here, by what it is made from.
CACHE = os.path.join(REPOSITORY, "build", "boot")
# Emulation costs what the guest executes: nothing that only a real machine gains by.
COMMAND_LINE = "console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests tsc=reliable no_timer_check"
# For the network card. What they need themselves comes with them; some of it, or all, is built into Debian 13's kernel.
MODULES = ("virtio_pci", "virtio_net")
# With a pace of its own an instruction takes 2^2 ns: a processor about as fast as the emulation on a quiet machine.
NANOSECONDS_SHIFT = 2
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


@contextlib.contextmanager
def made_once(path):
    """Whoever comes first gets a temporary path to make it at, the others wait and get None."""
    os.makedirs(CACHE, exist_ok=True)
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(path):
            yield None
            return
        temporary = f"{path}.new"
        shutil.rmtree(temporary, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            os.remove(temporary)
        yield temporary
        os.rename(temporary, path)


def unpacked_kernel():
    """The path of the same kernel as an ELF file, which QEMU starts by its PVH entry: in the guest, unpacking it takes longer than all else
    that the kernel does. Where things stand: Documentation/x86/boot.rst of Linux. An image that is not made with xz is left as it is."""
    image = kernel()
    path = os.path.join(CACHE, os.path.basename(image).replace("vmlinuz", "vmlinux", 1))
    with made_once(path) as temporary:
        if temporary:
            with open(image, "rb") as file:
                content = file.read()
            offset, length = struct.unpack_from("<II", content, 0x248)  # payload_offset, payload_length
            start = (content[0x1F1] + 1) * 512 + offset  # setup_sects
            payload = content[start:start + length]
            with open(temporary, "wb") as file:
                file.write(lzma.LZMADecompressor().decompress(payload) if payload.startswith(b"\xfd7zXZ") else content)
    return path


def why_unavailable():
    """None if guests can be run here, else the reason in words."""
    if kernel() is None:
        return "no kernel image in build/peers/linux (tools/test fetches it)"
    if not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun"
    missing = [name for name in ("qemu-system-x86_64", "busybox", "modinfo", "nft", "ssh", "wg", "wireguard-go") if not shutil.which(name)]
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
    pieces = []
    for number, (path, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        name = path.lstrip("/").encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        head = b"070701" + "".join(f"{field:08x}" for field in fields).encode() + name
        pieces += [head, b"\0" * (-len(head) % 4), content, b"\0" * (-len(content) % 4)]
    return b"".join(pieces)


def parents(path):
    while len(path := os.path.dirname(path)) > 1:
        yield path


def module_files(folder, names):
    """[path] of kernel modules and of what they need, in the order in which to load them. What is built into the kernel has no file."""
    with open(f"{folder}/modules.builtin") as file:
        builtin = {os.path.basename(line.strip()).removesuffix(".ko").replace("-", "_") for line in file}
    files = []
    for name in names:
        if name.replace("-", "_") in builtin:
            continue
        path = glob.glob(f"{folder}/**/{name.replace('_', '[-_]')}.ko*", recursive=True)[0]
        needed = subprocess.run(["modinfo", "--field=depends", path], capture_output=True, text=True, check=True).stdout.strip()
        files += [file for file in [*module_files(folder, needed.split(",") if needed else ()), path] if file not in files]
    return files


def uncompressed(path):
    """The content of a kernel module, which may be compressed with xz."""
    with open(path, "rb") as file:
        content = file.read()
    return lzma.decompress(content) if path.endswith(".xz") else content


def initial_ram_disk(programs, texts, script):
    """The content of an initial RAM disk. `programs`: paths, or {path inside: path}. `texts`: {path inside: file to copy}."""
    release = os.path.basename(kernel())[len("vmlinuz-"):]
    folder = os.path.join(os.path.dirname(os.path.dirname(kernel())), "lib/modules", release)
    sources = {"/bin/busybox": shutil.which("busybox"), **programs, **texts}
    for program in list(sources.values()):
        sources.update((library, library) for library in libraries(program))
    modules = module_files(folder, MODULES)
    files = {f"/modules/{number}.ko": (0o644, uncompressed(path)) for number, path in enumerate(modules)}
    for inside, source in sources.items():
        with open(source, "rb") as file:
            files[inside] = (0o600 if inside in texts else 0o755, file.read())
    files["/init"] = (0o755, (PROLOGUE.format(modules=" ".join(map(str, range(len(modules))))) + script).encode())
    return archive(files)


class Guest:
    """A running guest; its network cards are on the LAN of a lab.Lab.

    `initrd`: its content, or the path of a file. `kernel`: its path. `append`: more of the kernel's command line. `disks`: paths of
    images, of which nothing is changed if `snapshot`. `cards`: how many network cards. `unplugged`: those of them (0, 1 ...) without
    carrier. `slots`: for cards that are plugged in later. `memory`: in MiB. `processors`: how many. `own_pace`: its clocks go by the
    instructions that its processor, of which there is one then, executes, and by the time that it is idle: what has to be done within
    seconds there has them also where this machine is busy. `more`: other arguments of qemu-system-x86_64(1).
    """

    def __init__(self, lab, initrd, kernel=None, append="", disks=(), snapshot=False, cards=1, unplugged=(), slots=0, memory=512,
                 processors=1, own_pace=False, more=()):
        path = lab.file("initrd", initrd) if isinstance(initrd, bytes) else initrd
        self._monitor = lab.path("guest-monitor")
        with contextlib.suppress(FileNotFoundError):
            os.remove(self._monitor)
        pace = ["tcg,thread=single", "-icount", f"shift={NANOSECONDS_SHIFT},sleep=on"] if own_pace else ["tcg,thread=multi"]
        command = ["qemu-system-x86_64", "-accel", *pace, "-machine", "q35", "-smp", str(processors), "-m", str(memory),
                   "-display", "none", "-monitor", f"unix:{self._monitor},server=on,wait=off", "-serial", "stdio", "-no-reboot",
                   "-nodefaults", "-kernel", kernel or unpacked_kernel(), "-initrd", path, "-append", f"{COMMAND_LINE} {append}".strip(),
                   *more]
        for number, disk in enumerate(disks):
            command += ["-drive", f"file={disk},format=raw,if=none,id=disk{number},snapshot={'on' if snapshot else 'off'}",
                        "-device", f"virtio-blk-pci,drive=disk{number}"]
        for number in range(slots):
            command += ["-device", f"pcie-root-port,id=slot{number},chassis={number + 1}"]
        for number in range(cards + slots):
            name = f"guest{number}"
            if lab.switch.run(["ip", "link", "show", name]).status != 0:
                lab.switch.ip(f"tuntap add dev {name} mode tap", f"link set {name} master lan", f"link set {name} up")
            command += ["-netdev", f"tap,id=lan{number},ifname={name},script=no,downscript=no"]
            if number < cards:
                command += ["-device", self._card(number)]
        self._output = b""
        self._ended = False
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         bufsize=0, preexec_fn=lab.switch.join_network)
        for number in unplugged:
            self.control(f"set_link card{number} off")

        self._next_card = cards

    @staticmethod
    def _card(number):
        return f"virtio-net-pci,netdev=lan{number},id=card{number},mac=52:54:00:00:00:{number + 1:02x},romfile="

    def plug_in_card(self):
        """Put a network card into the next slot."""
        self.control(f"device_add {self._card(self._next_card)},bus=slot0")
        self._next_card += 1

    def control(self, command):
        """Tell QEMU's monitor something."""
        deadline = time.monotonic() + 10
        with socket.socket(socket.AF_UNIX) as monitor:
            while True:
                try:
                    monitor.connect(self._monitor)
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)
            monitor.sendall(f"{command}\n".encode())
            monitor.settimeout(5)
            said = b""
            while said.count(b"(qemu)") < 2:
                piece = monitor.recv(4096)
                if not piece:
                    break
                said += piece

    def type(self, text):
        """Type on the serial console."""
        self._process.stdin.write(text.encode())

    def wait_for(self, pattern, timeout):
        """Wait until the guest has said what matches; the match. An AssertionError with all it said if it does not."""
        deadline = time.monotonic() + timeout
        while True:
            match = re.search(pattern, self.said(), re.MULTILINE)
            if match:
                return match
            if not self._read(deadline):
                why = "ended without saying" if self._ended else f"did not say within {timeout} s:"
                raise AssertionError(f"the guest {why} {pattern!r}; it said:\n{self.said()}")

    def says(self, pattern, seconds):
        """Whether the guest says what matches within that time."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.said(), re.MULTILINE):
            if not self._read(deadline):
                return False
        return True

    def stays_silent_of(self, pattern, seconds):
        """An AssertionError if the guest says what matches, or ends, within that time."""
        if self.says(pattern, seconds) or self._ended:
            raise AssertionError(f"the guest ended or said {pattern!r}; it said:\n{self.said()}")

    def wait_for_end(self, timeout):
        """Wait until the guest has powered itself off."""
        deadline = time.monotonic() + timeout
        while self._read(deadline):
            pass
        if not self._ended:
            raise AssertionError(f"the guest did not end within {timeout} s; it said:\n{self.said()}")
        self._process.wait(10)

    def _read(self, deadline):
        """Take in more of what it says; False at its end, and at the deadline."""
        remaining = deadline - time.monotonic()
        if remaining <= 0 or self._ended or not select.select([self._process.stdout], [], [], remaining)[0]:
            return False
        piece = self._process.stdout.read(65536)
        self._output += piece
        self._ended = not piece
        return bool(piece)

    def said(self):
        """All that the guest has said so far."""
        return self._output.decode(errors="backslashreplace").replace("\r", "")

    def close(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
