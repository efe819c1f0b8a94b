#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything is put back: after a signal in every phase, after a crash, between instances, and not under others' feet."""

import signal
import time

import keysets
import lab
import netns_case
import peers
from netns_case import PASSWORD


class RestoreTest(netns_case.NetnsCase):
    def setUp(self):
        super().setUp()
        self.keys = self.lab.keys()
        self.client = self.lab.client()

    # -- runs that stay in one phase: each returns the process once it is there

    def in_start_hook(self):
        self.lab.file("hooks/hangs", f"#!/bin/sh\n[ $1 = stop ] || {{ : >{self.lab.path('in-hook')}; sleep 60; }}\n", 0o755)
        process = self.start_here(f"--network-hook-dir={self.lab.path('hooks')}")
        lab.wait_until(lambda: self.lab.exists("in-hook"), "the hook")
        return process

    def without_carrier(self):
        self.client.carrier(False)
        self.before = self.client.state()
        process = self.start_here()
        lab.wait_until(self.client.is_up, "the interface up")
        return process

    def searching(self):
        process = self.start_here()
        lab.wait_until(self.client.link_local, "an address")
        return process

    def connecting(self):
        process = self.start_here("--connect=[fe80::dead:beef%eth0]:4711")
        lab.wait_until(lambda: self.client.tcp_states().count("SYN_SENT"), "a connect under way")
        return process

    def in_handshake(self):
        host = self.lab.host()
        peer = peers.start(host, "mute", 4711)
        process = self.start_here(f"--connect=[{host.link_local()}%eth0]:4711")
        self.assertEqual(peer.read_line(), b"accepted\n")
        return process

    def waiting_for_approval(self):
        server = self.lab.mandos([self.keys.section(PASSWORD, approval_delay="80s", approved_by_default=True)])
        process = self.start_here()
        process.wait_for_error("waiting")
        self.assertIn("TCP connection from", server.log())
        return process

    def receiving(self):
        host = self.lab.host()
        peer = peers.start(host, "answer", 4711, self.lab.file("answer", keysets.encrypt(self.keys.pubkey, PASSWORD)), "hold")
        process = self.start_here(f"--connect=[{host.link_local()}%eth0]:4711")
        self.assertRegex(peer.read_line(), b"answered")
        return process

    def decrypting(self, slowness="exec sleep 60"):
        self.wrap_program(self.client, "/usr/bin/gpg", f"""
            case " $* " in *' --decrypt '*) {slowness} ;; esac
            exec $REAL "$@" """)
        self.before = self.client.state()
        self.lab.mandos([self.keys.section(PASSWORD)])
        process = self.start_here("--no-sandbox")  # no sound gpg sleeps
        lab.wait_until(lambda: "sleep" in netns_case.below(process.pid).values(), "gpg to decrypt")
        return process

    def in_stop_hook(self):
        self.lab.file("hooks/hangs", f"#!/bin/sh\n[ $1 = start ] || {{ : >{self.lab.path('in-hook')}; sleep 60; }}\n", 0o755)
        process = self.start_here(f"--network-hook-dir={self.lab.path('hooks')}")
        lab.wait_until(self.client.link_local, "an address")
        process.signal(signal.SIGTERM)
        lab.wait_until(lambda: self.lab.exists("in-hook"), "the stop hook")
        return process

    def start_here(self, *options):
        if not hasattr(self, "before"):
            self.before = self.client.state()
        return self.start(self.client, *self.keys.options, *options)

    def assert_ended_by(self, process, number, timeout=8):
        """The program dies by this signal, having put everything back."""
        result = process.finish(timeout)
        self.assertEqual((result.status, result.output), (-number, b""), result)
        self.client.check_unchanged(self.before)

    def signal_in(self, phase, number=signal.SIGTERM):
        process = phase()
        process.signal(number)
        self.assert_ended_by(process, number)

    def kill_in(self, phase):
        """SIGKILL, and --restore puts everything back."""
        process = phase()
        others = netns_case.below(process.pid)
        process.kill()
        lab.wait_until(lambda: all(map(netns_case.gone, others)), "the end of the other processes")
        result = self.run_bootkey(self.client, "--restore")
        self.assertEqual(result.status, 0, result)
        self.client.check_unchanged(self.before)

    def test_terminated_in_the_start_hook(self):
        self.signal_in(self.in_start_hook)

    def test_terminated_without_carrier(self):
        self.signal_in(self.without_carrier)

    def test_terminated_while_searching(self):
        self.signal_in(self.searching)

    def test_interrupted_while_searching(self):
        self.signal_in(self.searching, signal.SIGINT)

    def test_terminated_while_connecting(self):
        self.signal_in(self.connecting)

    def test_terminated_in_the_handshake(self):
        self.signal_in(self.in_handshake)

    def test_terminated_while_waiting_for_approval(self):
        self.signal_in(self.waiting_for_approval)

    def test_terminated_while_receiving(self):
        self.signal_in(self.receiving)

    def test_terminated_while_decrypting(self):
        self.signal_in(self.decrypting)

    def test_terminated_again_in_the_stop_hook(self):
        self.signal_in(self.in_stop_hook)

    def test_terminated_at_any_moment_of_the_start(self):
        for milliseconds in (0, 1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64):
            with self.subTest(milliseconds):
                process = self.start_here()
                time.sleep(milliseconds / 1000)
                process.signal(signal.SIGTERM)
                self.assert_ended_by(process, signal.SIGTERM)

    def test_killed_while_searching(self):
        self.kill_in(self.searching)

    def test_killed_while_waiting_for_approval(self):
        self.kill_in(self.waiting_for_approval)

    def test_killed_while_decrypting(self):
        self.kill_in(lambda: self.decrypting("sleep 2"))  # gpg itself goes on until it finds its home gone

    def test_killed_with_a_host_route(self):
        self.lab.mandos([self.keys.section(PASSWORD, approval_delay="80s")], addresses=["2001:db8::1/64"])

        def with_route():
            process = self.start_here()
            lab.wait_until(lambda: self.client.has_route("2001:db8::1"), "the host route")
            return process

        self.kill_in(with_route)

    def test_next_start_undoes_what_a_killed_one_left(self):
        self.searching().kill()
        self.assertTrue(self.client.is_up())
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.assert_password(self.run_bootkey(self.client, *self.keys.options))
        self.client.check_unchanged(self.before)

    def test_restore_with_nothing_to_undo(self):
        before = self.client.state()
        self.assertEqual(self.run_bootkey(self.client, "--restore").status, 0)
        self.client.check_unchanged(before)

    def test_restore_leaves_a_running_instance_alone(self):
        process = self.searching()
        self.assertEqual(self.run_bootkey(self.client, "--restore").status, 0)
        self.assertTrue(self.client.is_up())
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.assert_password(process.finish())
        self.client.check_unchanged(self.before)

    # -- two instances

    def end_one_then_fetch_with_the_other(self, first, second):
        first.signal(signal.SIGTERM)
        self.assertEqual(first.finish().status, -signal.SIGTERM)
        self.assertTrue(self.client.is_up(), "the other instance still needs the interface")
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.assert_password(second.finish())
        self.client.check_unchanged(self.before)

    def test_two_instances_the_first_ends_first(self):
        first = self.searching()
        second = self.start_here()
        second.wait_for_error("address .* is usable")
        self.end_one_then_fetch_with_the_other(first, second)

    def test_two_instances_the_second_ends_first(self):
        first = self.searching()
        second = self.start_here()
        second.wait_for_error("address .* is usable")
        self.end_one_then_fetch_with_the_other(second, first)

    def test_two_instances_one_is_killed(self):
        first = self.searching()
        second = self.start_here()
        second.wait_for_error("address .* is usable")
        first.kill()
        self.lab.mandos([self.keys.section(PASSWORD)])
        self.assert_password(second.finish())
        self.assertEqual(self.run_bootkey(self.client, "--restore").status, 0)
        self.client.check_unchanged(self.before)

    def test_two_instances_at_once_get_the_password(self):
        self.lab.mandos([self.keys.section(PASSWORD)])
        both = [self.start_here() for _ in range(2)]
        for process in both:
            self.assert_password(process.finish())
        self.client.check_unchanged(self.before)

    # -- interfaces that somebody else has come to use

    def stays_up_after(self, *commands):
        process = self.searching()
        for command in commands:
            self.client.check(["sh", "-c", command])
        process.signal(signal.SIGTERM)
        result = process.finish()
        self.assertEqual(result.status, -signal.SIGTERM, result)
        self.assertTrue(self.client.is_up(), "somebody else uses it")
        self.assertRegex(result.errors, "eth0.*(left|leav|stays|remain)")

    def test_interface_with_an_address_by_others_stays_up(self):
        self.stays_up_after("ip address add 192.0.2.7/24 dev eth0")

    def test_interface_with_a_route_by_others_stays_up(self):
        self.stays_up_after("ip -6 route add 2001:db8:7::/64 dev eth0")

    def test_interface_in_a_bridge_by_others_stays_up(self):
        self.stays_up_after("ip link add br0 type bridge && ip link set br0 up && ip link set eth0 master br0")

    def test_interface_configured_by_the_initramfs_stays_up(self):
        self.stays_up_after("echo DEVICE=eth0 >/run/net-eth0.conf")

    # -- what was there

    def test_global_addresses_of_an_interface_that_was_down_are_kept(self):
        """The kernel drops the IPv6 addresses of an interface that goes down."""
        self.client.check(["sh", "-c", "ip address add 2001:db8:5::7/64 dev eth0 && ip address add 192.0.2.7/24 dev eth0 && "
                                       "! ip link show dev eth0 up | grep -q ."])
        self.assertIn("2001:db8:5::7", self.client.check(["ip", "address", "show", "dev", "eth0"]))
        self.signal_in(self.searching)
        self.kill_in(self.searching)
        self.assertIn("2001:db8:5::7", self.client.check(["ip", "address", "show", "dev", "eth0"]))

    def test_run_without_room_keeps_nobody_from_unlocking(self):
        self.lab.mandos([self.keys.section(PASSWORD)])
        for prepare in ("mount -t tmpfs -o size=8k none /run; head -c 8192 /dev/zero >/run/fill", "mount -o remount,ro /run"):
            with self.subTest(prepare):
                client = self.lab.client()
                client.check(["sh", "-c", prepare])
                before = client.state()
                result = self.run_bootkey(client, *self.keys.options)
                self.assert_password(result)
                self.assertRegex(result.errors, "cannot store the journal of changes in /run/bootkey")
                client.check_unchanged(before)

    def home_in(self, process):
        find = ["sh", "-c", "find /run /tmp /dev/shm -xdev -maxdepth 3 -type d -uid 65521 -name 'bootkey-home-*' 2>/dev/null"]
        lab.wait_until(lambda: self.client.check(find).strip(), "a GnuPG home")
        process.wait_for_error("secret key is ready")
        return self.client.check(find).strip()

    def in_the_home(self, home, command):
        """What the decryptor could do, were it in the wrong hands."""
        self.client.check(["setpriv", "--reuid=65521", "--regid=65521", "--clear-groups", "sh", "-c", f"cd {home} && {command}"])

    def test_home_of_any_depth_is_removed(self):
        process = self.start_here("--verb=3")
        home = self.home_in(process)
        self.in_the_home(home, "n=0; while [ $n -lt 300 ]; do mkdir d removed-$n && touch d/file && cd d && n=$((n+1)); done; "
                               "chmod 0 .")
        process.signal(signal.SIGTERM)
        process.finish()
        self.client.check(["test", "!", "-e", home])
        self.client.check_unchanged(self.before)

    def test_restore_that_leaves_something_fails(self):
        process = self.start_here("--verb=3")
        home = self.home_in(process)
        self.client.check(["sh", "-c", f"mkdir {home}/mounted && mount -t tmpfs none {home}/mounted"])
        process.kill()
        result = self.run_bootkey(self.client, "--restore")
        self.assertEqual(result.status, 71, result)
        self.assertIn("cannot remove the temporary directory", result.errors)
        self.client.check(["umount", f"{home}/mounted"])
        self.assertEqual(self.run_bootkey(self.client, "--restore").status, 0)
        self.client.check(["test", "!", "-e", home])
        self.client.check_unchanged(self.before)

    def test_interface_that_vanished_is_no_problem(self):
        process = self.searching()
        self.client.pull_out()
        process.signal(signal.SIGTERM)
        self.assertEqual(process.finish().status, -signal.SIGTERM)


if __name__ == "__main__":
    netns_case.main()
