#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package, from its installation to its purge, in a Debian system of its own; and the images that come of it."""

import os
import re
import sys
import unittest

import package_case
import target

KEYS = ("pubkey.txt", "seckey.txt", "tls-pubkey.pem", "tls-privkey.pem")
INSIDE = "conf/conf.d/mandos/"
BACKGROUND = ("scripts/init-premount/bootkey", "scripts/local-bottom/bootkey", "scripts/init-bottom/bootkey")


class TargetCase(unittest.TestCase):
    def new_target(self, **options):
        system = target.Target(**options)
        system.__enter__()
        self.addCleanup(system.__exit__, None, None, None)
        return system

    def client(self, system):
        """What the image says about who is to unlock."""
        system.unpack()
        return dict(line.split("=", 1) for line in system.read_inside("etc/bootkey/client").splitlines())

    def assert_bootkey_inside(self, system):
        files = system.files()
        self.assertEqual(self.client(system)["client"], "bootkey")
        for path in ("usr/sbin/bootkey", "usr/bin/gpg", "usr/bin/gpg-agent", "usr/lib/bootkey/keyscript",
                     "usr/lib/cryptsetup/askpass"):
            self.assertEqual((files[path].mode, files[path].owner), ("-rwxr-xr-x", "root"), path)
        for path in BACKGROUND:
            self.assertIn(path, files)
        self.assertEqual(files[INSIDE.rstrip("/")].mode, "drwx------")
        for name in ("pubkey.txt", "seckey.txt"):
            self.assertEqual((files[INSIDE + name].mode, files[INSIDE + name].owner), ("-r--------", "root"))
        return files

    def assert_no_bootkey_inside(self, system):
        files = system.files()
        for path in ("usr/sbin/bootkey", INSIDE + "seckey.txt", *BACKGROUND):
            self.assertNotIn(path, files)
        return files


def with_image():
    """The layer with an image, and without the package."""
    return target.layer("image", target.Target.make_image)


class LifeTest(TargetCase):
    def test_from_installation_to_purge(self):
        system = self.new_target(on=with_image())
        before = system.size(system.image)
        self.assertEqual(system.mode(system.image), "644 root")
        system.shell(f"cp -p {system.image} {system.image}.bak")

        # Installation: keys, an image with them, and no image that others can read.
        said = system.install()
        self.assertIn("made keys in /etc/keys/bootkey", said)
        self.assertEqual(system.mode("/etc/keys/bootkey"), "700 root")
        self.assertEqual(system.mode("/etc/keys/bootkey/seckey.txt"), "600 root")
        self.assertEqual(system.mode("/usr/sbin/bootkey"), "755 root")
        for image in (system.image, system.image + ".bak"):
            self.assertEqual(system.mode(image), "600 root")
        self.assert_bootkey_inside(system)
        self.assertNotRegex(said, "(?m)^W: bootkey|command not found")
        growth = system.size(system.image) - before
        print(f"the image grew by {growth / 1e6:.2f} MB to {system.size(system.image) / 1e6:.2f} MB", file=sys.stderr)
        # 5.7 MB on Debian 12, of which gpg, GnuTLS and their libraries are 5.2; 6.3 MB on later releases.
        self.assertLess(growth, 6_200_000 if system.check("cat", "/etc/debian_version").startswith("12.") else 6_900_000)

        # An upgrade, here to itself, changes no keys and no settings.
        system.shell("echo verb=4 >>/etc/bootkey/bootkey.conf")
        keys = system.shell("sha256sum /etc/keys/bootkey/*")
        system.install()
        self.assertEqual(system.shell("sha256sum /etc/keys/bootkey/*"), keys)
        self.assertIn("verb=4", system.check("cat", "/etc/bootkey/bootkey.conf"))
        self.assertEqual(system.mode(system.image), "600 root")

        # Removal: images without keys; the keys and settings stay.
        system.check("dpkg", "--remove", "bootkey", timeout=target.IMAGE_SECONDS)
        files = self.assert_no_bootkey_inside(system)
        self.assertFalse([path for path in files if "bootkey" in path])
        self.assertEqual(system.shell("sha256sum /etc/keys/bootkey/*"), keys)
        self.assertTrue(system.exists("/etc/bootkey/bootkey.conf"))

        # Purge: the keys go, but not for good.
        system.check("dpkg", "--purge", "bootkey")
        for path in ("/etc/keys/bootkey", "/etc/bootkey"):
            self.assertFalse(system.exists(path), path)
        backup = system.shell("ls -d /var/backups/bootkey-2*").strip()
        self.assertEqual(system.mode(backup), "700 root")
        self.assertEqual(system.shell(f"cd {backup}; sha256sum *").split()[::2], keys.split()[::2])

    def test_version_is_the_program_s(self):
        system = self.new_target(on=target.installed())
        version = system.check("dpkg-query", "-W", "-f", "${Version}", "bootkey")
        self.assertIn(version, system.check("bootkey", "--version"))

    def test_in_a_bare_chroot(self):
        """Without file systems in memory, kernel or images, as while a system is set up."""
        system = self.new_target(running=False)
        system.shell("rm /boot/*")
        system.install()
        self.assertEqual(system.mode("/etc/keys/bootkey/seckey.txt"), "600 root")
        self.assertEqual(system.shell("ls /boot"), "")


