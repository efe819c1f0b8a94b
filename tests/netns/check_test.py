#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""--check: whether a reboot would unlock the machine, seen on the running system with a real Mandos server, an image and a LUKS2 volume.

The image has what the hook of initramfs-tools puts into one, but programs that do nothing.
"""

import os
import shutil
import subprocess

import keysets
import lab
import netns_case
from netns_case import PASSWORD

KEYS = "/etc/keys/bootkey"
NAMES = ("pubkey.txt", "seckey.txt", "tls-pubkey.pem", "tls-privkey.pem")
PROGRAMS = ("usr/sbin/bootkey", "usr/bin/gpg", "usr/bin/gpg-agent", "scripts/init-premount/bootkey", "scripts/local-bottom/bootkey", "init")
GOOD = "A reboot would unlock this machine.\n"


class CheckTest(netns_case.NetnsCase):
    def setUp(self):
        super().setUp()
        for program in ("/usr/bin/unmkinitramfs", "/usr/bin/cpio", "/usr/sbin/cryptsetup"):
            if not os.path.exists(program):
                self.skipTest(f"{program} is missing: install the packages that tools/packages.sh names")
        self.keys = self.lab.keys()
        self.client = self.lab.host("client")
        self.client.private_etc()
        self.client.check(["sh", "-c", f"rm -rf /etc/keys /etc/bootkey /etc/mandos/network-hooks.d; mkdir -p {KEYS} && "
                                       f"cp {self.keys.directory}/*.* {KEYS} && chown root:root {KEYS}/* && chmod 0400 {KEYS}/*"])
        self.set_command_line("quiet")  # the machine's own may be anything
        self.image = self.make_image()

    def mandos(self, password=PASSWORD, keys=None, **options):
        return self.lab.mandos([(keys or self.keys).section(password, **options)])

    def make_image(self, client="bootkey", keys=None, without=(), name="initrd", microcode=True, files=None):
        """An image like Debian's: an archive for the boot loader, and a compressed one; its path. `files`: more of them, {path: text}."""
        root = self.lab.path("root", "")
        shutil.rmtree(root)
        for program in PROGRAMS:
            if program not in without:
                self.lab.file(f"root/{program}", "#!/bin/sh\n", 0o755)
        self.lab.file("root/etc/bootkey/client", f"client={client}\nwhy=the test says so\nplugin=no\n")
        for key in NAMES:
            if key not in without:
                with open(os.path.join((keys or self.keys).directory, key), "rb") as file:
                    self.lab.file(f"root/conf/conf.d/mandos/{key}", file.read(), 0o400)
        for path, text in {"cryptroot/crypttab": "root UUID=1 none luks,initramfs\n", **(files or {})}.items():
            self.lab.file(f"root/{path}", text, 0o755 if text.startswith("#!") else 0o644)
        image = self.lab.file(name, "", 0o600)
        early = "mkdir -p early/kernel && echo x >early/kernel/microcode && (cd early && find . | cpio --quiet -o -H newc) >$1 && " if microcode else ""
        subprocess.run(["sh", "-ec", f"cd {self.lab.directory} && {early} (cd root && find . | cpio --quiet -o -H newc | gzip) >>$1", "sh", image],
                       check=True)
        return image

    def luks(self, password):
        """A LUKS2 volume in a file, which this password opens."""
        volume = self.lab.file("volume", b"")
        os.truncate(volume, 32 << 20)
        subprocess.run(["cryptsetup", "luksFormat", "--batch-mode", "--type=luks2", "--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000",
                        "--key-file=-", volume], input=password, check=True, capture_output=True)
        return volume

    def check(self, *options, status, image=None, ok=(), wrong=(), untried=(), words=()):
        """Run --check, which must end like this and change nothing; what it printed."""
        before = self.client.state()
        result = self.client.run([self.bootkey, "--check", f"--initrd={image or self.image}", *options], timeout=60)
        self.assertEqual(result.status, status, str(result) + result.output.decode())
        text = result.output.decode()
        steps = {"ok": set(), "WRONG": set(), "warn": set(), "?": set()}
        for line in text.splitlines()[:-1]:
            verdict, step = line[:6].strip(), line[7:17].strip()
            steps[verdict].add(step)
        self.assertLessEqual(set(ok), steps["ok"], text)
        self.assertEqual(set(wrong), steps["WRONG"], text)
        self.assertLessEqual(set(untried), steps["?"], text)
        self.assertEqual(text.endswith(GOOD), status == 0)
        for word in words:
            self.assertIn(word, text)
        self.assertNotIn(PASSWORD.decode(), text + result.errors)
        self.client.check_unchanged(before)
        return text

    def test_everything_is_fine(self):
        server = self.mandos()
        volume = self.luks(PASSWORD)
        text = self.check(f"--device={volume}", status=0,
                          ok=("keys", "key modes", "key pair", "TLS key", "image", "client", "programs", "image keys", "hooks", "interface",
                              "server", "TCP", "TLS", "known", "decrypts", "device"), words=(server.service_name, self.keys.key_id, "eth0"))
        self.assertNotIn("WRONG", text)
        self.check(status=0, image=self.make_image(microcode=False, name="plain"))

    def test_server_that_is_named(self):
        self.mandos()
        server = self.lab.hosts[-1]
        port = server.listening_port()
        self.check(f"--connect=[{server.link_local()}%eth0]:{port}", status=0, ok=("server", "decrypts"))

    def test_no_keys(self):
        self.client.check(["rm", "-r", KEYS])
        self.check(status=66, wrong=("keys",), untried=("image", "server"), words=(KEYS,))

    def test_half_a_pair(self):
        self.mandos()
        self.client.check(["rm", f"{KEYS}/tls-pubkey.pem"])
        self.check(status=66, wrong=("keys",))
        other = self.lab.keys(number=2)
        self.client.check(["sh", "-c", f"cp {self.keys.directory}/tls-pubkey.pem {KEYS}; cp {other.directory}/seckey.txt {KEYS}; chmod 0400 {KEYS}/*"])
        self.check(status=66, wrong=("key pair", "image keys"), untried=("server",))

    def test_key_that_others_can_read(self):
        self.mandos()
        self.client.check(["chmod", "0444", f"{KEYS}/seckey.txt"])
        self.check(status=66, wrong=("key modes",), ok=("decrypts",), words=("chmod go=",))

    def test_files_that_others_can_change(self):
        self.mandos()
        hook = "/etc/bootkey/network-hooks.d/bridge"
        self.client.check(["sh", "-ec", f"mkdir -p {os.path.dirname(hook)}; echo '#!/bin/sh' >{hook}; chmod 755 {hook}; "
                                        "echo secret >/etc/bootkey/management; chmod 644 /etc/bootkey/management; "
                                        "printf 'management=127.0.0.1:7505\nmanagement-password-file=/etc/bootkey/management\n' >/etc/bootkey/bootkey.conf"])
        self.check(status=0, ok=("files", "hooks", "decrypts"), words=("warn   files", "chmod go= /etc/bootkey/management"))
        for path, steps, untried in ((f"{KEYS}/pubkey.txt", {"files"}, {"server"}), ("/etc/bootkey/bootkey.conf", {"files"}, {"server"}),
                                     (KEYS, {"files"}, {"server"}), (hook, {"hooks"}, set()), ("/etc/bootkey", {"files", "hooks"}, {"server"})):
            with self.subTest(path):
                mode = self.client.check(["stat", "-c", "%a", path]).strip()
                self.client.check(["chmod", "o+w", path])
                self.check(status=77, wrong=steps, untried=untried, words=(f"chmod go-w {path}",))
                self.client.check(["chmod", mode, path])

    def test_server_does_not_know_the_machine(self):
        self.mandos(keys=self.lab.keys(number=2))
        self.check(status=69, ok=("TLS",), wrong=("known",), untried=("decrypts",), words=("--enroll",))

    def test_server_waits_for_approval(self):
        self.mandos(approval_delay="1h", approved_by_default="False")
        self.check(status=69, ok=("TLS",), wrong=("known",), words=("approves",))

    def test_answer_for_somebody_else(self):
        other = self.lab.keys(number=2)
        secret = keysets.encrypt(other.pubkey, PASSWORD)
        self.lab.mandos([keysets.section("client", self.keys.key_id, self.keys.fingerprint, secret)])
        self.check(status=69, ok=("known",), wrong=("decrypts",))

    def test_no_server(self):
        self.check("--device=/dev/null", status=69, ok=("interface",), wrong=("server",), untried=("TCP", "TLS", "known", "decrypts", "device"))

    def test_nobody_listens(self):
        self.client.add_addresses("192.0.2.1/24")
        self.check("--connect=192.0.2.1:4711", status=69, wrong=("TCP",), words=("Connection refused",))

    def test_interface_that_is_down_stays_down(self):
        self.mandos()
        self.client.down()
        self.check(status=69, wrong=("interface",), untried=("server",))
        self.assertFalse(self.client.is_up())

    def test_wrong_images(self):
        self.mandos()
        for change, wrong, words in (({"without": ["usr/bin/gpg-agent"]}, "programs", "/usr/bin/gpg-agent"),
                                     ({"without": ["scripts/local-bottom/bootkey"]}, "programs", "/scripts/local-bottom/bootkey"),
                                     ({"without": ["tls-privkey.pem"]}, "image keys", "tls-privkey.pem"),
                                     ({"keys": self.lab.keys(number=2)}, "image keys", "seckey.txt"),
                                     ({"client": "mandos-client"}, "client", "the test says so"),
                                     ({"client": "none"}, "client", "the test says so")):
            with self.subTest(change):
                self.check(image=self.make_image(name="wrong", **change), status=66 if "keys" in wrong else 69, wrong=(wrong,),
                           ok=("decrypts",), words=(words,))

    def set_command_line(self, text):
        """What is in /proc/cmdline from now on, where the program looks."""
        line = self.lab.file("cmdline", text + "\n")
        if not getattr(self, "has_command_line", False):
            self.client.check(["mount", "--bind", line, "/proc/cmdline"])
            self.has_command_line = True

    def test_boot_that_does_not_start_bootkey(self):
        self.mandos()
        disk = "root UUID=1 none luks,initramfs\n"
        for files, command_line, word in (
                ({"cryptroot/crypttab": ""}, "quiet", "no disk is named"),
                ({"cryptroot/crypttab": "root UUID=1 none luks,keyscript=/bin/mine\n"}, "quiet", "keyscript=/bin/mine"),
                ({}, "quiet bootkey=off", "bootkey=off"), ({}, "mandos=off", "bootkey=on"), ({}, "cryptopts=", "cryptopts="),
                ({"conf/initramfs.conf": "BOOT=nfs\n"}, "quiet", "from the network"),
                ({"etc/bootkey/bootkey.conf": "retyr=5\n"}, "quiet", "no such option"),
                ({"etc/bootkey/bootkey.conf": "management=0.0.0.0:7505\n"}, "quiet", "others than this machine reach that address"),
                ({}, "bootkey=connect:nonsense", "nonsense")):
            with self.subTest(files=files, command_line=command_line):
                self.set_command_line(command_line)
                self.check(image=self.make_image(name="other", files=files), status=69, wrong=("boot",), words=(word,))
        self.set_command_line("mandos=off bootkey=on")
        self.check(image=self.make_image(name="other", files={"cryptroot/crypttab": disk + "card UUID=2 none keyscript=decrypt_gnupg-sc\n"}),
                   status=0, ok=("boot", "decrypts"), words=("warn   boot", "card has keyscript=decrypt_gnupg-sc", "started for root"))

    def test_boot_with_other_interfaces(self):
        self.mandos()
        for path, text in (("conf/initramfs.conf", "MODULES=most\nDEVICE=enp99s0\n"), ("conf/conf.d/mine", "DEVICE=enp99s0\n"),
                           ("etc/bootkey/bootkey.conf", "interface=enp99s0\n")):
            with self.subTest(path):
                self.check(image=self.make_image(name="other", files={path: text}), status=69, wrong=("boot",), untried=("server",),
                           words=("enp99s0", "does not have"))
        other = self.make_image(name="other", files={"conf/initramfs.conf": "DEVICE=enp99s0\n", "lib/mandos/network-hooks.d/vlan": "#!/bin/sh\n"})
        self.check(image=other, status=69, ok=("boot",), wrong=("interface",), words=("warn   boot", "cannot be known here"))
        self.set_command_line("ip=:::::enp99s0")
        self.check(status=69, wrong=("boot",), words=("ip=",))
        self.set_command_line("quiet")
        self.check(image=self.make_image(name="other", files={"conf/initramfs.conf": "DEVICE=eth0\n"}), status=0, ok=("boot", "decrypts"))
        self.check(image=self.make_image(name="other", files={"etc/bootkey/bootkey.conf": "interface=en*,eth*\n"}), status=0, ok=("boot",))

    def test_boot_with_another_configuration_than_the_systems(self):
        self.mandos()
        self.client.add_addresses("192.0.2.1/24")
        image = self.make_image(name="other", files={"etc/bootkey/bootkey.conf": "connect=192.0.2.1:4711\n"})
        self.check(image=image, status=69, ok=("boot",), wrong=("TCP",), words=("Connection refused", "is not the one of this system"))
        self.set_command_line("bootkey=connect:192.0.2.1:4711")
        self.check(status=69, ok=("boot",), wrong=("TCP",), words=("Connection refused",))

    def test_image_that_is_none(self):
        self.mandos()
        self.check(image="/nonexistent", status=66, wrong=("image",), untried=("client", "programs", "image keys"))
        self.check(image=self.lab.file("garbage", os.urandom(5000), 0o600), status=66, wrong=("image",))

    def test_image_that_others_can_read(self):
        self.mandos()
        os.chmod(self.image, 0o644)
        self.check(status=66, wrong=("image",), ok=("programs",), words=("UMASK",))

    def test_device_without_a_slot_for_the_password(self):
        self.mandos()
        self.check(f"--device={self.luks(b'another')}", status=69, ok=("decrypts",), wrong=("device",), words=("no key slot",))

    def test_device_that_is_none(self):
        self.mandos()
        self.check("--device=/nonexistent", status=69, ok=("decrypts",), wrong=("device",))

    def test_hooks_are_not_run(self):
        self.mandos()
        self.client.check(["sh", "-c", "mkdir -p /etc/bootkey/network-hooks.d && printf '#!/bin/sh\\n: >/tmp/hook-has-run\\n' "
                                       ">/etc/bootkey/network-hooks.d/bridge && chmod 755 /etc/bootkey/network-hooks.d/bridge"])
        self.check(status=0, words=("bridge",))

    def test_not_root(self):
        result = self.client.run([self.bootkey, "--check"], prepare=lambda: (os.setgroups([]), os.setgid(65534), os.setuid(65534)))
        self.assertEqual((result.status, result.output), (77, b""), result)


if __name__ == "__main__":
    netns_case.main()
