#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot scripts and the keyscript, in both shells that an initial RAM disk may have: what they start, with which options
and when; what they end, and how soon; and that a person is asked whatever goes wrong.
"""

import os
import re
import shutil
import unittest

import early_boot
import package_case

PREMOUNT = "/scripts/init-premount/bootkey"
LOCAL_BOTTOM = "/scripts/local-bottom/bootkey"
INIT_BOTTOM = "/scripts/init-bottom/bootkey"
KEYSCRIPT = "/lib/bootkey/keyscript none"
# Waits, up to 5 s, for a condition.
# Interfaces that somebody has configured, with addresses of one family each, and one that has the kernel's own address only.
USED = ("ip link add ipv4 type veth peer name ipv6; ip link add waiting type veth peer name other; for each in ipv4 ipv6 waiting other; do "
        "ip link set $each up; done; ip address add 192.0.2.1/24 dev ipv4; ip address add 2001:db8::1/64 dev ipv6 nodad; "
        "ip link add announced type veth peer name router; ip link set announced up; ip link set router up; "
        "ip address add 2001:db8:1::1/64 dev announced nodad valid_lft 900 preferred_lft 900")
UNTIL = "await() { n=100; while ! eval \"$1\" && [ $n -gt 0 ]; do sleep 0.05; n=$((n - 1)); done; }; "
STARTED = "run/started---askpass-fifo"


def in_both_shells(case):
    """Run a test case in an image with each shell."""
    def run(self):
        for shell in early_boot.SHELLS:
            with self.subTest(shell=shell), early_boot.EarlyBoot(shell) as boot:
                case(self, boot)
    run.__doc__ = case.__doc__
    return run

def boot_rules():
    """The cases of boot_rules.txt, each as {word: [what stands behind it, ...]}."""
    cases = []
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "boot_rules.txt")) as file:
        for line in file:
            word, _, rest = line.strip().partition(" ")
            if word == "case":
                cases.append({})
            if word and word != "#":
                cases[-1].setdefault(word, []).append(rest)
    return cases


MANAGEMENT = ["--management=unix:/run/bootkey/management", "--management-query-passwords"]


class BackgroundJobTest(unittest.TestCase):
    def job(self, boot, command_line="quiet", environment=None):
        """The options that the background job was started with; None if it was not started."""
        for name in (STARTED, "run/bootkey.pid"):
            if boot.read(name) is not None:
                boot.remove(name)
        script = f"{PREMOUNT}; [ ! -e /run/bootkey.pid ] || {{ {UNTIL} await '[ -e /{STARTED} ]'; }}"
        result = boot.run(script, command_line, environment)
        self.assertEqual((result.status, result.output, result.errors), (0, b"", ""), result)
        started = boot.read(STARTED)
        return started and started.splitlines()[:-2]

    def choice(self, boot, *arguments, **named):
        """What of these options depends on the case: all but the first and, at the end, the management interface's."""
        first, *options = self.job(boot, *arguments, **named)
        self.assertEqual((first, options[-2:]), ("--askpass-fifo", MANAGEMENT))
        return options[:-2]

    @in_both_shells
    def test_is_started_for_a_disk_that_asks(self, boot):
        self.assertEqual(self.choice(boot), ["--verb=3"])
        self.assertEqual(boot.read(STARTED).splitlines()[-2:], ["/dev/null", "/dev/null"])

    @in_both_shells
    def test_leaves_the_console_alone_and_keeps_nobody_waiting(self, boot):
        result = boot.run(f"text=$({PREMOUNT} 2>&1); echo over")  # which ends when nobody has the pipe any more
        self.assertEqual(result.output, b"over\n")
        self.assertLess(result.seconds, 5)

    @in_both_shells
    def test_writes_errors_and_nothing_else_to_a_log_of_root_alone(self, boot):
        boot.write("behaviour", "echo password; echo trouble >&2\n")
        boot.run(f"{PREMOUNT}; {UNTIL} await '[ -s /run/bootkey/log ]'")
        self.assertEqual(boot.read("run/bootkey/log"), "trouble\n")
        result = boot.run("busybox stat -c %a /run/bootkey/log /run/bootkey")
        self.assertEqual(result.output, b"600\n711\n")

    @in_both_shells
    def test_goes_by_the_table_of_rules(self, boot):
        rules = boot_rules()
        self.assertGreater(len(rules), 50)
        for rule in rules:
            boot.write("cryptroot/crypttab", "".join(f"{line}\n" for line in rule.get("crypttab", ["root UUID=1234 none luks"])))
            boot.write("etc/bootkey/client", "".join(f"{line}\n" for line in ["client=bootkey", *rule.get("client", [])]))
            boot.write("etc/bootkey/bootkey.conf", "".join(f"{line}\n" for line in rule.get("config", [])))
            environment = dict(line.split("=", 1) for line in rule.get("settings", []))
            command_line = rule.get("command-line", ["quiet"])[-1]
            how = rule["started"][0]
            with self.subTest(rule["case"][0]):
                options = self.job(boot, command_line, environment)
                self.assertEqual(options is not None, how == "background", options)
                if how == "keyscript":
                    boot.write("behaviour", "printf found\n")
                    result = boot.run(KEYSCRIPT, command_line, {"CRYPTTAB_NAME": "root", **environment})
                    self.assertEqual(result.output, b"found", result)
                    boot.write("behaviour", "exec sleep 60\n")
                    options = boot.read("run/started---prompt").splitlines()
                if how != "no":
                    for word in ("connect", "interface"):
                        self.assertEqual([option for option in options if option.startswith(f"--{word}=")],
                                         [f"--{word}={value}" for value in rule.get(word, [])])

    @in_both_shells
    def test_is_left_out_by_the_kernel_command_line(self, boot):
        for text in ("bootkey=off", "quiet bootkey=debug,off ro", "bootkey=debug bootkey=off"):
            self.assertIsNone(self.job(boot, text), text)

    @in_both_shells
    def test_gets_options_from_the_kernel_command_line(self, boot):
        for text, options in {
                "bootkey=debug": ["--debug"],
                "ro bootkey=connect:192.0.2.1:4711": ["--verb=3", "--connect=192.0.2.1:4711"],
                "bootkey=connect:[fe80::1%eth0]:4711,debug": ["--debug", "--connect=[fe80::1%eth0]:4711"],
                "bootkey=connect:": ["--verb=3"],
                "ip=192.0.2.9::192.0.2.1:255.255.255.0::eth1:off": ["--verb=3", "--interface=eth1"],
                "ip=:::::eth1": ["--verb=3", "--interface=eth1"],
                "ip=::::host::dhcp": ["--verb=3"],
                "ip=dhcp": ["--verb=3"],
                "notbootkey=off xip=:::::eth1 bootkey": ["--verb=3"],
                "bootkey=debug *": ["--debug"]}.items():
            self.assertEqual(self.choice(boot, text), options, text)

    @in_both_shells
    def test_tells_of_settings_that_it_does_not_know(self, boot):
        self.assertIsNotNone(self.job(boot, "bootkey=of"))
        self.assertIn("unknown setting bootkey=of ", boot.read("dev/kmsg"))

    def log(self, boot, expected):
        """What this run has added to the log by then, which must fit the pattern."""
        boot.run(f"{UNTIL} await '[ -s /run/bootkey/log ]'")
        text = boot.read("run/bootkey/log") or ""
        self.assertRegex(text, expected)
        if text:
            boot.remove("run/bootkey/log")

    @in_both_shells
    def test_obeys_mandos_off_unless_bootkey_is_wanted(self, boot):
        self.assertIsNone(self.job(boot, "quiet mandos=off"))
        self.log(boot, "^bootkey: not started, since mandos=off is on the kernel command line; .*bootkey=on")
        self.assertRegex(boot.read("dev/kmsg"), "^<3>bootkey: not started, since mandos=off")
        for text in ("mandos=off,connect:192.0.2.1:1", "mandos=connect:192.0.2.1:1 mandos=off", "mandos=off bootkey=off,on",
                     "mandos=off bootkey=onn", "bootkey=off"):
            self.assertIsNone(self.job(boot, text), text)
        self.log(boot, "mandos=off")
        for text, options in {"mandos=off bootkey=on": ["--verb=3"], "bootkey=debug mandos=off": ["--debug"],
                              "bootkey=connect:192.0.2.1:1 mandos=off": ["--verb=3", "--connect=192.0.2.1:1"]}.items():
            self.assertEqual(self.choice(boot, text), options, text)
            self.log(boot, "runs though mandos=off .*bootkey= is there")
        boot.write("etc/bootkey/client", "client=bootkey\nwhy=CLIENT=bootkey in /etc/bootkey/initramfs.conf\nplugin=no\nchosen=yes\n")
        self.assertEqual(self.choice(boot, "mandos=off"), ["--verb=3"])
        self.log(boot, "runs though mandos=off .*was chosen")
        self.assertIsNone(self.job(boot, "mandos=off bootkey=off"))
        self.assertEqual(self.choice(boot, "bootkey=on"), ["--verb=3"])
        self.assertFalse(boot.read("run/bootkey/log"))

    @in_both_shells
    def test_asks_the_server_of_mandos_connect_if_nothing_else_names_one(self, boot):
        for address in ("192.0.2.1:4711", "[2001:db8::1]:4711", "2001:db8::1:4711", "fe80::1%eth0:4711", "[fe80::1%eth0]:65535"):
            self.assertEqual(self.choice(boot, f"mandos=connect:{address}"), ["--verb=3", f"--connect={address}"])
            self.log(boot, "asks only " + re.escape(address) + ", as mandos=connect")
        for text in ("server.example:4711", "192.0.2.1", "192.0.2.1:", ":4711", "192.0.2.1:x", "192.0.2.1:0", "192.0.2.1:123456"):
            self.assertEqual(self.choice(boot, f"mandos=connect:{text}"), ["--verb=3"], text)
            self.log(boot, "mandos=connect:" + re.escape(text) + " .* is not used, since it is not an address and a port")
        self.assertEqual(self.choice(boot, "mandos=connect:192.0.2.1:1 bootkey=connect:192.0.2.2:2"), ["--verb=3", "--connect=192.0.2.2:2"])
        self.log(boot, "mandos=connect:192.0.2.1:1 on .* is not used, since bootkey=connect:")
        for line in ("server=192.0.2.3:3", "connect = 192.0.2.3:3"):
            boot.write("etc/bootkey/bootkey.conf", line + "\n")
            self.assertEqual(self.choice(boot, "mandos=connect:192.0.2.1:1"), ["--verb=3"])
            self.log(boot, "mandos=connect:192.0.2.1:1 on .* is not used, since bootkey.conf")

    @in_both_shells
    def test_tells_of_mandos_settings_that_nobody_knows(self, boot):
        self.assertEqual(self.choice(boot, "mandos=of,connect bootkey=connect"), ["--verb=3"])
        self.log(boot, "unknown setting mandos=of on .*\n.*unknown setting bootkey=connect on .*\n$")

    @in_both_shells
    def test_takes_the_interface_from_the_nearest_place(self, boot):
        device = {"DEVICE": "eth7"}
        self.assertIn("--interface=eth7", self.job(boot, environment=device))
        boot.write("etc/bootkey/bootkey.conf", "# mine\n  interface = en*\nverb 1")
        self.assertEqual(self.choice(boot, environment=device), [])
        self.assertEqual(self.choice(boot, "ip=:::::eth1", device), ["--interface=eth1"])

    @in_both_shells
    def test_leaves_the_management_interface_to_the_administrator(self, boot):
        boot.write("etc/bootkey/bootkey.conf", "management=127.0.0.1:7505\n")
        self.assertEqual(self.job(boot), ["--askpass-fifo", "--verb=3"])

    @in_both_shells
    def test_is_not_started_where_another_client_was_chosen(self, boot):
        for text in ("client=mandos-client\nplugin=bootkey\n", "client=none\n", ""):
            boot.write("etc/bootkey/client", text)
            self.assertIsNone(self.job(boot), text)
        boot.remove("etc/bootkey/client")
        self.assertIsNone(self.job(boot))

    @in_both_shells
    def test_is_not_started_where_nobody_is_going_to_be_asked(self, boot):
        for text in ("", "# root UUID=1 none luks\n", "root UUID=1 /keyfile luks\n",
                     "root UUID=1 none luks,keyscript=/bin/mine,discard\n", "root UUID=1 none keyscript=/lib/mandos/plugin-runner\n"):
            boot.write("cryptroot/crypttab", text)
            self.assertIsNone(self.job(boot), text)
        boot.remove("cryptroot/crypttab")
        self.assertIsNone(self.job(boot))

    @in_both_shells
    def test_is_started_if_one_disk_of_several_asks(self, boot):
        boot.write("cryptroot/crypttab", "a UUID=1 /key luks\nb UUID=2 none luks,keyscript=/lib/cryptsetup/askpass\n"
                                         "c UUID=3 x keyscript=y\n")
        self.assertIsNotNone(self.job(boot))

    @in_both_shells
    def test_is_started_for_keyscripts_that_ask_for_the_disks_own_password(self, boot):
        scripts = "/lib/cryptsetup/scripts/"
        for keyscript, expected in {
                "decrypt_keyctl": True, f"{scripts}decrypt_keyctl": True, f"/usr{scripts}decrypt_keyctl": True, "/usr/lib/cryptsetup/askpass": True,
                f"{scripts}decrypt_gnupg": False, f"{scripts}decrypt_gnupg-sc": False, "decrypt_opensc": False, "decrypt_ssl": False,
                "decrypt_derived": False, "passdev": False, "/etc/decrypt_keyctl": False, f"{scripts}decrypt_keyctl2": False,
                f"decrypt_keyctl,keyscript={scripts}decrypt_gnupg": False, "decrypt_gnupg,keyscript=decrypt_keyctl": True}.items():
            for options in (f"luks,keyscript={keyscript},discard", f"keyscript={keyscript}"):
                boot.write("cryptroot/crypttab", f"a UUID=1 none {options}\nb UUID=2 disks {options}\n")
                self.assertEqual(self.job(boot) is not None, expected, options)

    @in_both_shells
    def test_follows_cryptopts_which_replace_the_crypttab(self, boot):
        self.assertIsNone(self.job(boot, "cryptopts="))
        boot.remove("cryptroot/crypttab")
        self.assertIsNotNone(self.job(boot, "cryptopts= cryptopts=target=root,source=/dev/sda2 cryptopts="))

    @in_both_shells
    def test_is_not_started_for_a_root_file_system_from_the_network(self, boot):
        self.assertIsNone(self.job(boot, environment={"BOOT": "nfs"}))

    @in_both_shells
    def test_does_not_hinder_the_boot_when_the_program_is_missing_or_broken(self, boot):
        boot.remove("usr/sbin/bootkey")
        self.assertIsNone(self.job(boot))
        boot.write("usr/sbin/bootkey", "#!/nowhere\n", 0o755)
        result = boot.run(f"{PREMOUNT}; {UNTIL} await '[ -s /run/bootkey/log ]'")
        self.assertEqual((result.status, result.output, result.errors), (0, b"", ""), result)

    @in_both_shells
    def test_configures_addresses_beside_if_the_kernel_command_line_asks_for_it(self, boot):
        for text, expected in {"quiet": False, "ip=off": False, "ip=none bootkey=connect:192.0.2.1:1": False,
                               "bootkey=off ip=dhcp": False, "mandos=off ip=dhcp": False, "ip=off mandos=connect:192.0.2.1:1": False,
                               "ip=dhcp": True, "bootkey=connect:192.0.2.1:1": True, "mandos=connect:192.0.2.1:1": True,
                               "mandos=connect": True}.items():
            ip = re.search(r"\bip=(\S+)", text)
            boot.run(f"{PREMOUNT}; [ ! -e /run/bootkey-network.pid ] || {{ {UNTIL} await '[ -e /run/configured ]'; }}", text,
                     {"IP": ip.group(1) if ip else ""})
            self.assertEqual(boot.read("run/configured") is not None, expected, text)
            for name in ("configured", "bootkey-network.pid"):
                if expected:
                    boot.remove(f"run/{name}")

    def configured(self, boot, command_line="quiet", **environment):
        """With what the network was configured; None if it was not."""
        for name in ("configured", "bootkey-network.pid"):
            if boot.read(f"run/{name}") is not None:
                boot.remove(f"run/{name}")
        boot.run(f"{PREMOUNT}; [ ! -e /run/bootkey-network.pid ] || {{ {UNTIL} await '[ -s /run/configured ]'; }}", command_line, environment)
        return boot.read("run/configured")

    @in_both_shells
    def test_takes_ip_from_initramfs_conf_as_from_the_kernel_command_line(self, boot):
        static = "192.0.2.9::192.0.2.1:255.255.255.0::eth1:off"
        self.assertEqual(self.configured(boot, IP=static), f"ip={static} device=\n")
        self.assertEqual(self.choice(boot, environment={"IP": static}), ["--verb=3", "--interface=eth1"])
        self.assertEqual(self.configured(boot, IP="dhcp", DEVICE="eth7"), "ip=dhcp device=eth7\n")
        for value in ("off", "none"):
            self.assertIsNone(self.configured(boot, "bootkey=connect:192.0.2.1:1", IP=value), value)
        self.assertIsNone(self.configured(boot, "ip=off", IP="dhcp"))  # init(8) has this one in IP, too

    @in_both_shells
    def test_gets_an_address_by_dhcp_if_a_server_is_named_in_the_configuration(self, boot):
        for text, expected in {
                "server=192.0.2.1:4711": "", "  connect = 192.0.2.1:4711 # mine": "", "server 2001:db8::1:4711": "",
                "server=[fe80::1%eth0]:1\nserver=192.0.2.1:4711": "", "interface=eth3\nserver=192.0.2.1:1": "eth3",
                "server=192.0.2.1:1\ninterface = en*": "", "interface=eth0,eth1\nserver=192.0.2.1:1": "",
                "interface=eth0\ninterface=eth1\nserver=192.0.2.1:1": "", "server=fe80::1%eth0:4711": None, "connect=[fe80::1]:4711": None,
                "interface=none\nserver=192.0.2.1:1": None, "server=": None, "#server=192.0.2.1:4711": None, "servers=192.0.2.1:1": None, "retry=5": None}.items():
            with self.subTest(text):
                boot.write("etc/bootkey/bootkey.conf", text)
                self.assertEqual(self.configured(boot), expected if expected is None else f"ip= device={expected}\n")
        boot.write("etc/bootkey/bootkey.conf", "server=192.0.2.1:4711\ninterface=eth3\n")
        self.assertEqual(self.configured(boot, IP="dhcp", DEVICE="eth7"), "ip=dhcp device=eth7\n")
        self.assertIsNone(self.configured(boot, "ip=off", IP="off"))
        boot.write("lib/mandos/network-hooks.d/bond", "#!/bin/sh\n", 0o755)  # makes addresses by itself
        self.assertIsNone(self.configured(boot))
        self.assertIsNotNone(self.configured(boot, IP="dhcp"))

    @in_both_shells
    def test_leaves_addresses_to_dropbear(self, boot):
        boot.write("sbin/dropbear", "#!/bin/sh\n", 0o755)
        boot.run(PREMOUNT, "ip=dhcp")
        self.assertIsNone(boot.read("run/bootkey-network.pid"))

    @in_both_shells
    def test_says_what_it_comes_after(self, boot):
        for script, output in ((PREMOUNT, b"udev\n"), (LOCAL_BOTTOM, b""), (INIT_BOTTOM, b"")):
            self.assertEqual(boot.run(f"{script} prereqs").output, output, script)
        self.assertIsNone(boot.read(STARTED))