class UpgradeTest(TargetCase):
    def test_of_debian_keeps_keys_settings_and_client(self):
        if not os.path.isdir(os.path.join(target.PEERS, "upgrade")):
            self.skipTest("tools/test has fetched no later release of Debian")
        system = self.new_target(on=target.installed())
        system.shell("echo verb=4 >>/etc/bootkey/bootkey.conf; echo CLIENT=none >>/etc/bootkey/initramfs.conf")
        system.make_image()
        image = system.check("sha256sum", system.image)
        kept = "cat /etc/bootkey/*.conf; cd /etc/keys/bootkey; stat --format='%n %a %U %Y' . *; sha256sum *"
        before = system.shell(kept)
        version = system.check("cat", "/etc/debian_version").strip()
        system.upgrade()
        self.assertNotEqual(system.check("cat", "/etc/debian_version").strip(), version)
        self.assertEqual(system.shell(kept), before)
        self.assertNotEqual(system.check("sha256sum", system.image), image)  # the upgrade has made it again
        self.assertEqual(self.client(system)["client"], "none")

        # The same package goes on there, and can be installed there.
        system.shell("sed -i '/^CLIENT=/d' /etc/bootkey/initramfs.conf")
        said = system.install()
        self.assertNotIn("made keys", said)
        self.assertIn("bootkey ", system.check("bootkey", "--version"))
        self.assert_bootkey_inside(system)
        self.assertEqual(system.shell("sha256sum /etc/keys/bootkey/*").split()[::2],
                         [line.split()[0] for line in before.splitlines() if re.match(r"[0-9a-f]{64} ", line)])


class MandosKeysTest(TargetCase):
    def test_mandos_client_s_keys_are_used_and_left_as_they_are(self):
        system = self.new_target(on=with_image())
        make_mandos_keys(system)
        before = system.shell("stat --format='%n %a %U %Y' /etc/keys/mandos/*; sha256sum /etc/keys/mandos/*")
        self.assertNotIn("made keys", system.install())
        self.assertEqual(system.shell("stat --format='%n %a %U %Y' /etc/keys/mandos/*; sha256sum /etc/keys/mandos/*"), before)
        self.assert_bootkey_inside(system)
        system.check("dpkg", "--purge", "bootkey", timeout=target.IMAGE_SECONDS)
        self.assertEqual(system.shell("stat --format='%n %a %U %Y' /etc/keys/mandos/*; sha256sum /etc/keys/mandos/*"), before)


def make_mandos_keys(system):
    """Key files such as mandos-client's, but for what is in them."""
    for name in KEYS:
        system.write(f"/etc/keys/mandos/{name}", f"content of {name}\n", 0o600)


