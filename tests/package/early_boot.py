# SPDX-License-Identifier: GPL-3.0-or-later
"""The inside of an initial RAM disk, for running the boot scripts one by one: a directory with busybox, a shell, the
scripts of this repository, and stand-ins for the programs that they start. Scripts are run in it by chroot, in namespaces of
their own, so that /proc/cmdline can be made up and nothing is left behind.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPTS = os.path.join(REPOSITORY, "initramfs-tools")
sys.path.insert(0, os.path.join(REPOSITORY, "tests", "netns"))

import namespaces  # noqa: E402

# Debian's initial RAM disks have busybox, and dash (of klibc) where the admin wants none.
SHELLS = ("busybox", "dash")

# Tells with what it was started, then does what the case asks for in /behaviour.
BOOTKEY = r"""#!/bin/sh
input=$(readlink "/proc/$$/fd/0") output=$(readlink "/proc/$$/fd/1")
printf '%s\n' "$@" "$input" "$output" >"/run/started-${1%%=*}.new"
mv "/run/started-${1%%=*}.new" "/run/started-${1%%=*}"
. /behaviour
"""
ASKPASS = r"""#!/bin/sh
printf '%s' "$1" >/run/prompt
printf 'typed'
"""
FUNCTIONS = r"""
configure_networking() {
    echo "ip=$IP device=$DEVICE" >/run/configured
    sleep 60
}
"""
# Process 1 of namespaces of their own, with which everything else ends.
ENTER = """
mount --make-rprivate / && eval "$3" && cd "$1" && mount -t proc proc proc && mount --bind cmdline proc/cmdline && mount --bind /dev/null dev/null &&
chroot . /bin/sh -c "$2"
exit
"""


def why_unavailable():
    """None if early boots can be played here, else the reason in words."""
    missing = [name for name in SHELLS if not shutil.which(name)]
    return namespaces.why_unavailable() or (f"not installed: {', '.join(missing)}" if missing else None)


class EarlyBoot:
    """One image; a context manager. `shell`: which of SHELLS is /bin/sh in it."""

    def __init__(self, shell):
        self.shell = shell

    def __enter__(self):
        self.root = tempfile.mkdtemp(prefix="bootkey-boot-", dir="/tmp")
        for directory in ("bin", "dev", "etc/bootkey", "lib/bootkey", "lib/cryptsetup", "lib/mandos/network-hooks.d",
                          "cryptroot", "proc", "run", "scratch", "usr/sbin", "sbin"):
            os.makedirs(os.path.join(self.root, directory))
        for name in SHELLS:
            self._add_program(shutil.which(name), f"bin/{name}")
        for applet in ("mkdir", "mv", "rm", "sleep", "cat", "readlink", "ip"):
            os.symlink("busybox", os.path.join(self.root, "bin", applet))
        os.symlink(self.shell, os.path.join(self.root, "bin/sh"))
        shutil.copytree(os.path.join(SCRIPTS, "scripts"), os.path.join(self.root, "scripts"))
        for name in ("functions", "keyscript"):
            shutil.copy(os.path.join(SCRIPTS, name), os.path.join(self.root, "lib/bootkey", name))
        self.write("usr/sbin/bootkey", BOOTKEY, 0o755)
        self.write("behaviour", "exec sleep 60\n")
        self.write("lib/cryptsetup/askpass", ASKPASS, 0o755)
        self.write("scripts/functions", FUNCTIONS)
        self.write("etc/bootkey/client", "client=bootkey\nwhy=no other client is installed\nplugin=no\n")
        self.write("cryptroot/crypttab", "root UUID=1234 none luks\n")
        for device in ("null", "kmsg"):
            self.write(f"dev/{device}", "")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)

    def _add_program(self, program, inside):
        text = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", text):
            target = os.path.join(self.root, library.lstrip("/"))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(library, target)
        shutil.copy(program, os.path.join(self.root, inside))

    def write(self, path, text, mode=0o644):
        """Write a file of the image."""
        path = os.path.join(self.root, path)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)

    def read(self, path):
        """The text of a file of the image; None if there is none."""
        try:
            with open(os.path.join(self.root, path)) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def remove(self, path):
        os.remove(os.path.join(self.root, path))

    def run(self, script, command_line="root=/dev/sda1 ro quiet", environment=None, network=":"):
        """Run shell commands in the image, with this kernel command line; a namespaces.Result. Whatever still runs afterwards is
        killed. `network`: shell commands that make interfaces before, by the machine's programs."""
        self.write("cmdline", command_line + "\n")
        inside = namespaces.start_first(["/bin/sh", "-c", ENTER, "sh", self.root, script, network],
                                        environment={"PATH": "/sbin:/usr/sbin:/bin:/usr/bin", "BOOT": "local", **(environment or {})})
        try:
            return inside.finish()
        finally:
            inside.kill()