class EndOfBootCase(unittest.TestCase):
    """`/behaviour` says how bootkey ends; the time of local-bottom is told in hundredths of a second."""

    def end(self, boot, behaviour, script=LOCAL_BOTTOM, command_line="quiet", before="", network=":", environment=None):
        """Start the job, wait until it is there, run the script. The seconds that took; the job must be gone."""
        boot.write("behaviour", behaviour)
        result = boot.run(f"""{UNTIL}
            now() {{ read -r up rest </proc/uptime; echo "${{up%.*}}${{up#*.}}"; }}
            {PREMOUNT}
            read -r pid </run/bootkey.pid
            await '[ -e /run/ready ]'
            {before}
            begin=$(now)
            {script} || echo "status $?"
            end=$(now)
            [ ! -e "/proc/$pid/exe" ] || echo "still there"
            echo $((end - begin))""", command_line, environment, network)
        self.assertRegex(result.output.decode(), r"^[0-9]+\n$", result)
        self.assertEqual(result.errors, "", result)
        for name in ("bootkey.pid", "bootkey-network.pid"):
            self.assertIsNone(boot.read(f"run/{name}"))
        return int(result.output) / 100


class EndOfBootTest(EndOfBootCase):
    OBEDIENT = "trap 'echo >/run/ended; exit 0' TERM; echo >/run/ready; while :; do sleep 0.01; done\n"
    STUBBORN = "[ \"$1\" != --restore ] || exit 0; trap '' TERM; echo >/run/ready; while :; do sleep 0.1; done\n"
    SLOW = "trap 'sleep 4; echo >/run/ended; exit 0' TERM; echo >/run/ready; while :; do sleep 0.01; done\n"

    @in_both_shells
    def test_starts_and_ends_bootkey_where_run_has_no_room(self, boot):
        boot.write("behaviour", "trap 'exit 0' TERM; echo >/scratch/ready; while :; do sleep 0.01; done\n")
        for prepare in ('mount -t tmpfs -o size=4k none "$1/run" && head -c 4096 /dev/zero >"$1/run/fill"',
                        'mount -t tmpfs -o ro none "$1/run"'):
            with self.subTest(prepare):
                result = boot.run(f"""{UNTIL}
                    {PREMOUNT}
                    await '[ -e /scratch/ready ]'
                    read -r pid </bootkey.pid && [ -e "/proc/$pid/exe" ] && echo started
                    {LOCAL_BOTTOM} || echo "status $?"
                    [ -e "/proc/$pid/exe" ] || [ -e /bootkey.pid ] || echo ended""", network=prepare)
                self.assertEqual(result.output, b"started\nended\n", result)
                boot.remove("scratch/ready")

    @in_both_shells
    def test_starts_and_ends_bootkey_where_the_log_cannot_be_written(self, boot):
        """A redirection that fails ends a shell, if it is that of a special built-in."""
        boot.write("behaviour", "trap 'exit 0' TERM; echo >/scratch/ready; while :; do sleep 0.01; done\n")
        result = boot.run(f"""{UNTIL}
            {PREMOUNT}
            await '[ -e /scratch/ready ]'
            read -r pid </run/bootkey.pid && [ -e "/proc/$pid/exe" ] && echo started
            {LOCAL_BOTTOM} || echo "status $?"
            [ -e "/proc/$pid/exe" ] || [ -e /run/bootkey.pid ] || echo ended""", network='mkdir -p "$1/run/bootkey/log"')
        self.assertEqual(result.output, b"started\nended\n", result)

    @in_both_shells
    def test_lets_bootkey_put_things_back(self, boot):
        boot.write("lib/mandos/network-hooks.d/vlan", "#!/bin/sh\n", 0o755)  # then it might take 5 s
        self.assertLess(self.end(boot, self.OBEDIENT), 4)
        self.assertIsNotNone(boot.read("run/ended"))
        self.assertIsNone(boot.read("run/started---restore"))

    @in_both_shells
    def test_kills_a_stubborn_bootkey_after_a_second_and_restores(self, boot):
        seconds = self.end(boot, self.STUBBORN, before="echo change >/run/bootkey/journal")
        self.assertGreater(seconds, 0.9)
        self.assertEqual(boot.read("run/started---restore").splitlines()[:-2], ["--restore"])
        self.assertIn("is killed", boot.read("dev/kmsg"))

    @in_both_shells
    def test_gives_network_hooks_more_time(self, boot):
        self.end(boot, self.SLOW)
        self.assertIsNone(boot.read("run/ended"))
        boot.remove("run/ready")
        boot.write("lib/mandos/network-hooks.d/vlan", "#!/bin/sh\n", 0o755)
        self.end(boot, self.SLOW)
        self.assertIsNotNone(boot.read("run/ended"))

    @in_both_shells
    def test_restores_what_one_that_was_killed_has_left(self, boot):
        boot.write("behaviour", "exit 0")
        for name in ("journal", "given"):
            boot.run(f"busybox mkdir -p /run/bootkey; echo >/run/bootkey/{name}; {LOCAL_BOTTOM}")
            self.assertIsNotNone(boot.read("run/started---restore"), name)
            boot.remove("run/started---restore")
            boot.remove(f"run/bootkey/{name}")

    @in_both_shells
    def test_starts_nothing_where_bootkey_was_not_used(self, boot):
        result = boot.run(f"{LOCAL_BOTTOM} && {INIT_BOTTOM}")
        self.assertEqual((result.status, result.output, result.errors), (0, b"", ""), result)
        self.assertIsNone(boot.read("run/started---restore"))

    @in_both_shells
    def test_ends_it_also_after_other_ways_of_booting(self, boot):
        self.end(boot, self.OBEDIENT, INIT_BOTTOM)
        self.assertIsNotNone(boot.read("run/ended"))

    @in_both_shells
    def test_ends_what_still_waits_for_addresses(self, boot):
        self.end(boot, self.OBEDIENT, command_line="ip=dhcp", before="""
            await '[ -e /run/configured ]'
            read -r network </run/bootkey-network.pid
            read -r child </proc/$network/task/$network/children
            trap 'for each in $network $child; do [ ! -e "/proc/$each/exe" ] || echo "left: $each"; done' EXIT""")

    @in_both_shells
    def test_takes_down_what_has_got_no_address(self, boot):
        """ipconfig, when it is ended, leaves the interfaces up that it has brought up. What others use by then is theirs."""
        down, up = "0x1002\n", "0x1003\n"
        for interface in ("waiting", "ipv4", "ipv6", "announced", "port", "before"):
            os.makedirs(f"{boot.root}/sys/class/net/{interface}")
            boot.write(f"sys/class/net/{interface}/flags", up if interface == "before" else down)
        os.makedirs(f"{boot.root}/sys/class/net/port/master")
        self.end(boot, self.OBEDIENT, command_line="ip=dhcp", network=USED, before="""
            await '[ -e /run/configured ]'
            for each in waiting ipv4 ipv6 announced port; do echo 0x1003 >/sys/class/net/$each/flags; done""")
        self.assertEqual(boot.read("sys/class/net/waiting/flags"), "4098\n")
        for interface in ("ipv4", "ipv6", "announced", "port", "before"):
            self.assertEqual(boot.read(f"sys/class/net/{interface}/flags"), up, interface)
        self.assertIn("took down interface waiting", boot.read("run/bootkey/log"))
        self.assertIsNone(boot.read("run/bootkey-network.down"))

    @in_both_shells
    def test_leaves_a_process_alone_that_has_got_the_number_of_one_that_ended(self, boot):
        other, start = {"dash": ("busybox", "/bin/busybox sh"), "busybox": ("dash", "/bin/dash")}[boot.shell]
        result = boot.run(f"{start} -c 'sleep 5 & wait' & echo $! >/run/bootkey.pid; {UNTIL} "
                          f"await '[ /proc/$!/exe -ef /bin/{other} ]'; {LOCAL_BOTTOM}; kill -0 $! && echo alive")
        self.assertEqual(result.output, b"alive\n", result)