def install_mandos_client(system):
    """What of Debian's mandos-client goes into an image."""
    source = os.path.join(target.PEERS, "mandos-client")
    for path in ("/usr/share/initramfs-tools/hooks/mandos", "/usr/share/initramfs-tools/conf-hooks.d/zz-mandos",
                 "/usr/share/initramfs-tools/conf.d/mandos-conf", "/usr/share/initramfs-tools/scripts/init-premount/mandos",
                 "/usr/share/initramfs-tools/scripts/local-premount/mandos", "/usr/lib/x86_64-linux-gnu/mandos",
                 "/etc/mandos"):
        system.copy(source + path, path)
    system.write("/usr/bin/dpkg-architecture", "#!/bin/sh\necho x86_64-linux-gnu\n", 0o755)
    make_mandos_keys(system)


def with_mandos_client():
    """The layer with the package installed where Debian's mandos-client is."""
    def prepare(system):
        install_mandos_client(system)
        system.install()
    return target.layer("installed-mandos-client", prepare)


def make_image(system):
    """Make the image; what the hook said of bootkey."""
    return "\n".join(re.findall(r"(?m)^[WI]: bootkey: .*$", system.make_image()))


class ImageCase(TargetCase):
    def modules(self):
        """The names of the kernel modules in the image, and of those that are built into its kernel (virtio_pci in Debian 13's)."""
        with open(f"{target.PEERS}/linux/lib/modules/{self.system.kernel}/modules.builtin") as builtin:
            paths = [*builtin.read().split(), *(path for path in self.system.files() if re.search(r"\.ko(\.xz)?$", path))]
        return {os.path.basename(path).split(".ko")[0] for path in paths}


class SharedImageCase(ImageCase):
    """Cases that look at one image, and leave it as it is."""

    @classmethod
    def setUpClass(cls):
        cls.system = target.Target(on=target.installed())
        cls.system.__enter__()
        cls.addClassCleanup(cls.system.__exit__, None, None, None)
        cls.set_up_system()
        cls.said = make_image(cls.system)

    def setUp(self):
        before = self.state()
        self.addCleanup(lambda: self.assertEqual(self.state(), before, "the image is as it was for the next case"))

    def state(self):
        return self.system.check("sha256sum", self.system.image) + self.system.mode(self.system.image)


