#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hook of initramfs-tools, with an /etc of its own: what it makes of files that others than root may change, and of network
hooks that hang. tests/package/ shows the whole image.
"""

import os
import re
import shutil

import netns_case

HOOK = os.path.join(netns_case.REPOSITORY, "initramfs-tools/hooks/bootkey")
NOBODY = 65534
# What it needs of initramfs-tools. Programs of the image are not what this is about: bootkey's own, which is large, is empty there.
FUNCTIONS = r"""
copy_exec() {
    [ -e "$1" ] || return 0
    copy=$DESTDIR${2:-$1}
    [ -d "${copy%/*}" ] || mkdir -p "${copy%/*}" || return
    if [ "$1" = "$program" ]; then : >"$copy"; else cp -pL "$1" "$copy"; fi
}
manual_add_modules() { :; }
auto_add_modules() { :; }
sys_walk_mod_add() { :; }
force_load() { echo "$1" >>"$DESTDIR/loaded"; }
"""
KEYS = ("pubkey.txt", "seckey.txt", "tls-pubkey.pem", "tls-privkey.pem")
# Tells that it was run, and names a file and a module.
NETWORK_HOOK = """#!/bin/sh
echo "$1" >>{ran}
case $1 in
    files) echo {wanted} ;;
    modules) echo dummy ;;