class AddressTest(EndOfBootCase):
    """What becomes of an address that configure_networking has given to eth0."""

    NETWORK = "ip link add eth0 type veth peer name other; ip link set other up; ip link set eth0 up; "
    # As ipconfig does it, and writes it down.
    CONFIGURE = """
configure() {
    ip -4 addr add 192.0.2.9/24 dev eth0
    ip -4 route add default via 192.0.2.1 dev eth0
} 2>/dev/null
configure_networking() {
    configure
    printf "DEVICE='eth0'\\nPROTO='static'\\nIPV4ADDR='192.0.2.9'\\nIPV4GATEWAY='192.0.2.1'\\n" >/run/net-eth0.conf
    echo >/run/configured
%s
}
"""
    HERE = "192.0.2.9/24 default via 192.0.2.1 conf"

    def address(self, boot, network="", meanwhile="", client=None, then="", environment=None, script=LOCAL_BOTTOM):
        """What of the address, its route and ipconfig's file is there at the end, and what the log says of it."""
        for name in ("run/ready", "run/configured", "run/net-eth0.conf", "run/bootkey/log", "run/at-end"):
            if boot.read(name) is not None:
                boot.remove(name)
        boot.write("scripts/functions", self.CONFIGURE % then)
        boot.write("etc/bootkey/client", "client=bootkey\nplugin=no\n" + (f"address={client}\n" if client else ""))
        tell = ("for each in $(ip -4 -o addr show dev eth0); do case $each in */*) echo $each ;; esac; done; "
                "for each in $(ip -4 route show | cat); do case $each in default) echo default via ;; 192.0.2.1) echo $each ;; esac; done; "
                "[ ! -e /run/net-eth0.conf ] || echo conf")
        self.end(boot, "trap '[ ! -e /run/net-eth0.conf ] || echo conf >/run/at-end; exit 0' TERM; echo >/run/ready; while :; do sleep 0.01; done\n",
                 script, command_line="ip=dhcp", network=self.NETWORK + network, environment=environment,
                 before=f"await '[ -e /run/configured ]'; {meanwhile}\ntrap '{{ {tell}; }} >/scratch/after' EXIT")
        return " ".join(boot.read("scratch/after").split()), boot.read("run/bootkey/log")

    def assert_gone(self, boot, *arguments, **named):
        left, log = self.address(boot, *arguments, **named)
        self.assertEqual(left, "", log)
        self.assertRegex(log, "^bootkey: removed address 192.0.2.9/24 from interface eth0 again.*\n(bootkey: took down.*\n)?$")
        self.assertIsNone(boot.read("run/at-end"))  # else bootkey would leave the interface up

    def assert_stays(self, boot, why, *arguments, **named):
        left, log = self.address(boot, *arguments, **named)
        self.assertEqual(left.replace("198.51.100.7/24 ", ""), self.HERE, log)
        self.assertRegex(log, f"address 192.0.2.9/24, which ipconfig has given to interface eth0, stays: .*{why}" if why else "^$")

    @in_both_shells
    def test_it_is_removed(self, boot):
        self.assert_gone(boot)
        self.assert_gone(boot, then="sleep 60")  # which goes on with another card, say
        self.assert_gone(boot, script=INIT_BOTTOM)
        self.assert_gone(boot, network="ip addr add 2001:db8::1/64 dev eth0 valid_lft 900 preferred_lft 900")  # as by a router

    @in_both_shells
    def test_it_stays_as_the_image_was_made(self, boot):
        self.assert_stays(boot, "KEEP_ADDRESS", client="keep")
        self.assert_stays(boot, "KEEP_ADDRESS", client="remove eth1 en* *h1")
        for client in ("remove", "remove eth0", "remove en* eth*", "remove *"):
            self.assert_gone(boot, client=client)

    @in_both_shells
    def test_it_stays_where_the_system_needs_the_network(self, boot):
        for path in ("class/iscsi_session/session1/state", "block/nbd0/pid", "block/rbd0/size", "class/nvme/nvme0/transport"):
            os.makedirs(os.path.dirname(f"{boot.root}/sys/{path}"))
            boot.write(f"sys/{path}", "tcp\n")
            self.assert_stays(boot, "a disk is reached over the network")
            boot.write(f"sys/{path}", "pcie\n")
            if "nvme" in path:
                self.assert_gone(boot)
            shutil.rmtree(f"{boot.root}/sys")
        self.assert_stays(boot, "boot=live", environment={"BOOT": "live"}, script=INIT_BOTTOM)

    @in_both_shells
    def test_it_stays_where_somebody_else_uses_the_interface(self, boot):
        self.assert_stays(boot, "another address", meanwhile="ip -4 addr add 198.51.100.7/24 dev eth0")
        self.assert_stays(boot, "another route", meanwhile="ip -4 route add 203.0.113.0/24 via 192.0.2.77 dev eth0")
        self.assert_stays(boot, "somebody else uses", network="ip addr add 2001:db8::1/64 dev eth0 nodad")
        os.makedirs(f"{boot.root}/sys/class/net/eth0/upper_vlan")
        self.assert_stays(boot, "somebody else uses")

    @in_both_shells
    def test_what_was_there_before_is_left_alone(self, boot):
        left, log = self.address(boot, network="ip addr add 192.0.2.9/24 dev eth0; ip route add default via 192.0.2.1")
        self.assertEqual((left, log), (self.HERE, ""))
        left, log = self.address(boot, network="echo IPV4ADDR=192.0.2.9 >$1/run/net-eth0.conf; ")
        self.assertEqual((left, log), (self.HERE, ""))
        # Another interface's are, too.
        self.assert_gone(boot, network="ip addr add 198.51.100.7/24 dev other; ip route add 203.0.113.0/24 via 198.51.100.1")

    @in_both_shells
    def test_its_interface_goes_down_if_ipconfig_had_brought_it_up(self, boot):
        os.makedirs(f"{boot.root}/sys/class/net/eth0")
        for before, after in (("0x1002\n", "4098\n"), ("0x1003\n", "0x1003\n")):
            boot.write("sys/class/net/eth0/flags", before)
            self.assert_gone(boot, meanwhile="echo 0x1003 >/sys/class/net/eth0/flags")
            self.assertEqual(boot.read("sys/class/net/eth0/flags"), after)

    @in_both_shells
    def test_it_stays_where_what_it_takes_is_missing(self, boot):
        for missing in ("bin/ip", "lib/bootkey/functions"):
            boot.remove(missing)
            result = boot.run("busybox mkdir -p /run/bootkey; echo >/run/bootkey.pid; echo >/run/bootkey-network.before; "
                              f"echo IPV4ADDR=192.0.2.9 >/run/net-eth0.conf; {LOCAL_BOTTOM}")
            self.assertEqual((result.status, result.output, result.errors), (0, b"", ""), result)
            self.assertIsNotNone(boot.read("run/net-eth0.conf"))
        self.assertRegex(boot.read("run/bootkey/log"), r"address 192.0.2.9, .* stays: the image has no ip\(8\)")