class ManySettingsTest(SharedImageCase):
    """What the hook makes of settings that go together."""

    @classmethod
    def set_up_system(cls):
        system = cls.system
        system.write("/usr/share/initramfs-tools/conf-hooks.d/zz-other", "UMASK=0022\n")
        system.write("/etc/bootkey/bootkey.conf", "# a comment\nrequire-signature = /etc/bootkey/signers.asc  # mine\n"
                                                  "dh-params /srv/dh.pem\nretry=3\ninterface=eth0\ninterface=vlan7,eth1\n")
        system.write("/etc/bootkey/signers.asc", "signers")
        system.write("/etc/bootkey/network-hooks.d/vlan", """#!/bin/sh
            case $1 in
                files) echo /usr/bin/env; echo /etc/hostname /etc/name; env >/tmp/hook-environment ;;
                modules) echo 8021q ;;
            esac\n""", 0o755)
        system.write("/etc/bootkey/network-hooks.d/vlan.conf", "ID=7\n")
        system.write("/etc/bootkey/network-hooks.d/no hook", "#!/bin/sh\n", 0o755)
        system.write("/etc/mandos/network-hooks.d/vlan", "#!/bin/sh\n[ $1 = modules ] && echo bonding\n", 0o755)
        system.write("/etc/mandos/network-hooks.d/bridge", "#!/bin/sh\nexit 3\n", 0o755)
        system.shell("echo target >/etc/hostname")

    def test_nobody_but_root_can_read_the_image_whatever_others_say(self):
        self.assertEqual(self.system.mode(self.system.image), "600 root")
        files = self.assert_bootkey_inside(self.system)
        for path, file in files.items():  # what gives up root still can run programs
            if file.mode[0] == "d" and re.match(r"usr(/s?bin|/lib|/lib/x86_64-linux-gnu)?$|etc$", path):
                self.assertEqual(file.mode, "drwxr-xr-x", path)

    def test_the_programs_run_inside(self):
        inside = self.system.unpack()
        for program in ("/usr/sbin/bootkey", "/usr/bin/gpg", "/usr/bin/gpg-agent"):
            self.assertRegex(self.system.check("chroot", inside, program, "--version"), r"\d")

    def test_the_configuration_and_the_files_named_in_it(self):
        self.assertIn("names /srv/dh.pem, which does not exist", self.said)
        files = self.assert_bootkey_inside(self.system)
        self.assertEqual(files["etc/bootkey/bootkey.conf"].mode, "-rw-------")
        self.assertEqual(files["etc/bootkey/signers.asc"].mode, "-r--------")

    def test_network_hooks_and_what_they_ask_for(self):
        self.assertIn('network hook /etc/mandos/network-hooks.d/bridge failed with "files"', self.said)
        files = self.assert_bootkey_inside(self.system)
        for path in ("usr/lib/mandos/network-hooks.d/vlan", "usr/lib/mandos/network-hooks.d/bridge", "usr/bin/env"):
            self.assertEqual(files[path].mode, "-rwxr-xr-x", path)
        self.assertEqual(files["usr/bin/env"].size, self.system.size("/usr/bin/env"), "it is the program, not busybox's applet")
        for path in ("usr/lib/mandos/network-hooks.d/vlan.conf", "etc/name"):
            self.assertIn(path, files)
        self.assertNotIn("usr/lib/mandos/network-hooks.d/no hook", files)
        self.assertIn("8021q", self.modules())
        self.assertNotIn("bonding", self.modules())
        self.assertIn("8021q", self.system.read_inside("conf/modules").split())
        environment = self.system.check("cat", "/tmp/hook-environment").splitlines()
        self.assertEqual({line for line in environment if not line.startswith(("PWD=", "PATH=", "_="))},
                         {"MANDOSNETHOOKDIR=/etc/bootkey/network-hooks.d", "DEVICE=eth0,vlan7,eth1", "MODE=files", "VERBOSITY=0"})

    def test_drivers_of_the_machine_s_cards_alone(self):
        modules = self.modules()
        self.assertLess({"virtio_net", "virtio_pci"}, modules)
        self.assertFalse({"e1000e", "r8169"} & modules)


class StricterSettingsTest(SharedImageCase):
    """What the hook makes of what the admin wants otherwise."""

    @classmethod
    def set_up_system(cls):
        cls.system.write("/etc/initramfs-tools/conf.d/mine", "UMASK=0277\n")
        cls.system.write("/etc/bootkey/initramfs.conf", "NET_MODULES='e1000e igb'\n")

    def test_a_stricter_umask_of_the_admin_stays(self):
        self.assertEqual(self.system.mode(self.system.image), "400 root")

    def test_drivers_that_the_admin_lists(self):
        modules = self.modules()
        self.assertLess({"e1000e", "igb"}, modules)
        self.assertNotIn("virtio_net", modules)


class WithoutTest(ImageCase):
    """Images of a system where something is missing or wrong."""

    def setUp(self):
        self.system = self.new_target(on=target.installed())

    def image(self):
        return make_image(self.system)

    def test_keys_are_missing(self):
        self.system.shell("rm /etc/keys/bootkey/seckey.txt")
        self.assertIn("there are no keys", self.image())
        self.assert_no_bootkey_inside(self.system)
        self.assertEqual(self.client(self.system)["client"], "none")
        self.assertIn("usr/lib/cryptsetup/askpass", self.system.files())

    def test_settings_are_broken(self):
        self.system.write("/etc/bootkey/initramfs.conf", "CLIENT=(\n")
        self.assertIn("left out", self.image())
        self.assert_no_bootkey_inside(self.system)

    def test_all_drivers_where_no_card_can_be_seen(self):
        self.system.shell("umount /sys")
        self.image()
        self.assertLess({"virtio_net", "virtio_pci", "e1000e", "r8169"}, self.modules())