esac
"""


class ImageHookTest(netns_case.NetnsCase):
    seconds = 400  # many images

    def setUp(self):
        super().setUp()
        os.chmod(self.lab.directory, 0o755)
        self.client = self.lab.host("client")
        self.client.private_etc()
        # Not as in the lab's /etc, where everybody may make files.
        self.shell("chmod 0755 /etc; rm -rf /etc/keys /etc/bootkey /etc/mandos; mkdir -p /etc/keys/bootkey /etc/bootkey/network-hooks.d; "
                   "umask 077; for name in " + " ".join(KEYS) + "; do echo key >/etc/keys/bootkey/$name; done")
        self.wanted = self.lab.file("wanted", "needed by the hook")
        self.ran = self.lab.path("ran")

    def shell(self, script):
        return self.client.check(["sh", "-ec", script])

    def network_hook(self, name, text=None, path="/etc/bootkey/network-hooks.d"):
        source = self.lab.file(f"source-{name}", text or NETWORK_HOOK.format(ran=self.ran, wanted=self.wanted), 0o755)
        self.shell(f"mkdir -p {path}; cp {source} {path}/{name}; chmod 755 {path}/{name}")

    def make_image(self, limit=60, status=0, programs=None):
        """Run the hook; the directory with the image's content, and the warnings. `programs`: more of them, {name: text}."""
        for name, text in (programs or {}).items():
            self.lab.file(f"programs/{name}", text, 0o755)
        with open(HOOK) as file:
            script = file.read()
        functions = self.lab.file("hook-functions", FUNCTIONS)
        script = script.replace("/usr/share/initramfs-tools/hook-functions", functions)
        script = script.replace("program=/usr/sbin/bootkey", f"program={self.bootkey}").replace("hook_limit=60", f"hook_limit={limit}")
        image = self.lab.path("image", "")
        shutil.rmtree(image, ignore_errors=True)
        for name in ("etc", "usr", "conf"):
            os.makedirs(image + name)
        confdir = self.lab.path("confdir", "")
        os.makedirs(confdir, exist_ok=True)
        path = {"PATH": f"{self.lab.path('programs', '')}:{os.environ['PATH']}"} if programs else {}
        result = self.client.run(["sh", self.lab.file("hook", script, 0o755)], timeout=50,
                                 environment={**self.client.environment, **path, "DESTDIR": image.rstrip("/"), "version": "0", "CONFDIR": confdir})
        self.assertEqual(result.status, status, result)
        return image, result.errors

    def ran_hooks(self):
        if not os.path.exists(self.ran):
            return []
        with open(self.ran) as file:
            return file.read().split()

    def assert_warned(self, errors, path, command):
        self.assertRegex(errors, rf"(?m)^W: bootkey: .*{re.escape(path)}.*: {re.escape(command)}$")

    def test_nothing_is_said_of_what_is_roots_alone(self):
        self.network_hook("vlan")
        image, errors = self.make_image()
        self.assertEqual(errors, "")
        self.assertEqual(self.ran_hooks(), ["files", "modules"])
        self.assertTrue(os.path.exists(image + self.wanted))
        with open(f"{image}loaded") as loaded:
            self.assertEqual(loaded.read(), "dummy\n")

    def test_keys_are_copied_for_root_alone_and_exposed_ones_are_told(self):
        seckey = "/etc/keys/bootkey/seckey.txt"
        for change, command in ((f"chmod o+w {seckey}", f"chmod go-w {seckey}"), (f"chown {NOBODY} {seckey}", f"chown root {seckey}"),
                                (f"chgrp {NOBODY} {seckey}; chmod g+w {seckey}", f"chmod go-w {seckey}"),
                                ("chmod o+w /etc/keys/bootkey", "chmod go-w /etc/keys/bootkey"),
                                (f"chown {NOBODY} /etc/keys", "chown root /etc/keys"),
                                (f"chown {NOBODY} {seckey}; chmod 777 {seckey}", f"chown root {seckey} && chmod go-w {seckey}"),
                                (f"chmod 755 /etc/keys/bootkey; chmod 644 {seckey}", f"chmod go= {seckey}")):
            with self.subTest(change):
                self.shell(f"chown -R 0:0 /etc/keys; chmod 700 /etc/keys/bootkey; chmod 755 /etc/keys; chmod 600 {seckey}; {change}")
                image, errors = self.make_image()
                self.assert_warned(errors, seckey, command)
                for name in KEYS:
                    status = os.stat(f"{image}conf/conf.d/mandos/{name}")
                    self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o7777), (0, 0, 0o400))
                self.shell(command)
                self.assertNotIn(seckey, self.make_image()[1])

    def test_the_configuration_and_what_it_names_is_told(self):
        for name, option in (("password", "management-password-file"), ("signers", "require-signature")):
            with self.subTest(name):
                self.shell(f"echo x >/etc/bootkey/{name}; chmod 606 /etc/bootkey/{name}; echo {option}=/etc/bootkey/{name} >/etc/bootkey/bootkey.conf; "
                           "chmod 646 /etc/bootkey/bootkey.conf")
                image, errors = self.make_image()
                self.assert_warned(errors, "/etc/bootkey/bootkey.conf", "chmod go-w /etc/bootkey/bootkey.conf")
                self.assert_warned(errors, f"/etc/bootkey/{name}", f"chmod go-w /etc/bootkey/{name}")
                self.assertEqual("may read" in errors, name == "password")
                self.assertEqual(os.stat(f"{image}etc/bootkey/{name}").st_mode & 0o7777, 0o400)

    def test_a_configuration_with_which_bootkey_would_not_start_is_told(self):
        for text, why in (("connect=nonsense", "the port is missing"), ("retyr=5", "there is no such option"), ("retry=5", None),
                          ("\\357\\273\\277retry=5\\r\\n", None)):
            with self.subTest(text):
                self.shell(f"printf '{text}\\n' >/etc/bootkey/bootkey.conf")
                _, errors = self.make_image()
                if why:
                    self.assertRegex(errors, "/etc/bootkey/bootkey.conf bootkey would end at once at boot.*" + why)
                else:
                    self.assertNotIn("would end at once", errors)

    def test_settings_of_another_systems_editor_are_read(self):
        self.shell("printf '\\357\\273\\277CLIENT=none\\r\\n' >/etc/bootkey/initramfs.conf")
        image, _ = self.make_image()
        with open(f"{image}etc/bootkey/client") as file:
            self.assertIn("client=none\n", file.read())

    def test_settings_that_others_may_write_are_read_and_not_run(self):
        self.shell(f"echo 'CLIENT=\"none\"; : >{self.ran}' >/etc/bootkey/initramfs.conf; chmod 666 /etc/bootkey/initramfs.conf")
        image, errors = self.make_image()
        self.assert_warned(errors, "/etc/bootkey/initramfs.conf", "chmod go-w /etc/bootkey/initramfs.conf")
        self.assertFalse(os.path.exists(self.ran))
        with open(f"{image}etc/bootkey/client") as file:
            self.assertIn("client=none\n", file.read())

    def test_addresses_stay_where_the_system_gives_none(self):
        wants = "mkdir -p /etc/systemd/system/multi-user.target.wants; ln -sf /dev/zero /etc/systemd/system/multi-user.target.wants/{}.service; "
        ifup, networkd, manager = (wants.format(name) for name in ("networking", "systemd-networkd", "NetworkManager"))
        stanza = "printf '{}' >>/etc/network/interfaces; "
        card = stanza.format("auto lo eth0\\niface eth0 inet dhcp\\n")
        network = "mkdir -p /etc/systemd/network; printf '{}' >/etc/systemd/network/10-lan.network; "
        connection = "d=/etc/NetworkManager/system-connections; mkdir -p $d; printf '{}' >\"$d/my card.nmconnection\"; "
        for change, expected in (
                ("", "keep"), ("echo KEEP_ADDRESS=no >/etc/bootkey/initramfs.conf", "remove"),
                (ifup + card, "remove eth0"), (ifup + card + "echo KEEP_ADDRESS=yes >/etc/bootkey/initramfs.conf", "keep"),
                (ifup + card + "echo KEEP_ADDRESS=no >/etc/bootkey/initramfs.conf; chmod 666 /etc/bootkey/initramfs.conf", "remove"),
                (card, "keep"), (stanza.format("allow-hotplug eth0\\niface eth0 inet static\\n"), "remove eth0"),
                (ifup + stanza.format("auto eth0\\niface eth0 inet manual\\n"), "keep"),
                (ifup + stanza.format("auto eth0\\niface eth0 inet6 auto\\n"), "keep"),
                (ifup + stanza.format("#auto eth0\\niface eth0 inet dhcp\\n"), "keep"),
                (ifup + stanza.format("auto br0\\niface br0 inet static\\n  bridge_ports eth1 eth2\\n"), "remove br0 eth1 eth2"),
                (ifup + "mkdir /etc/network/interfaces.d; echo 'source /etc/network/interfaces.d/*' >/etc/network/interfaces; "
                 "printf 'auto eth3\\niface eth3 inet dhcp\\n' >/etc/network/interfaces.d/lan", "remove eth3"),
                (ifup + "mkdir /etc/network/interfaces.d; echo source-directory interfaces.d >/etc/network/interfaces; "
                 "printf 'auto eth3\\niface eth3 inet dhcp\\n' >/etc/network/interfaces.d/lan", "remove eth3"),
                (ifup + card + "ln -sf /dev/null /etc/systemd/system/networking.service", "keep"),
                (networkd + network.format("[Match]\\nName=en* eth0\\n[Network]\\nDHCP=yes\\n"), "remove en* eth0"),
                (network.format("[Match]\\nName=en* eth0\\n[Network]\\nDHCP=yes\\n"), "keep"),
                (networkd + network.format("[Match]\\nName = eth1\\n[Address]\\nAddress = 192.0.2.1/24\\n"), "remove eth1"),
                (networkd + network.format("[Match]\\nName=eth1\\n[Network]\\nBridge=br0\\n"), "remove eth1"),
                (networkd + network.format("[Match]\\nName=eth1\\n[Network]\\nDHCP=ipv6\\n"), "keep"),
                (networkd + network.format("[Match]\\nName=eth1\\n[Link]\\nUnmanaged=yes\\n[Network]\\nDHCP=yes\\n"), "keep"),
                (networkd + network.format("[Match]\\nName=eth1\\nKernelCommandLine=!ip\\n[Network]\\nDHCP=yes\\n"), "keep"),
                (networkd + network.format("[Match]\\nName=!eth1\\n[Network]\\nDHCP=yes\\n"), "keep"),
                (networkd + network.format("[Match]\\nMACAddress=$(tr a-f: A-F- </sys/class/net/eth0/address)\\n[Network]\\nDHCP=yes\\n")
                 .replace("'", '"'), "remove eth0"),
                (networkd + "mkdir -p /etc/systemd/network; printf '[Match]\\nName=eth0\\n[Network]\\nDHCP=yes\\n' >/etc/systemd/network/a.network.example", "keep"),
                (manager, "keep"), (manager + connection.format("[connection]\\ntype=ethernet\\n[ipv4]\\nmethod=auto\\n"), "remove *"),
                (manager + connection.format("[connection]\\ntype=ethernet\\ninterface-name=eth4\\n[ipv4]\\nmethod=manual\\n"), "remove eth4"),
                (manager + connection.format("[connection]\\nautoconnect=false\\ntype=ethernet\\n[ipv4]\\nmethod=auto\\n"), "keep"),
                (connection.format("[connection]\\ntype=ethernet\\n[ipv4]\\nmethod=auto\\n"), "keep")):
            with self.subTest(change):
                self.shell("rm -rf /etc/network /etc/systemd /etc/NetworkManager /etc/bootkey/initramfs.conf /etc/rcS.d; mkdir /etc/network; " + change)
                image, errors = self.make_image(programs={"ifup": "#!/bin/sh\n"})
                self.assertEqual("W: " in errors, "chmod 666" in change, errors)
                with open(f"{image}etc/bootkey/client") as file:
                    self.assertIn(f"\naddress={expected}\n", file.read())
        self.shell(ifup + card)
        self.assertIn("address=keep\n", self.client_file())  # ifupdown is not installed
        self.shell("echo KEEP_ADDRESS=maybe >/etc/bootkey/initramfs.conf")
        self.assertRegex(self.make_image()[1], "W: bootkey: KEEP_ADDRESS=maybe .* taken for auto")

    def client_file(self):
        with open(f"{self.make_image()[0]}etc/bootkey/client") as file:
            return file.read()

    def test_what_the_kernel_command_line_has_of_mandos_is_told(self):
        line = self.lab.file("cmdline", "quiet")
        self.client.check(["mount", "--bind", line, "/proc/cmdline"])
        off = "W: bootkey: mandos=off .* will not run at boot; to have it run nevertheless, write CLIENT=bootkey into /etc/bootkey/initramfs.conf"
        for text, settings, expected, chosen in (
                ("quiet", "", None, "no"), ("mandos=off", "", off, "no"), ("quiet mandos=off ro", "CLIENT=auto", off, "no"),
                ("mandos=off", "CLIENT=bootkey", "I: bootkey: mandos=off .* will run: CLIENT=bootkey in", "yes"),
                ("mandos=off bootkey=on", "", "I: bootkey: mandos=off .* will run, since bootkey= is there", "no"),
                ("mandos=off bootkey=off", "", off, "no"),
                ("mandos=connect:192.0.2.1:1", "", "I: bootkey: bootkey will ask only 192.0.2.1:1, as mandos=connect:192.0.2.1:1", "no"),
                ("bootkey=connect:192.0.2.2:2 mandos=connect:192.0.2.1:1", "", "I: bootkey: mandos=connect:192.0.2.1:1 .* not used", "no"),
                ("mandos=of", "", "W: bootkey: mandos=of .* not known", "no"), ("bootkey=of", "", "W: bootkey: bootkey=of .* not known", "no")):
            with self.subTest(text=text, settings=settings):
                with open(line, "w") as file:
                    file.write(text + "\n")
                self.shell(f"echo {settings} >/etc/bootkey/initramfs.conf")
                image, errors = self.make_image()
                self.assertRegex(errors, f"^{expected}" if expected else "^$")
                with open(f"{image}etc/bootkey/client") as file:
                    self.assertIn(f"chosen={chosen}\n", file.read())

    def test_a_network_hook_that_others_may_change_is_neither_taken_nor_run(self):
        hook = "/etc/bootkey/network-hooks.d/vlan"
        for change in (f"chmod 757 {hook}", f"chown {NOBODY} {hook}", f"chgrp {NOBODY} {hook}; chmod 775 {hook}"):
            with self.subTest(change):
                self.network_hook("vlan")
                self.shell(f"chown 0:0 {hook}; {change}")
                image, errors = self.make_image()
                self.assertRegex(errors, rf"W: bootkey: network hook {hook} is left out.*(chmod go-w|chown root) {hook}")
                self.assertEqual(self.ran_hooks(), [])
                self.assertFalse(os.path.exists(f"{image}lib/mandos/network-hooks.d/vlan"))
                self.assertTrue(os.path.exists(f"{image}conf/conf.d/mandos/seckey.txt"))

    def test_a_network_hook_that_others_may_replace_is_not_run(self):
        self.network_hook("vlan")
        self.shell("chmod 777 /etc/bootkey/network-hooks.d")
        image, errors = self.make_image()
        self.assert_warned(errors, "/etc/bootkey/network-hooks.d/vlan", "chmod go-w /etc/bootkey/network-hooks.d")
        self.assertEqual(self.ran_hooks(), [])
        self.assertTrue(os.path.exists(f"{image}lib/mandos/network-hooks.d/vlan"))  # as before: it is run at boot

    def test_a_network_hook_that_hangs_is_one_that_failed(self):
        # The first ignores signals; a program of the second goes on without it, with the same standard output.
        self.network_hook("a", "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n")
        self.network_hook("b", "#!/bin/sh\n[ $1 = modules ] || exit 0\nsetsid sleep 40 &\necho dummy\n")
        self.network_hook("c")
        image, errors = self.make_image(limit=0.5)
        for mode in ("files", "modules"):
            self.assertRegex(errors, rf'network hook /etc/bootkey/network-hooks.d/a failed with "{mode}": it still ran after 0.5 seconds')
        self.assertNotRegex(errors, "network-hooks.d/[bc]")
        self.assertEqual(self.ran_hooks(), ["files", "modules"])
        with open(f"{image}loaded") as loaded:
            self.assertEqual(loaded.read(), "dummy\ndummy\n")
        with open(HOOK) as file:
            self.assertIn("\nhook_limit=60 ", file.read())


if __name__ == "__main__":
    netns_case.main()