class KeyscriptTest(unittest.TestCase):
    OPTIONS = ["--prompt=Please unlock disk root_crypt: ", "--mapping=root_crypt", "--tried=1/3"]

    def ask(self, boot, behaviour="printf secret", command_line="quiet", **environment):
        """What the keyscript writes, and its exit status."""
        boot.write("behaviour", behaviour + "\n")
        result = boot.run(KEYSCRIPT, command_line, {"CRYPTTAB_NAME": "root_crypt", "CRYPTTAB_TRIED": "1", **environment})
        return result.output, result.status

    def assert_person_asked(self, boot, outcome):
        self.assertEqual(outcome, (b"typed", 0))
        self.assertEqual(boot.read("run/prompt"), "Please unlock disk root_crypt: ")

    @in_both_shells
    def test_hands_the_password_on(self, boot):
        self.assertEqual(self.ask(boot), (b"secret", 0))
        self.assertEqual(boot.read("run/started---prompt").splitlines()[:-2], [*self.OPTIONS, *MANAGEMENT])
        self.assertIsNone(boot.read("run/prompt"))

    @in_both_shells
    def test_passes_on_what_the_kernel_command_line_says(self, boot):
        self.ask(boot, command_line="bootkey=debug,connect:192.0.2.1:1 ip=:::::eth1")
        self.assertEqual(boot.read("run/started---prompt").splitlines()[:-2],
                         [*self.OPTIONS, "--debug", "--connect=192.0.2.1:1", "--interface=eth1", *MANAGEMENT])

    @in_both_shells
    def test_goes_by_what_mandos_client_would_have_gone_by(self, boot):
        self.ask(boot, command_line="mandos=connect:192.0.2.1:1")
        self.assertIn("--connect=192.0.2.1:1", boot.read("run/started---prompt").splitlines())
        self.assertRegex(boot.read("run/bootkey/log"), "asks only 192.0.2.1:1")
        self.assertEqual(self.ask(boot, command_line="bootkey=on mandos=off"), (b"secret", 0))

    @in_both_shells
    def test_tells_which_try_it_is(self, boot):
        self.ask(boot, CRYPTTAB_TRIED="4", CRYPTTAB_OPTION_tries="5")
        self.assertIn("--tried=4/5", boot.read("run/started---prompt").splitlines())

    @in_both_shells
    def test_asks_nobody_else_where_the_reader_is_gone(self, boot):
        for status in (74, 75):
            self.assertEqual(self.ask(boot, f"exit {status}"), (b"", status))
        self.assertIsNone(boot.read("run/prompt"))

    @in_both_shells
    def test_asks_a_person_whenever_bootkey_fails(self, boot):
        for behaviour in ("exit 1", "exit 64", "exit 66", "exit 69", "exit 71", "exit 77", "exit 127",
                          "kill -SEGV $$", "kill -KILL $$"):
            self.assert_person_asked(boot, self.ask(boot, behaviour))
            boot.remove("run/prompt")

    @in_both_shells
    def test_asks_a_person_where_something_is_missing(self, boot):
        boot.write("usr/sbin/bootkey", "#!/nowhere\n", 0o755)  # as if a library were missing
        self.assert_person_asked(boot, self.ask(boot))
        for missing in ("run/prompt", "usr/sbin/bootkey"):
            boot.remove(missing)
        self.assert_person_asked(boot, self.ask(boot))
        for missing in ("run/prompt", "lib/bootkey/functions"):
            boot.remove(missing)
        self.assert_person_asked(boot, self.ask(boot))

    @in_both_shells
    def test_asks_a_person_where_bootkey_is_not_to_run(self, boot):
        for text in ("bootkey=off", "mandos=off"):
            self.assert_person_asked(boot, self.ask(boot, command_line=text))
            boot.remove("run/prompt")
        boot.write("etc/bootkey/client", "client=mandos-client\n")
        self.assert_person_asked(boot, self.ask(boot))
        self.assertIsNone(boot.read("run/started---prompt"))


if __name__ == "__main__":
    package_case.main(early_boot.why_unavailable())
