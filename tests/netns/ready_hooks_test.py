#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ready network hooks in hooks/: what they make is used by bootkey and undone by "stop", and nothing else is touched.

The interfaces are real. Where the kernel lacks a kind of them, its cases say so and are skipped. There is no radio: the
wireless hook runs the real wpa_supplicant on a wired interface, and a program in its place where an access point is needed.
"""

import glob
import os
import re
import shutil
import signal
import socket

import lab
import netns_case
from netns_case import PASSWORD

HOOKS = ("bond", "bridge", "openvpn", "vlan", "wireguard", "wireless")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # what bootkey gives to hooks
SHELLS = ("dash", "busybox sh")
SETTINGS = {
    "bond": "INTERFACE=bond7\nPORTS=eth0 eth1\n",
    "bridge": "INTERFACE=br7\nPORTS=eth0\n",
    "openvpn": "INTERFACE=tap7\nCONFIG={directory}/openvpn.config\n",
    "vlan": "INTERFACE=eth0.7\nLINK=eth0\nID=7\n",
    "wireguard": "INTERFACE=wg7\nCONFIG={directory}/wireguard.config\nADDRESSES=fd00:7::1/64\n",
    "wireless": "INTERFACE=eth0\nCONFIG={directory}/wpa.config\nDRIVER=wired\nMODULES=iwlwifi iwlmvm\n",
}
OPENVPN_CONFIG = "dev tap\nremote 192.0.2.2\nnobind\nsecret static.key\ncipher AES-256-CBC\n"
WIRED_CONFIG = 'ap_scan=0\nnetwork={\n key_mgmt=IEEE8021X\n eap=MD5\n identity="machine"\n password="secret passphrase"\n}\n'


TLS_CONFIG = "dev tap\nclient\nremote 192.0.2.2\nnobind\nca ca.pem\nauth-user-pass # a person\n"
ASKING_CONFIG = "ap_scan=0\neapol_version=2\n# a switch's port\nnetwork={\n key_mgmt=IEEE8021X\n eap=MD5\n eapol_flags=0\n}\n"


class ReadyHooksTest(netns_case.NetnsCase):
    def setUp(self):
        super().setUp()
        self.directory = self.lab.path("hooks", "")
        self.lab.file("hooks/wireguard.config", "[Interface]\nPrivateKey = " + "A" * 43 + "=\n", 0o600)
        self.lab.file("hooks/openvpn.config", "dev tap\nifconfig 192.0.2.1 255.255.255.0\n", 0o600)
        self.lab.file("hooks/wpa.config", WIRED_CONFIG, 0o600)

    def install(self, hook, settings=None, name=None):
        """Put a hook and its settings into the directory of hooks; its path."""
        name = name or hook
        hooks = os.path.join(netns_case.REPOSITORY, "hooks")
        for file in (hook, "functions", "bond.modprobe"):
            shutil.copy(os.path.join(hooks, file), self.lab.path("hooks", name if file == hook else file))
        self.settings(name, settings or SETTINGS[hook])
        return self.lab.path("hooks", name)

    def settings(self, name, text):
        self.lab.file(f"hooks/{name}.conf", text.format(directory=self.directory.rstrip("/")), 0o600)

    def hook(self, host, path, mode, shell="dash", **variables):
        """Run a hook as bootkey would, but by this shell; its Result."""
        environment = {"PATH": PATH, "MANDOSNETHOOKDIR": os.path.dirname(path), "DEVICE": "", "MODE": mode, "VERBOSITY": "0",
                       "DELAY": "2.5", **variables}
        return host.run([*shell.split(), path, mode], environment=environment)

    def quiet_hook(self, host, path, mode, shell="dash", **variables):
        """The same, and it has to succeed and say nothing."""
        result = self.hook(host, path, mode, shell, **variables)
        self.assertEqual((result.status, result.output, result.errors), (0, b"", ""), f"{path} {mode} by {shell}: {result}")

    def asking_hook(self, host, path, shell="dash", **variables):
        """Start a hook as bootkey would; the Process and our end of its descriptor 3, as a file of lines."""
        ours, hooks = socket.socketpair()
        environment = {"PATH": PATH, "MANDOSNETHOOKDIR": os.path.dirname(path), "DELAY": "2.5", **variables}
        process = host.start(["sh", "-c", 'exec "$@" 3<&0 </dev/null', "sh", *shell.split(), path, "start"],
                             environment=environment, stdin=hooks)
        hooks.close()
        self.addCleanup(process.kill)
        self.addCleanup(ours.close)
        ours.settimeout(20)
        lines = ours.makefile("rw")
        self.addCleanup(lines.close)
        return process, lines

    def tell(self, lines, *answer):
        """Answer what a hook has asked."""
        lines.write("".join(line + "\n" for line in answer))
        lines.flush()

    @property
    def hook_option(self):
        return f"--network-hook-dir={self.directory}"

    def links(self, host):
        return host.links()

    def need(self, host, *link_type):
        """Skip the case if the kernel cannot make such an interface."""
        result = host.run(["ip", "link", "add", "name", "probe", *link_type])
        if result.status != 0:
            self.skipTest(f"the kernel knows no 'ip link add {' '.join(link_type)}': {result.errors.strip()}")
        host.check(["ip", "link", "delete", "probe"])

    def instead_of(self, host, program, script):
        """On this host alone, a shell script that hooks find first under a program's name."""
        file = self.lab.file(f"instead-{program}", "#!/bin/sh\n" + script, 0o755)
        host.check(["sh", "-c", f"mountpoint -q /usr/local/sbin || mount -t tmpfs tmpfs /usr/local/sbin; "
                                f"cp {file} /usr/local/sbin/{program}"])

    def tun_device(self, host):
        """The device by which programs make tunnels, which a lab's host does not have by itself."""
        if host.run(["sh", "-c", "mkdir -p /dev/net && mknod /dev/net/tun c 10 200 && : <>/dev/net/tun"]).status != 0:
            self.skipTest("no tunnels can be made here: /dev/net/tun does not open")

    def start_use_stop(self, client, path, made, *options):
        """A hook's whole life: by itself under each shell, twice, and with a bootkey that finds its server through it."""
        for shell in SHELLS:
            with self.subTest(shell=shell):
                before = client.state()
                self.quiet_hook(client, path, "start", shell)
                self.assertIn(made, self.links(client))
                started = client.state()
                self.quiet_hook(client, path, "start", shell)
                client.check_unchanged(started, ignore=["/users", r"^link \S+: linkinfo was .*_timer"])
                self.quiet_hook(client, path, "stop", shell)
                client.check_unchanged(before)
                self.quiet_hook(client, path, "stop", shell)
                client.check_unchanged(before)
        self.fetch(client, self.hook_option, f"--interface={made}", *options)

    # -- all hooks alike

    def test_another_device_is_none_of_a_hooks_business(self):
        client = self.lab.client(nics=2)
        before = client.state()
        for hook in HOOKS:
            path = self.install(hook)
            for mode in ("start", "stop", "files", "modules"):
                for shell in SHELLS:
                    self.quiet_hook(client, path, mode, shell, DEVICE="eth9,other")
        client.check_unchanged(before)

    def test_its_device_among_others_is(self):
        client = self.lab.client()
        before = client.state()
        path = self.install("bridge")
        self.quiet_hook(client, path, "start", DEVICE="eth9,br7,eth8")
        self.assertIn("br7", self.links(client))
        self.quiet_hook(client, path, "stop", DEVICE="eth9,br7,eth8")
        client.check_unchanged(before)

    # Hook, settings, the setting that the message has to name.
    WRONG = (
        ("bridge", "", "INTERFACE"),
        ("bridge", "INTERFACE=br7\n", "PORTS"),
        ("bridge", "INTERFACE=br7 br8\nPORTS=eth0\n", "INTERFACE"),
        ("bridge", "INTERFACE=a-name-too-long-for-linux\nPORTS=eth0\n", "INTERFACE"),
        ("bridge", "INTERFACE=br7\nPORTS=eth0 br7\n", "PORTS"),
        ("bridge", "INTERFACE=br7\nPORTS=eth0 ../x\n", "PORTS"),
        ("bridge", "INTERFACE=br7\nPORTS=eth0\nADDRESSES=192.0.2.1\n", "ADDRESSES"),
        ("bridge", "INTERFACE=br7\nPORTS=eth0\nADDRESSES=192.0.2.1/x\n", "ADDRESSES"),
        ("bridge", "INTERFACE=br7\nPORTS=eth0\nADDRESSES=server/24\n", "ADDRESSES"),
        ("bridge", "INTERFACE=br7\nPORTS=eth0\nROUTES=somewhere\n", "ROUTES"),
        ("bridge", "INTERFACE=br7\nPORTS=eth0\nROUTES=default@gateway\n", "ROUTES"),
        ("bridge", "INTERFACE=br7\nPORTS=eth0\nOPTIONS=$(reboot)\n", "OPTIONS"),
        ("bridge", "INTERFACE=br7\nPORTS=eth0\nPROTS=eth1\n", "PROTS"),
        ("bridge", "INTERFACE=br7\nPORTS=eth0\nwhat is this\n", "line 3"),
        ("bond", "INTERFACE=bond7\n", "PORTS"),
        ("bond", "INTERFACE=bond7\nPORTS=eth0\nOPTIONS=*\n", "OPTIONS"),
        ("vlan", "INTERFACE=eth0.7\nID=7\n", "LINK"),
        ("vlan", "INTERFACE=eth0.7\nLINK=eth0 eth1\nID=7\n", "LINK"),
        ("vlan", "INTERFACE=eth0.7\nLINK=eth0\n", "ID"),
        ("vlan", "INTERFACE=eth0.7\nLINK=eth0\nID=0\n", "ID"),
        ("vlan", "INTERFACE=eth0.7\nLINK=eth0\nID=4095\n", "ID"),
        ("vlan", "INTERFACE=eth0.7\nLINK=eth0\nID=7x\n", "ID"),
        ("wireguard", "INTERFACE=wg7\n", "CONFIG"),
        ("wireguard", "INTERFACE=wg7\nCONFIG=wg.conf\n", "CONFIG"),
        ("wireguard", "INTERFACE=wg7\nCONFIG=/nonexistent\n", "CONFIG"),
        ("wireguard", "INTERFACE=wg7\nCONFIG={directory}/wireguard.config\nLINK_ADDRESSES=192.0.2.1/24\n", "LINK"),
        ("openvpn", "INTERFACE=tap7\n", "CONFIG"),
        ("openvpn", "INTERFACE=tap7\nCONFIG=/non existent\n", "CONFIG"),
        ("wireless", "INTERFACE=eth0\n", "CONFIG"),
        ("wireless", "INTERFACE=eth0\nCONFIG=/\n", "CONFIG"),
        ("wireless", "INTERFACE=eth0\nCONFIG={directory}/wpa.config\nDRIVER=-x\n", "DRIVER"),
        ("wireless", "INTERFACE=eth0\nCONFIG={directory}/wpa.config\nASK=no\n", "ASK"),
    )

    # Hook, CONFIG, what the message has to name.
    WRONG_CONFIG = (
        ("wireguard", "[Interface]\nAddress = 192.0.2.1/24\n", "Address"),
        ("wireguard", "[Peer]\nEndpoint = vpn.example.org:51820\n", "vpn.example.org:51820"),
        ("openvpn", "daemon\n", "daemon"),
        ("openvpn", "dev tap\nsecret missing.key\n", "missing.key"),
        ("openvpn", 'tls-crypt "/nonexistent/key"\n', "/nonexistent/key"),
        ("wireless", "ctrl_interface=/run/wpa_supplicant\n", "ctrl_interface"),
        ("wireless", 'network={\n  ca_cert="/nonexistent/ca.pem"\n}\n', "/nonexistent/ca.pem"),
    )

    def complains(self, client, path, mode, shell, *words, **variables):
        """The hook fails and says so in one line with these words."""
        result = self.hook(client, path, mode, shell, **variables)
        with self.subTest(hook=path, mode=mode, shell=shell, words=words):
            self.assertEqual((result.status, result.output), (1, b""), result)
            self.assertEqual(result.errors.count("\n"), 1, result)
            for word in words:
                self.assertIn(word, result.errors)

    def test_wrong_settings_are_one_line_and_change_nothing(self):
        client = self.lab.client()
        before = client.state()
        for number, (hook, settings, word) in enumerate(self.WRONG):
            path = self.install(hook, settings or "# nothing\n")
            self.complains(client, path, ("start", "stop", "files")[number % 3], SHELLS[number % 2], path + ".conf", word)
        for number, (hook, config, word) in enumerate(self.WRONG_CONFIG):
            path = self.install(hook, f"INTERFACE=tap7\nCONFIG={self.lab.file('wrong', config)}\n")
            self.complains(client, path, "start", SHELLS[number % 2], path + ".conf", "CONFIG", word)
        for hook in HOOKS:
            path = self.install(hook)
            self.complains(client, path, "restart", "dash", "restart")
            os.unlink(path + ".conf")
            self.complains(client, path, "start", "dash", path + ".conf")
        client.check_unchanged(before)

    def test_the_wrong_ip_is_said(self):
        client = self.lab.client()
        before = client.state()
        busybox = os.path.dirname(self.lab.file("busybox/ip", '#!/bin/sh\nexec busybox ip "$@"\n', 0o755))
        path = self.install("vlan")
        for shell in SHELLS:
            self.complains(client, path, "start", shell, "iproute2", PATH=f"{busybox}:{PATH}")
        client.check_unchanged(before)

    def test_the_examples_settings_are_accepted(self):
        client = self.lab.client()
        for hook in HOOKS:
            with open(os.path.join(netns_case.REPOSITORY, "hooks", hook + ".conf")) as file:
                example = file.read()
            shown = re.sub(r"^#([A-Z_]+=)", r"\1", example, flags=re.MULTILINE)  # what is only shown counts, too
            settings = re.sub(r"^(CONFIG=).*/.*", r"\1" + self.lab.file(f"hooks/{hook}.config", WIRED_CONFIG, 0o600), shown,
                              flags=re.MULTILINE)
            result = self.hook(client, self.install(hook, settings), "modules")
            self.assertEqual((result.status, result.errors), (0, ""), f"{hook}: {result}")

    def test_files_are_there(self):
        client = self.lab.client()
        self.lab.file("hooks/static.key", "key\n", 0o600)
        self.lab.file("hooks/ca.pem", "certificate\n")
        self.lab.file("hooks/openvpn.config", "dev tap\nca ca.pem\nsecret static.key 1\n;key nothing\n<key>\nx\n</key>\n", 0o600)
        self.lab.file("hooks/wpa.config", f'network={{\n  ca_cert="{self.directory}ca.pem"\n}}\n', 0o600)
        named = {"openvpn": ["openvpn.config", "ca.pem", "static.key"], "wireguard": ["wireguard.config"],
                 "wireless": ["wpa.config", "ca.pem"]}
        programs = {"openvpn": ["openvpn"], "wireguard": ["wg"], "wireless": ["wpa_supplicant"]}
        for hook in HOOKS:
            for shell in SHELLS:
                result = self.hook(client, self.install(hook), "files", shell)
                self.assertEqual(result.status, 0, result)
                lines = [line.split() for line in result.output.decode().splitlines()]
                for source, *target in lines:
                    self.assertTrue(os.path.isfile(source), f"{hook}: {source}")
                    self.assertLessEqual(len(target), 1)
                sources = [os.path.realpath(words[0]) for words in lines]
                for program in ["ip", *programs.get(hook, [])]:
                    self.assertIn(os.path.realpath(shutil.which(program, path=PATH)), sources)
                for name in ["functions", *named.get(hook, [])]:
                    self.assertIn(os.path.realpath(self.lab.path("hooks", name)), sources, hook)

    def test_a_key_that_others_can_read_is_said(self):
        client = self.lab.client()
        for hook in ("openvpn", "wireguard", "wireless"):
            path = self.install(hook)
            config = self.lab.path("hooks", "wpa.config" if hook == "wireless" else hook + ".config")
            self.assertEqual(self.hook(client, path, "files").errors, "")
            os.chmod(config, 0o644)
            result = self.hook(client, path, "files")
            self.assertEqual((result.status, result.errors.count("\n")), (0, 1), result)
            self.assertIn(f"chmod 600 {config}", result.errors.replace("//", "/"))

    def test_files_of_a_program_that_is_missing(self):
        client = self.lab.client()
        directory = self.lab.path("some-programs", "")
        for program in ("sh", "sed", "ls", "readlink", "ip"):
            os.symlink(shutil.which(program), os.path.join(directory, program))
        result = self.hook(client, self.install("wireguard"), "files", shell=shutil.which("dash"), PATH=directory)
        self.assertEqual((result.status, result.errors.count("\n")), (1, 1), result)
        self.assertIn("wireguard-tools", result.errors)

    def test_modules_are_modules_of_debians_kernel(self):
        client = self.lab.client()
        expected = {"bond": "bonding", "bridge": "bridge", "openvpn": "tun", "vlan": "8021q", "wireguard": "wireguard",
                    "wireless": "iwlwifi"}
        modules = {hook: self.hook(client, self.install(hook), "modules").output.decode().split() for hook in HOOKS}
        for hook in HOOKS:
            self.assertIn(expected[hook], modules[hook])
        lists = glob.glob(os.path.join(netns_case.REPOSITORY, "build/peers/linux/lib/modules/*/modules.builtin"))
        if not lists:
            self.skipTest("no modules in build/peers/linux to look for the names (tools/test fetches them)")
        with open(lists[0]) as builtin:
            files = [*builtin.read().split(), *glob.glob(f"{os.path.dirname(lists[0])}/**/*.ko*", recursive=True)]
        there = {os.path.basename(file).split(".ko")[0] for file in files}
        self.assertEqual({hook: [name for name in names if name not in there] for hook, names in modules.items()},
                         {hook: [] for hook in HOOKS})

    # -- bridge

    def bridge_client(self, *settings, nics=1):
        client = self.lab.client(nics=nics)
        return client, self.install("bridge", "\n".join([SETTINGS["bridge"], *settings, ""]))

    def serve(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        return keys.options

    def test_bridge(self):
        options = self.serve()
        client, path = self.bridge_client()
        self.start_use_stop(client, path, "br7", *options)
        self.fetch(client, self.hook_option, *options)

    def test_bridge_with_addresses_and_routes(self):
        client, path = self.bridge_client("ADDRESSES=192.0.2.7/24 2001:DB8::7/64",
                                          "ROUTES=198.51.100.0/24@192.0.2.1 2001:db8:1::/48 default@2001:db8::1")
        before = client.state()
        for shell in SHELLS:
            self.quiet_hook(client, path, "start", shell)
            state = client.state()
            self.assertLessEqual({"br7 192.0.2.7/24", "br7 2001:db8::7/64"}, set(state["address"]))
            for route in ("198.51.100.0/24 br7 192.0.2.1", "2001:db8:1::/48 br7", "default br7 2001:db8::1"):
                self.assertTrue(any(route in key for key in state["route"]), route)
            self.quiet_hook(client, path, "stop", shell)
            client.check_unchanged(before)

    def test_bridge_tells_with_debug_only(self):
        client, path = self.bridge_client()
        for mode in ("start", "stop"):
            result = self.hook(client, path, mode, VERBOSITY="1")
            self.assertEqual((result.status, result.output), (0, b""))
            self.assertIn("network hook bridge: ", result.errors)

    def test_bridge_that_was_there_stays(self):
        client, path = self.bridge_client()
        client.check(["ip", "link", "add", "br7", "type", "bridge"])
        before = client.state()
        for mode in ("start", "stop"):
            self.quiet_hook(client, path, mode)
            client.check_unchanged(before)

    def test_bridge_with_a_port_that_was_up_leaves_it_up(self):
        client, path = self.bridge_client()
        client.up()
        client.add_addresses("192.0.2.9/24")
        before = client.state()
        self.quiet_hook(client, path, "start")
        self.quiet_hook(client, path, "stop")
        client.check_unchanged(before)

    def test_bridge_does_not_take_another_ones_port(self):
        client, path = self.bridge_client("PORTS=eth0 eth1", nics=2)
        client.check(["ip", "link", "add", "other", "type", "bridge"])
        client.check(["ip", "link", "set", "eth1", "master", "other"])
        before = client.state()
        self.complains(client, path, "start", "dash", "PORTS", "eth1 is part of other")
        client.check_unchanged(before)

    def test_bridge_joins_a_port_that_comes_late(self):
        client, path = self.bridge_client("PORTS=eth0 eth1")
        before = client.state()
        environment = {"PATH": PATH, "MANDOSNETHOOKDIR": self.directory, "DELAY": "0.3"}
        process = client.start([path, "start"], environment=environment)
        process.wait_for_error("PORTS: still waiting for eth1$")
        self.assertIn("eth0", client.check(["ip", "link", "show", "master", "br7"]))
        client.plug_in()
        self.assertEqual(process.finish().status, 0)
        self.assertIn("eth1", client.check(["ip", "link", "show", "master", "br7"]))
        self.quiet_hook(client, path, "stop")
        client.pull_out("eth1")
        client.check_unchanged(before, ignore=[r"/conf/(eth1|all)"])

    def test_bridge_that_cannot_be_finished_is_undone(self):
        client, path = self.bridge_client("OPTIONS=forward_delay never")
        before = client.state()
        for shell in SHELLS:
            self.complains(client, path, "start", shell, "forward_delay never")
            client.check_unchanged(before)
        # Nothing leads to the gateway.
        self.settings("bridge", SETTINGS["bridge"] + "ADDRESSES=2001:DB8::7/64\nROUTES=198.51.100.0/24@192.0.2.1\n")
        self.complains(client, path, "start", "dash", "198.51.100.0/24")
        client.check_unchanged(before)

    def test_bridge_that_somebody_else_has_given_an_address_is_left(self):
        client, path = self.bridge_client("ADDRESSES=192.0.2.7/24")
        self.quiet_hook(client, path, "start")
        client.check(["ip", "address", "add", "203.0.113.5/24", "dev", "br7"])
        self.quiet_hook(client, path, "stop")
        self.assertIn("eth0", client.check(["ip", "link", "show", "master", "br7"]))
        self.quiet_hook(client, path, "stop")
        self.assertIn("br7", self.links(client), "it was no longer the hook's")

    def killed_bootkey(self, client, *options):
        """Start a bootkey that finds no server, kill it when its hook is through."""
        process = self.start(client, self.hook_option, *options)
        lab.wait_until(lambda: "br7" in self.links(client) and client.is_up("br7"), "the bridge")
        lab.wait_until(lambda: "whole" in client.check(["cat", "/run/bootkey-hooks/bridge/journal"]), "the end of the hook")
        children = list(netns_case.below(process.pid))
        process.signal(signal.SIGKILL)
        process.wait(5)
        lab.wait_until(lambda: all(map(netns_case.gone, children)), "the end of all processes")

    def test_bridge_of_a_killed_bootkey_is_the_next_ones(self):
        options = self.serve()
        client, _ = self.bridge_client()
        before = client.state()
        self.killed_bootkey(client, "--connect=[fe80::1]:9", "--interface=br7", *options)
        self.assert_password(self.run_bootkey(client, self.hook_option, "--interface=br7", *options))
        client.check_unchanged(before)

    def test_bridge_of_a_killed_bootkey_is_undone_by_hand(self):
        client, path = self.bridge_client()
        before = client.state()
        self.killed_bootkey(client, "--connect=[fe80::1]:9", "--interface=br7", *self.lab.keys().options)
        self.assertEqual(self.run_bootkey(client, "--restore").status, 0)
        result = client.run(["env", "-i", path, "stop"])
        self.assertEqual((result.status, result.errors), (0, ""))
        client.check_unchanged(before)

    def test_bridge_half_made_by_a_killed_hook_is_made_anew(self):
        client, path = self.bridge_client("PORTS=eth0 eth1")
        before = client.state()
        process = client.start([path, "start"], environment={"PATH": PATH, "MANDOSNETHOOKDIR": self.directory, "DELAY": "0.1"})
        process.wait_for_error("still waiting")
        process.signal(signal.SIGKILL)
        process.wait(5)
        self.settings("bridge", SETTINGS["bridge"])
        self.quiet_hook(client, path, "start")
        self.assertIn("whole", client.check(["cat", "/run/bootkey-hooks/bridge/journal"]))
        self.quiet_hook(client, path, "stop")
        client.check_unchanged(before)

    def test_bridge_of_two_bootkeys_goes_with_the_last(self):
        options = self.serve()
        client, _ = self.bridge_client()
        before = client.state()
        first = self.start(client, self.hook_option, "--connect=[fe80::1]:9", "--interface=br7", *options)
        lab.wait_until(lambda: "br7" in self.links(client) and client.is_up("br7"), "the bridge")
        self.assert_password(self.run_bootkey(client, self.hook_option, "--interface=br7", *options))
        self.assertIn("br7", self.links(client))
        first.signal(signal.SIGTERM)
        self.assertEqual(first.finish().status, -signal.SIGTERM)
        client.check_unchanged(before)

    def test_bridge_under_another_name_beside_the_first(self):
        client, path = self.bridge_client(nics=2)
        second = self.install("bridge", "INTERFACE=br8\nPORTS=eth1\n", name="20-more.bridges")
        before = client.state()
        for hook in (path, second):
            self.quiet_hook(client, hook, "start")
        self.assertLessEqual({"br7", "br8"}, set(self.links(client)))
        for hook in (path, second):
            self.quiet_hook(client, hook, "stop")
        client.check_unchanged(before)

    def test_a_hook_can_be_a_link_to_where_its_functions_are(self):
        client = self.lab.client()
        path = self.lab.path("linked", "bridge")
        os.symlink(os.path.join(netns_case.REPOSITORY, "hooks", "bridge"), path)
        self.lab.file("linked/bridge.conf", SETTINGS["bridge"])
        before = client.state()
        for shell in SHELLS:
            self.quiet_hook(client, path, "start", shell)
            self.assertIn("br7", self.links(client))
            self.quiet_hook(client, path, "stop", shell)
        client.check_unchanged(before)

    # -- those whose kernel modules may be missing

    def test_vlan(self):
        client = self.lab.client()
        client.up()
        self.need(client, "link", "eth0", "type", "vlan", "id", "7")
        client.down()
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(PASSWORD)], start=False)
        server.host.space.ip("link add link eth0 name eth0.7 type vlan id 7", "link set eth0.7 up")
        server.start()
        self.start_use_stop(client, self.install("vlan"), "eth0.7", *keys.options)

    def test_bond_gets_its_ports_early_or_late(self):
        """A bridge, which would take ports that are up as well, stands in for the bond: not every kernel has that."""
        wrapper = self.lab.file("ip", '#!/bin/sh\ncase "$*" in *"type bond"*) exec /usr/sbin/ip link add name "$4" type bridge ;; esac\n'
                                      'exec /usr/sbin/ip "$@"\n', 0o755)
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)], addresses=["10.9.0.1/24"], port=4711, zeroconf=False)
        directory = os.path.dirname(self.install("bond", "INTERFACE=bond7\nPORTS=eth0 eth1\nADDRESSES=10.9.0.50/24\n"))
        for late in False, True:
            with self.subTest(late=late):
                client = self.lab.client(nics=0 if late else 2)
                client.check(["sh", "-c", f"mount -t tmpfs none /usr/local/sbin && cp {wrapper} /usr/local/sbin/ip && "
                                          "chmod 755 /usr/local/sbin/ip"])
                run = self.start(client, *keys.options, f"--network-hook-dir={directory}", "--connect=10.9.0.1:4711", "--delay=1")
                run.wait_for_error("left to network hooks, which are going to join them to others: eth0, eth1")
                if late:
                    run.wait_for_error("network hooks still run after 1 s")
                    client.plug_in()
                    client.plug_in()
                result = run.finish()
                self.assert_password(result)
                self.assertNotIn("is left out", result.errors)
                self.assertNotIn("interface eth0: bringing it up", result.errors)

    def test_bond(self):
        client = self.lab.client(nics=2)
        self.need(client, "type", "bond")
        options = self.serve()
        path = self.install("bond")
        self.start_use_stop(client, path, "bond7", *options)
        client.up("eth1")
        before = client.state()
        self.complains(client, path, "start", "dash", "PORTS", "eth1 is up")
        client.check_unchanged(before)

    def test_wireguard(self):
        client = self.lab.client(addresses=["192.0.2.1/24"])
        self.need(client, "type", "wireguard")
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(PASSWORD)], start=False, addresses=["192.0.2.2/24"], port=4711, zeroconf=False)
        secrets = [client.check(["wg", "genkey"]).strip() for _ in range(2)]
        public = [client.check(["sh", "-c", f"echo {secret} | wg pubkey"]).strip() for secret in secrets]
        config = self.lab.file("server-wg", f"[Interface]\nPrivateKey = {secrets[0]}\nListenPort = 51820\n"
                                            f"[Peer]\nPublicKey = {public[1]}\nAllowedIPs = fd00:7::1/128\n", 0o600)
        server.host.check(["sh", "-c", f"ip link add wg0 type wireguard && wg setconf wg0 {config} && "
                                       "ip address add fd00:7::2/64 dev wg0 nodad && ip link set wg0 up"])
        server.start()
        self.lab.file("hooks/wireguard.config", f"[Interface]\nPrivateKey = {secrets[1]}\n[Peer]\nPublicKey = {public[0]}\n"
                                                "AllowedIPs = fd00:7::2/128\nEndpoint = 192.0.2.2:51820\n", 0o600)
        path = self.install("wireguard", SETTINGS["wireguard"] + "LINK=eth0\nLINK_ADDRESSES=192.0.2.1/24\n")
        self.start_use_stop(client, path, "wg7", "--connect=[fd00:7::2]:4711", *keys.options)

    def test_wireguard_never_tells_what_is_in_its_configuration(self):
        client = self.lab.client()
        self.need(client, "type", "wireguard")
        self.lab.file("hooks/wireguard.config", "[Interface]\nPrivateKey = not-a-key-but-secret\n", 0o600)
        before = client.state()
        result = self.hook(client, self.install("wireguard"), "start", VERBOSITY="1")
        self.assertEqual(result.status, 1)
        self.assertNotIn("secret", result.errors)
        client.check_unchanged(before)

    # -- openvpn

    def openvpn_server(self):
        """A Mandos server behind an OpenVPN server with a key that both have; the options of a client."""
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(PASSWORD)], start=False, addresses=["192.0.2.2/24"])
        self.tun_device(server.host)
        key = self.lab.path("hooks", "static.key")
        server.host.check(["openvpn", "--genkey", "secret", key])
        tunnel = server.host.start(["openvpn", "--dev", "tap0", "--local", "192.0.2.2", "--secret", key, "--cipher",
                                    "AES-256-CBC"], log=self.lab.path("logs", "openvpn"))
        self.addCleanup(tunnel.kill)
        lab.wait_until(lambda: "tap0" in self.links(server.host), "the server's tap0")
        server.host.up("tap0")
        server.host.check(["ip", "link", "set", "eth0", "multicast", "off"])  # found by the tunnel alone
        server.start()
        self.lab.file("hooks/openvpn.config", OPENVPN_CONFIG, 0o600)
        return keys.options

    def openvpn_client(self, settings=""):
        client = self.lab.client()
        self.tun_device(client)
        return client, self.install("openvpn", SETTINGS["openvpn"] + settings)

    def test_openvpn(self):
        options = self.openvpn_server()
        client, path = self.openvpn_client("LINK=eth0\nLINK_ADDRESSES=192.0.2.1/24\n")
        self.start_use_stop(client, path, "tap7", *options)

    def test_openvpn_ends_its_own_process_only(self):
        client, path = self.openvpn_client()
        self.lab.file("hooks/openvpn.config", OPENVPN_CONFIG + "ifconfig 192.0.2.1 255.255.255.0\n", 0o600)
        client.check(["openvpn", "--genkey", "secret", self.lab.path("hooks", "static.key")])
        other = client.start(["openvpn", "--cd", self.directory, "--config", "openvpn.config", "--dev", "tap3"],
                             log=self.lab.path("logs", "other"))
        self.addCleanup(other.kill)
        lab.wait_until(lambda: client.link_local("tap3"), "tap3 with its address")
        before = client.state()
        self.quiet_hook(client, path, "start")
        self.assertIn("tap7", self.links(client))
        # The one that was killed has left its number in the journal; nobody else who gets it is to suffer.
        client.check(["sh", "-c", f"echo process {self.pid_inside(client, 'tap3')} 1 >>/run/bootkey-hooks/openvpn/journal"])
        self.quiet_hook(client, path, "stop")
        self.alive(other)
        client.check_unchanged(before)

    def pid_inside(self, client, word):
        """The number, in the host's own count, of the process that has the word in its command line."""
        return next(pid for pid, command in client.state()["process"].items() if word in command.split())

    def test_openvpn_that_died_is_started_again(self):
        client, path = self.openvpn_client()
        self.lab.file("hooks/openvpn.config", OPENVPN_CONFIG, 0o600)
        client.check(["openvpn", "--genkey", "secret", self.lab.path("hooks", "static.key")])
        before = client.state()
        self.quiet_hook(client, path, "start")
        pid = self.pid_inside(client, "tap7")
        client.check(["kill", "-KILL", pid])
        lab.wait_until(lambda: client.run(["test", "-e", f"/proc/{pid}"]).status != 0, "the end of openvpn")
        self.quiet_hook(client, path, "start")
        self.assertIn("tap7", self.links(client))
        self.quiet_hook(client, path, "stop")
        client.check_unchanged(before)

    def test_openvpn_that_does_not_like_its_configuration_is_said(self):
        client, path = self.openvpn_client("LINK=eth0\n")
        self.lab.file("hooks/openvpn.config", "dev tap\nno-such-directive\n", 0o600)
        before = client.state()
        for shell in SHELLS:
            self.complains(client, path, "start", shell, "openvpn ended by itself")
            client.check_unchanged(before)

    def openvpn_server_with_users(self):
        """An OpenVPN server that knows somebody with the password "pass word \\"; the file with what it was told."""
        told = self.lab.path("told")
        check = self.lab.file("check-user", '#!/bin/sh\n{ IFS= read -r user; IFS= read -r password; } <"$1"\n'
                                            f'echo "$user:$password" >>{told}\n'
                                            '[ "$user:$password" = \'somebody:pass word \\\' ]\n', 0o755)
        ca, key = self.lab.path("hooks", "ca.pem"), self.lab.path("server.pem")
        host = self.lab.host(addresses=["192.0.2.2/24"])
        self.tun_device(host)
        host.check(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                    "/CN=server", "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", key, "-out", ca])
        host.up()
        server = host.start(["openvpn", "--dev", "tap0", "--mode", "server", "--tls-server", "--ca", ca, "--cert", ca, "--key", key,
                             "--dh", "none", "--local", "192.0.2.2", "--verify-client-cert", "none", "--script-security", "2",
                             "--username-as-common-name", "--auth-user-pass-verify", check, "via-file"],
                            log=self.lab.path("logs", "openvpn"))
        self.addCleanup(server.kill)
        self.lab.file("hooks/openvpn.config", TLS_CONFIG, 0o600)
        return told

    def test_openvpn_asks_a_person_until_the_server_is_content(self):
        told = self.openvpn_server_with_users()
        client, path = self.openvpn_client("LINK=eth0\nLINK_ADDRESSES=192.0.2.1/24\n")
        before = client.state()
        for shell in SHELLS:
            with self.subTest(shell=shell):
                process, lines = self.asking_hook(client, path, shell)
                for password, verdict in (("wrong", "failed"), ("", "failed"), ("pass word \\", "ok")):
                    self.assertEqual(lines.readline(), "auth OpenVPN tunnel tap7\n")
                    self.tell(lines, "somebody", password)
                    self.assertEqual(lines.readline(), verdict + "\n", process.errors())
                result = process.finish()
                self.assertEqual((result.status, result.errors), (0, ""))
                self.assertEqual(lines.readline(), "", "nothing has descriptor 3 any more")
                self.assertIn("tap7", self.links(client))
                self.assertNotIn("pass word", str(client.state()))
                self.assertNotIn("pass word", client.check(["sh", "-c", "cat /run/bootkey-hooks/openvpn/*"]))
                self.quiet_hook(client, path, "start", shell)  # is there: nobody is asked
                self.quiet_hook(client, path, "stop", shell)
                client.check_unchanged(before)
        with open(told) as file:
            self.assertEqual(set(file.read().splitlines()), {"somebody:wrong", "somebody:pass word \\"})

    def test_openvpn_with_nobody_to_ask_says_so(self):
        self.lab.file("hooks/openvpn.config", TLS_CONFIG.replace("ca ca.pem\n", ""), 0o600)
        client, path = self.openvpn_client()
        before = client.state()
        for shell in SHELLS:
            self.complains(client, path, "start", shell, "nobody gives the user name and the password for tap7")
            process, lines = self.asking_hook(client, path, shell)
            self.assertEqual(lines.readline(), "auth OpenVPN tunnel tap7\n")
            self.tell(lines, "gone")
            self.assertEqual(process.finish().status, 1)
            client.check_unchanged(before)

    # -- wireless

    def authenticate(self, host):
        """The switch's port (IEEE 802.1X, EAP-MD5) that a host is at lets somebody in by the password 'a "b" #c'."""
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "authenticator.py")
        process = self.lab.switch.start(["/usr/bin/python3", "-B", program, host.port(), "somebody", 'a "b" #c'],
                                        log=self.lab.path("logs", "authenticator"))
        self.addCleanup(process.kill)

    def test_wpa_supplicant_asks_a_person_until_the_switch_is_content(self):
        client = self.lab.client()
        self.authenticate(client)
        self.lab.file("hooks/wpa.config", ASKING_CONFIG, 0o600)
        path = self.install("wireless", SETTINGS["wireless"] + "ASK=yes\n")
        before = client.state()
        for shell in SHELLS:
            with self.subTest(shell=shell):
                process, lines = self.asking_hook(client, path, shell)
                for password, verdict in (("wrong", "failed"), ('a "b" #c', "ok")):
                    self.assertEqual(lines.readline(), "auth network on eth0\n")
                    self.tell(lines, "somebody", password)
                    self.assertEqual(lines.readline(), verdict + "\n", process.errors())
                result = process.finish()
                self.assertEqual((result.status, result.errors), (0, ""))
                self.assertNotIn('a "b"', client.check(["sh", "-c", "cat /run/bootkey-hooks/wireless/*"]))
                self.assertEqual(sum("wpa_supplicant" in command for command in client.state()["process"].values()), 1)
                self.quiet_hook(client, path, "stop", shell)
                client.check_unchanged(before)

    def test_wireless_with_nobody_to_ask_says_so(self):
        client = self.lab.client()
        self.lab.file("hooks/wpa.config", ASKING_CONFIG, 0o600)
        path = self.install("wireless", SETTINGS["wireless"] + "ASK=yes\n")
        before = client.state()
        for shell in SHELLS:
            self.complains(client, path, "start", shell, "nobody gives identity and password for eth0")
            client.check_unchanged(before)

    def test_wpa_supplicant_on_a_wired_interface(self):
        client = self.lab.client()
        path = self.install("wireless", SETTINGS["wireless"] + "ADDRESSES=192.0.2.7/24\n")
        for shell in SHELLS:
            before = client.state()
            self.quiet_hook(client, path, "start", shell)
            state = client.state()
            self.assertTrue(any("wpa_supplicant" in command for command in state["process"].values()))
            self.assertIn("eth0 192.0.2.7/24", state["address"])
            self.quiet_hook(client, path, "start", shell)
            self.assertEqual(sum("wpa_supplicant" in command for command in client.state()["process"].values()), 1)
            self.quiet_hook(client, path, "stop", shell)
            client.check_unchanged(before)

    def test_bootkey_over_wpa_supplicant_on_a_wired_interface(self):
        options = self.serve()
        client = self.lab.client()
        self.install("wireless")
        self.fetch(client, self.hook_option, "--interface=eth0", *options)

    def test_wireless_waits_for_the_access_point_no_longer_than_delay(self):
        client = self.lab.client()
        client.carrier(False)
        path = self.install("wireless")
        before = client.state()
        self.instead_of(client, "wpa_supplicant", "exec sleep 60\n")
        result = self.hook(client, path, "start", DELAY="1")
        self.assertEqual((result.status, result.errors), (0, ""))
        self.assertTrue(0.9 < result.seconds < 1.5 + netns_case.SLACK, result)
        self.quiet_hook(client, path, "stop")
        client.check_unchanged(before)

    def test_wireless_goes_on_when_there_is_an_access_point(self):
        client = self.lab.client()
        client.carrier(False)
        path = self.install("wireless")
        self.instead_of(client, "wpa_supplicant", "exec sleep 60\n")
        process = client.start([path, "start"], environment={"PATH": PATH, "MANDOSNETHOOKDIR": self.directory, "DELAY": "60"})
        lab.wait_until(client.is_up, "the interface up")
        self.alive(process, 0.5)
        client.carrier(True)
        self.assertEqual(process.finish(5).status, 0)
        self.quiet_hook(client, path, "stop")

    def test_wireless_interface_that_was_up_is_left_alone(self):
        client = self.lab.client()
        client.up()
        before = client.state()
        path = self.install("wireless")
        for mode in ("start", "stop"):
            self.quiet_hook(client, path, mode)
            client.check_unchanged(before)

    def test_wpa_supplicant_that_ends_by_itself_is_said(self):
        client = self.lab.client()
        client.carrier(False)
        path = self.install("wireless")
        before = client.state()
        for script in ("exit 1\n", "sleep 0.3; echo secret passphrase; exit 255\n"):
            self.instead_of(client, "wpa_supplicant", script)
            result = self.hook(client, path, "start", VERBOSITY="1")
            self.assertEqual(result.status, 1, result)
            self.assertIn("wpa_supplicant ended by itself", result.errors)
            self.assertNotIn("passphrase", result.errors)
        client.check_unchanged(before)


if __name__ == "__main__":
    netns_case.main()
