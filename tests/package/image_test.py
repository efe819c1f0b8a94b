#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inside of an initial RAM disk, as the package makes it, is enough to get the password from a real Mandos server: programs,
libraries, keys, and rights that do for the processes that are not root.
"""

import subprocess

import target

import netns_case  # noqa: E402, I001 # target has made it known where that is
from netns_case import PASSWORD

# What init makes of it.
ENTER = """
mkdir -p {image}/dev {image}/proc
mount --rbind /dev {image}/dev
mount -t proc proc {image}/proc
mount -t tmpfs -o mode=0755 run {image}/run
exec chroot {image} /usr/sbin/bootkey --verb=4
"""


def with_image():
    """The layer with the package installed, and an image."""
    def prepare(system):
        system.install()
        system.make_image()
    return target.layer("installed-with-image", prepare)


class ImageTest(netns_case.NetnsCase):
    @classmethod
    def setUpClass(cls):
        with_image()  # which takes longer than a case may

    def test_unlocks_from_inside(self):
        with target.Target(on=with_image()) as system:
            system.write("/root/password", PASSWORD.decode())
            section = system.run(["bootkey", "--enroll", "--name=machine", "--password-file=/root/password"])
            self.assertEqual(section.status, 0, section)
            # Owners and modes as they are, out of the file system in memory.
            image = self.lab.path("image")
            subprocess.run(["cp", "-a", system.export(system.unpack()), image], check=True)
        server = self.lab.mandos([section.output.decode()])
        host = self.lab.client()
        result = host.run(["sh", "-e", "-c", ENTER.format(image=image)], timeout=30)
        self.assert_password(result)
        server.stop()


if __name__ == "__main__":
    netns_case.main(target.why_unavailable())  # which takes its lab away in the end
