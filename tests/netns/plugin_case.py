# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cases of set-user-ID use have in common: the plugin as it is in the initial RAM disk.

It is a copy of the program, 4755 and root's, in a root directory laid out as there.
"""

import os

import netns_case

NOBODY = 65534
ROOT = "/mnt"  # the plugin's root directory, as the host sees it
PLUGIN = "/lib/mandos/plugins.d/mandos-client"
KEYS = "/conf/conf.d/mandos"
HOOKS = "/lib/mandos/network-hooks.d"
SECRET = "/run/secret"  # only root can read it
SECRET_TEXT = "kept-from-everybody-but-root"

_MAKE_ROOT = """
set -e
mount -t tmpfs -o mode=0755 root "$1"
cd "$1"
for directory in usr etc proc sys dev run tmp; do
    mkdir $directory
    mount --rbind /$directory $directory
done
ln -s usr/bin usr/sbin usr/lib64 .
mkdir -p conf/conf.d/mandos lib
ln -s /usr/lib/* lib/
rm -f lib/mandos
mkdir -p lib/mandos/plugins.d lib/mandos/network-hooks.d
"""


class PluginCase(netns_case.NetnsCase):
    def setUp(self):
        super().setUp()
        self.keys = self.lab.keys()
        self.client = self.lab.client()

    def make_root(self):
        """Lay the client's root directory out, with the plugin, its keys and the secret."""
        self.client.check(["sh", "-c", _MAKE_ROOT, "sh", ROOT])
        self.client.check(["install", "-m", "4755", self.bootkey, ROOT + PLUGIN])
        self.client.check(["cp", "-r", self.keys.directory + "/.", ROOT + KEYS])
        self.client.check(["sh", "-c", f"chown -R 0:0 {ROOT}{KEYS} && chmod -R go-rwx {ROOT}{KEYS}"])
        self.in_root("umask 077; echo %s >%s" % (SECRET_TEXT, SECRET))

    def in_root(self, script):
        """Run a shell script as root in the root directory; what it printed."""
        return self.client.check(["chroot", ROOT, "/bin/sh", "-ec", script])

    def hook(self, script, path=HOOKS + "/hook", mode=0o755):
        """Put a network hook in place."""
        self.in_root(f"mkdir -p {os.path.dirname(path)}; cat >{path} <<'END'\n#!/bin/sh\n{script}\nEND\nchmod {mode:o} {path}")
