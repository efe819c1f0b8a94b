#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself, tried with Debian's mandos-client, so that a failure elsewhere is bootkey's and not the lab's."""

import os
import signal
import subprocess
import sys

import lab
import netns_case
import own_directories
from netns_case import PASSWORD


class LabTest(netns_case.NetnsCase):
    def peer(self, host, keys, *options):
        program = netns_case.mandos_client()
        if not program:
            self.skipTest("Debian's mandos-client is not unpacked in build/peers: run tools/test once")
        host.space.may_use_syslog = False
        # Another console level than before is what mandos-client leaves behind, which is the host's own so.
        script = 'level=$(cat /proc/sys/kernel/printk); "$@"; status=$?; echo "$level" >/proc/sys/kernel/printk; exit $status'
        return host.run(["sh", "-c", script, "sh", program, *keys.options, "--network-hook-dir=/nonexistent", *options])

    def test_mandos_client_warm(self):
        for kind in ("cv25519", "rsa4096"):
            with self.subTest(kind):
                keys = self.lab.keys(kind)
                self.lab.mandos([keys.section(PASSWORD)])
                client = self.lab.host()
                before = client.state()
                self.assert_password(self.peer(client, keys))
                client.check_unchanged(before)

    def test_mandos_client_from_an_interface_that_is_down(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        before = client.state()
        self.assert_password(self.peer(client, keys))
        client.check_unchanged(before)

    def test_connect_over_ipv4(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)], addresses=["192.0.2.1/24"], port=4711, zeroconf=False, ipv6=False)
        client = self.lab.host(addresses=["192.0.2.2/24"])
        self.assert_password(self.peer(client, keys, "--connect=192.0.2.1:4711"))

    def test_server_stops_and_starts_again(self):
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(PASSWORD)])
        server.stop()
        self.assertIsNone(server.host.listening_port())
        server.start()
        self.assertIn("Now listening", server.log())

    def test_differences_are_seen(self):
        client = self.lab.client()
        before = client.state()
        client.space.ip("link set eth0 up", "address add 192.0.2.7/24 dev eth0", "route add 198.51.100.0/24 dev eth0")
        client.check(["sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad; : >/tmp/left; mkdir /run/bootkey"])
        left = client.start(["sleep", "60"])
        with self.assertRaises(AssertionError) as raised:
            client.check_unchanged(before, timeout=0)
        text = str(raised.exception)
        for part in ("link eth0: flags was", "address is new: eth0 192.0.2.7/24", "route is new: unicast 198.51.100.0/24",
                     "setting net/ipv6/conf/eth0/accept_dad: was 1, is 0", "file is new: /tmp/left",
                     "file is new: /run/bootkey", "sleep 60"):
            self.assertIn(part, text)
        left.kill()

    def test_cable_and_interface_come_and_go(self):
        host = self.lab.host()
        host.carrier(False)
        self.assertIn("NO-CARRIER", host.check(["ip", "link", "show", "eth0"]))
        host.carrier(True)
        lab.wait_until(lambda: "LOWER_UP" in host.check(["ip", "link", "show", "eth0"]), "carrier")
        host.pull_out()
        self.assertNotIn("eth0", host.check(["ip", "link"]))
        self.assertEqual(host.plug_in(), "eth1")

    def test_signals_reach_the_program_itself(self):
        host = self.lab.client()
        process = host.start(["sleep", "60"])
        process.signal(signal.SIGTERM)
        self.assertEqual(process.finish().status, -signal.SIGTERM)
        self.assertEqual(host.run(["sh", "-c", "printf out; printf err >&2; exit 7"]).status, 7)

    def test_nothing_is_left_when_the_lab_ends_by_a_signal(self):
        program = ("import lab, time\nwith lab.Lab() as l:\n h = l.host()\n p = h.start(['sleep', '3600'])\n"
                   " print(l.lan.directory, h.space.pid, p.pid, flush=True)\n time.sleep(60)\n")
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number=number):
                run = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       text=True, cwd=os.path.dirname(os.path.abspath(__file__)))
                directory, *pids = run.stdout.readline().split()
                run.send_signal(number)
                run.wait(10)
                run.stdout.close()
                lab.wait_until(lambda: not any(_alive(pid) for pid in pids), "the lab's processes to be gone")
                if number == signal.SIGTERM:
                    self.assertFalse(os.path.exists(directory))
                elif os.path.exists(directory):  # a killed program cannot remove its files
                    subprocess.run(["rm", "-rf", directory], check=True)

    # -- what cases share, and what nobody shares

    def two_labs(self, between=lambda server: None):
        """The Mandos servers of two labs on one LAN, one lab after the other, which want the same; between(the first one) is called."""
        keys = self.lab.keys()
        lan = lab.Lan(resting=1)
        servers = []
        with lan:
            for number in range(2):
                with lab.Lab(lan=lan) as this:
                    server = this.mandos([keys.section(PASSWORD)], zeroconf=False, port=4711)
                    servers.append(server)
                    self.log_when_it_woke = server.log()
                    if number == 0:
                        between(server)
        return servers

    def test_server_that_is_left_as_it_was_serves_again(self):
        first, second = self.two_labs()
        self.assertIs(first, second)
        self.assertEqual(self.log_when_it_woke, "")

    def test_server_that_was_stopped_does_not_serve_again(self):
        first, second = self.two_labs(lambda server: server.stop())
        self.assertIsNot(first, second)

    def test_server_that_comes_while_a_program_runs_is_a_new_one(self):
        keys = self.lab.keys()
        first = self.lab.mandos([keys.section(PASSWORD)], zeroconf=False, port=4711)
        with lab.Lab(lan=self.lab.lan) as other:
            other.client().start(["sleep", "60"])
            self.assertNotIn(other.mandos([keys.section(PASSWORD)], zeroconf=False, port=4711), [first, *other._borrowed])

    def test_change_of_a_server_is_told_by_the_lab_that_made_it(self):
        changes = {"address is new": lambda server: server.host.add_addresses("192.0.2.1/24"),
                   "file is new: /run/left": lambda server: server.host.check(["touch", "/run/left"]),
                   "clients of": lambda server: server.host.check([
                       "dbus-send", "--system", "--print-reply", "--dest=se.recompile.Mandos", "/clients/client",
                       "se.recompile.Mandos.Client.Disable"]),
                   "has ended": lambda server: server.process.kill()}
        for words, change in changes.items():
            with self.subTest(words), self.assertRaisesRegex(AssertionError, words):
                self.two_labs(change)

    def test_what_is_configured_on_the_machine_is_not_seen(self):
        host = self.lab.client()
        for path in own_directories.HIDDEN:
            self.assertEqual(host.run(["ls", "-A", path]).output, b"", path)
        self.assertEqual(sorted(line.partition("=")[0] for line in host.check(["env"]).splitlines()),
                         sorted({"HOME", "LC_ALL", "PATH", *(name for name in host.environment if name.endswith("SAN_OPTIONS"))}))

    def test_console_level_is_the_hosts_own(self):
        one, other = self.lab.client(), self.lab.client()
        with lab.console_level(6, one) as level:
            other.check(["sh", "-c", f"echo 2 >{own_directories.CONSOLE_LEVEL}"])
            self.assertEqual(level(), 6)
            one.check(["sh", "-c", f"echo 5 >{own_directories.CONSOLE_LEVEL}"])
            self.assertEqual(level(), 5)
        one.check(["sh", "-c", f"echo 3 >{own_directories.CONSOLE_LEVEL}"])
        with lab.console_level(6) as level:
            self.assertEqual(level(), 6)

    # A chroot whose / is no mount point, with the programs and the tree in it.
    CHROOT = """
        mkdir -p /tmp/inside/root
        mount -t tmpfs inside /tmp/inside
        cd /tmp/inside
        mkdir -p root/mnt root/usr root/proc root/dev "root$TREE"
        cd root
        for name in bin lib lib64 sbin; do ln -s "usr/$name" "$name"; done
        mount --rbind /usr usr
        mount --rbind /proc proc
        mount --rbind /dev dev
        mount --bind "$TREE" ".$TREE"
        exec chroot . /bin/sh -e -c "cd $TREE; $1"
    """

    def in_chroot(self, command):
        result = self.lab.client().run(["env", f"TREE={netns_case.REPOSITORY}", "sh", "-e", "-c", self.CHROOT, "sh", command])
        self.assertEqual(result.status, 0, result)
        return result.output.decode().strip()

    WHY = "/usr/bin/python3 -B -c 'import sys; sys.path.append(\"tests/netns\"); import lab; print(lab.why_unavailable())'"

    def test_a_chroot_is_no_place_for_a_lab(self):
        self.assertRegex(self.in_chroot(self.WHY), "^this is a chroot")

    def test_the_commands_find_a_way_around_a_chroot(self):
        again = f"echo again; . tools/chroot.sh; own_root false; pwd; ls -d /tmp; {self.WHY}".replace('"', '\\"')
        said = self.in_chroot(f'. tools/chroot.sh; mkdir /tmp; own_root sh -e -c "{again}"; echo never')
        self.assertEqual(said.split("\n"), ["again", netns_case.REPOSITORY, "/tmp", "None"])


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    netns_case.main()
