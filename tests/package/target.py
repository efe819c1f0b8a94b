# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian system to install the package into: the one that tools/packages.sh makes in build/peers/debian, with Debian's
kernel, for each Target anew. What is written into it goes to memory and is gone with the Target; no network can be reached
from there. What many begin with is made once and kept as a layer that lies on the system.
"""

import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPOSITORY, "tests", "netns"))

import namespaces  # noqa: E402

PEERS = os.path.join(REPOSITORY, "build/peers")
PACKAGES = os.path.join(REPOSITORY, "build/package")
# What the package is made from.
SOURCES = ("CMakeLists.txt", "README.md", "NEWS.md", "SECURITY.md", "cmake", "hooks", "include", "initramfs-tools", "man",
           "packaging", "src", "tools/package")
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
               "LC_ALL": "C.UTF-8", "HOME": "/root"}
# Until an image is made on a machine that has much else to do; else it is 10.
IMAGE_SECONDS = 900
# A mode, as ls(1) and cpio(1) write it, with what else lsinitramfs tells of a file.
LISTED = re.compile(r"^(\S{10})\s+\d+\s+(\S+)\s+(\S+)\s+(\d+(?:,\s*\d+)?)\s+\w+\s+\d+\s+[\d:]+\s+(.*?)(?: -> (.*))?$")


def why_unavailable():
    """None if packages can be installed here, else the reason in words."""
    missing = [path for path in ("build/peers/debian", "build/peers/linux") if not os.path.isdir(os.path.join(REPOSITORY, path))]
    missing_programs = [name for name in ("dh", "lintian", "depmod") if not shutil.which(name)]
    if missing_programs:
        return f"not installed: {', '.join(missing_programs)}"
    return namespaces.why_unavailable() or (f"no {', '.join(missing)} (tools/test makes them)" if missing else None)


def _newest(paths):
    times = []
    for path in paths:
        path = os.path.join(REPOSITORY, path)
        for directory, _, files in os.walk(path):
            times += [os.path.getmtime(os.path.join(directory, name)) for name in files]
        if os.path.isfile(path):
            times.append(os.path.getmtime(path))
    return max(times)


def package():
    """The path of the package made from these sources; it is made now if they are newer."""
    os.makedirs(PACKAGES, exist_ok=True)
    with open(os.path.join(PACKAGES, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = glob.glob(os.path.join(PACKAGES, "bootkey_*.deb"))
        if not found or os.path.getmtime(found[0]) < _newest(SOURCES):
            quick = {"BOOTKEY_UNITY_BUILD": "1", **({"BOOTKEY_COMPILER_LAUNCHER": "ccache"} if shutil.which("ccache") else {})}
            subprocess.run([os.path.join(REPOSITORY, "tools/package"), PACKAGES], check=True, stdin=subprocess.DEVNULL,
                           env={**quick, **os.environ})
            found = glob.glob(os.path.join(PACKAGES, "bootkey_*.deb"))
        return found[0]


def layer(name, prepare):
    """The path of what `prepare`, called with a Target, changes in it; kept in build/package under this name until the package changes."""
    with open(package(), "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    path = os.path.join(PACKAGES, "layers", f"{name}-{digest}")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(path):
            for old in glob.glob(os.path.join(PACKAGES, "layers", f"{name}-*")):
                if os.path.isdir(old) and len(old) == len(path):
                    shutil.rmtree(old)
            shutil.rmtree(f"{path}.new", ignore_errors=True)
            with Target() as system:
                prepare(system)
                system.keep_changes(f"{path}.new")
            os.rename(f"{path}.new", path)
    return path


def installed():
    """The layer with the package installed, and no image yet."""
    return layer("installed", Target.install)


def kernel():
    """The release of the kernel in build/peers/linux, whose modules are indexed now if they are not yet."""
    release = os.path.basename(glob.glob(os.path.join(PEERS, "linux/lib/modules/*"))[0])
    with open(os.path.join(PEERS, "linux/lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(PEERS, f"linux/lib/modules/{release}/modules.dep")):
            subprocess.run(["depmod", "--basedir", os.path.join(PEERS, "linux"), release], check=True)
    return release


class File:
    """A file in an image: `mode` (as ls(1) writes it), `owner`, `size`, and where a link leads to."""

    def __init__(self, mode, owner, size, link):
        self.mode, self.owner, self.size, self.link = mode, owner, size, link

    def __repr__(self):
        return f"{self.mode} {self.owner} {self.size}" + (f" -> {self.link}" if self.link else "")


# What /sys shows of a network card of virtio, which hangs on PCI.
CARD = """
mount -t tmpfs sys /sys
mkdir -p /sys/class/net /sys/devices/pci0/virtio1/net/eth0 /sys/devices/virtual/net/lo
ln -s ../../devices/pci0/virtio1/net/eth0 ../../devices/virtual/net/lo /sys/class/net/
ln -s ../.. /sys/devices/pci0/virtio1/net/eth0/device
echo virtio:d00000001v00001AF4 >/sys/devices/pci0/virtio1/modalias
echo pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00 >/sys/devices/pci0/modalias
"""


class Target:
    """One system; a context manager. `running`: whether it is as on a running machine, with a network card in /sys and file
    systems in memory, or a bare chroot. `on`: what layer() has returned, if it is to begin with that."""

    def __init__(self, running=True, on=None):
        self._running = running
        self._lower = f"{on}:{PEERS}/debian" if on else f"{PEERS}/debian"

    def __enter__(self):
        self._directory = tempfile.mkdtemp(prefix="bootkey-target-", dir="/tmp")
        self._namespaces = None
        try:
            self._set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _set_up(self):
        for name in ("scratch", "layers", "root"):
            os.mkdir(os.path.join(self._directory, name))
        self._namespaces = namespaces.Namespaces(os.path.join(self._directory, "scratch"), [self._directory, PEERS, PACKAGES])
        self.root = os.path.join(self._directory, "root")
        self.kernel = kernel()
        self._namespaces.check(["sh", "-e", "-c", f"""
            cd {self._directory}
            mount -t tmpfs -o mode=0755 layers layers
            mkdir layers/upper layers/work
            mount -t overlay -o lowerdir={self._lower},upperdir=layers/upper,workdir=layers/work overlay root
            mkdir -p root/lib/modules/{self.kernel} root/etc/initramfs-tools/conf.d
            mount --bind {PEERS}/linux/lib/modules/{self.kernel} root/lib/modules/{self.kernel}
            mount -o remount,bind,ro root/lib/modules/{self.kernel}
            cp {PEERS}/linux/boot/* root/boot/
            mount -t proc proc root/proc
            for node in null zero urandom; do
                [ -e root/dev/$node ] || : >root/dev/$node
                mount --bind /dev/$node root/dev/$node
            done
            """])
        if self._running:
            self.shell("mount -t tmpfs -o mode=0755 tmpfs /run" + CARD)
        # Few modules, so that an image takes seconds.
        self.write("/etc/initramfs-tools/conf.d/few-modules", "MODULES=list\n")
        self.write("/etc/crypttab", "root_crypt UUID=6d5f4dc5-3f5b-4c83-9a48-f1ecf6a4d3b1 none luks,initramfs\n")

    def __exit__(self, *_):
        if self._namespaces:
            self._namespaces.close()
        shutil.rmtree(self._directory)

    def run(self, command, timeout=60):
        """Run a program in the system; a namespaces.Result."""
        return self._namespaces.run(["chroot", self.root, *command], timeout=timeout, environment=ENVIRONMENT)

    def check(self, *command, timeout=60):
        """The same, which must succeed; all that it said."""
        result = self.run(command, timeout)
        if result.status != 0:
            raise AssertionError(f"{' '.join(command)}: status {result.status}\n{result.output.decode()}{result.errors}")
        return result.output.decode() + result.errors

    def shell(self, script, timeout=60):
        """Run shell commands in the system, which must succeed; all that they said."""
        return self.check("sh", "-e", "-c", script, timeout=timeout)

    def outside(self, script):
        """Run shell commands beside the system, which is at `root` there; they must succeed."""
        self._namespaces.check(["sh", "-e", "-c", script], timeout=IMAGE_SECONDS)

    def write(self, path, text, mode=0o644):
        """Write a file of the system: text or bytes."""
        self._namespaces.call(_write, self.root + path, text, mode)

    def copy(self, source, path):
        """Copy a file or directory of the machine into the system."""
        self._namespaces.check(["sh", "-e", "-c", 'mkdir -p "${2%/*}"; cp -a "$1" "$2"', "sh", source, self.root + path])

    def install(self):
        """Install the package; all that was said."""
        copy = "/root/" + os.path.basename(package())
        self.copy(package(), copy)
        return self.check("dpkg", "--install", copy, timeout=IMAGE_SECONDS)

    def install_of_debian(self, name):
        """Install one of the packages that tools/packages.sh has fetched as boot_packages; all that was said."""
        self.copy(os.path.join(PEERS, "packages", name), f"/root/{name}")
        return self.shell(f"dpkg --install /root/{name}/*.deb", timeout=IMAGE_SECONDS)

    def upgrade(self):
        """Bring the system to the next release of Debian, with the packages that tools/packages.sh has fetched for that; all that was said."""
        self.copy(os.path.join(PEERS, "upgrade"), "/upgrade")
        return self.shell("export APT_CONFIG=/upgrade/apt.conf; apt-get --no-download -y dist-upgrade", timeout=IMAGE_SECONDS)

    def make_image(self):
        """Make the kernel's image anew; all that was said."""
        mode = "-u" if self.exists(self.image) else "-c"
        return self.check("update-initramfs", mode, "-k", self.kernel, timeout=IMAGE_SECONDS)

    @property
    def image(self):
        return f"/boot/initrd.img-{self.kernel}"

    def exists(self, path):
        return self.run(["test", "-e", path]).status == 0

    def mode(self, path):
        """Mode and owner of a file, as in "600 root"."""
        return self.check("stat", "--format=%a %U", path).strip()

    def size(self, path):
        return int(self.check("stat", "--format=%s", path))

    def files(self):
        """What is in the image: {path: File}. Paths have no slash at the start."""
        found = {}
        for line in self.check("lsinitramfs", "-l", self.image).splitlines():
            match = LISTED.match(line)
            if match:
                mode, owner, _, size, path, link = match.groups()
                found[path] = File(mode, owner, int(size) if size.isdecimal() else 0, link)
        return found

    def unpack(self):
        """Unpack the image; the directory, as the system sees it."""
        self.shell(f"rm -rf /tmp/image; unmkinitramfs {self.image} /tmp/image")
        return "/tmp/image/main" if self.exists("/tmp/image/main") else "/tmp/image"

    def export(self, path):
        """Copy a file or directory of the system, with owners and modes, to where the machine sees it; its path there."""
        copy = os.path.join(self._directory, "exported")
        self._namespaces.check(["cp", "-a", self.root + path, copy])
        return copy

    def keep_changes(self, path):
        """Copy what has been changed in the system since it is there, in the form that an overlay is made of."""
        self._namespaces.check(["cp", "-a", os.path.join(self._directory, "layers/upper"), path], timeout=60)

    def read_inside(self, path):
        """The text of a file in the image, which unpack() has unpacked."""
        return self.check("cat", f"{'/tmp/image/main' if self.exists('/tmp/image/main') else '/tmp/image'}/{path}")


def _write(path, text, mode):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)


if __name__ == "__main__":
    reason = why_unavailable()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    print(package())