class BesideMandosTest(TargetCase):
    MANDOS = ("scripts/init-premount/mandos", "scripts/local-premount/mandos")

    def setUp(self):
        self.system = self.new_target(on=with_mandos_client())

    def order(self, directory):
        """The scripts that are run at boot from this directory."""
        text = self.system.read_inside(f"scripts/{directory}/ORDER") if self.system.exists(
            f"{self.system.unpack()}/scripts/{directory}/ORDER") else ""
        return {os.path.basename(line.split()[0]) for line in text.splitlines() if line.startswith("/scripts/")}

    def test_mandos_client_goes_on_until_told_otherwise(self):
        self.system.make_image()
        files = self.assert_no_bootkey_key_changes()
        for path in self.MANDOS:
            self.assertIn(path, files)
        self.assertEqual(self.client(self.system)["client"], "mandos-client")
        self.assertEqual(self.order("init-premount") & {"mandos", "bootkey"}, {"mandos"})
        self.assertNotIn("usr/sbin/bootkey", files)
        self.assertEqual(files["usr/lib/x86_64-linux-gnu"].mode, "drwxr-xr-x")  # for its plugins, which are not root

    def assert_no_bootkey_key_changes(self):
        files = self.system.files()
        self.assertIn(INSIDE + "seckey.txt", files)
        self.assertEqual(files[INSIDE.rstrip("/")].mode, "drwxr-xr-x")
        return files

    def test_bootkey_takes_over_by_one_setting(self):
        self.system.shell("sed -i s/^CLIENT=.*/CLIENT=bootkey/ /etc/bootkey/initramfs.conf")
        self.system.make_image()
        files = self.assert_bootkey_inside(self.system)
        for path in self.MANDOS:
            self.assertNotIn(path, files)
        self.assertEqual(self.order("init-premount") & {"mandos", "bootkey"}, {"bootkey"})
        self.assertEqual(self.system.read_inside(INSIDE + "tls-privkey.pem"), "content of tls-privkey.pem\n")
        self.assertEqual(self.system.mode(self.system.image), "600 root")

    def test_bootkey_s_keyscript_in_the_crypttab_says_the_same(self):
        self.system.write("/etc/crypttab", "root_crypt UUID=6d5f4dc5 none luks,initramfs,keyscript=/lib/bootkey/keyscript\n")
        self.system.make_image()
        self.assert_bootkey_inside(self.system)
        self.assertEqual(self.order("init-premount") & {"mandos", "bootkey"}, {"bootkey"})
        self.assertIn("keyscript=/lib/bootkey/keyscript", self.system.read_inside("cryptroot/crypttab"))

    def test_as_a_plugin_of_plugin_runner(self):
        self.system.shell("mkdir -p /etc/mandos/plugins.d; ln -s /usr/sbin/bootkey /etc/mandos/plugins.d/mandos-client")
        self.system.make_image()
        files = self.system.files()
        plugin = files["usr/lib/mandos/plugins.d/mandos-client"]
        self.assertEqual((plugin.mode, plugin.owner), ("-rwsr-xr-x", "root"))
        self.assertEqual(files["usr/sbin/bootkey"].mode, "-rwxr-xr-x")
        for name in KEYS:
            self.assertEqual((files[INSIDE + name].mode, files[INSIDE + name].owner), ("-r--------", "root"), name)
        client = self.client(self.system)
        self.assertEqual((client["client"], client["plugin"]), ("mandos-client", "bootkey"))
        self.assertEqual(self.order("init-premount") & {"mandos", "bootkey"}, {"mandos"})
        self.assertEqual(self.order("local-bottom") & {"bootkey"}, {"bootkey"})
        self.assertIn("plugin-runner.conf", "".join(files))


if __name__ == "__main__":
    package_case.main(target.why_unavailable())
