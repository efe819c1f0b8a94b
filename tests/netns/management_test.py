#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The management interface of a bootkey that unlocks: what clients are shown, and what they can make it do."""

import re
import signal

import keysets
import lab
import netns_case
from management_case import ONLY_BOOTKEY, ManagementCase
from management_client import ManagementClient
from netns_case import PASSWORD


class ManagementTest(ManagementCase):
    def test_states_of_an_unlock(self):
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        before = client.state()
        run, management = self.manage(client, keys, "--management-hold")
        management.until("^>HOLD:Waiting for hold release:0")
        self.assertEqual(management.ask("state on"), ["SUCCESS: real-time state notification set to ON"])
        self.assertEqual(management.ask("hold release"), ["SUCCESS: hold release succeeded"])
        lines = [line for line in management.rest() if line.startswith(">STATE:")]
        self.assert_password(run.finish())
        self.assertEqual([name for name, _ in self.states(lines)],
                         ["CONNECTING", "ASSIGN_IP", "RESOLVE", "TCP_CONNECT", "AUTH", "GET_CONFIG", "CONNECTED", "EXITING"])
        self.assertEqual({line.count(",") for line in lines}, {7})
        connected = next(line for line in lines if ",CONNECTED," in line).split(",")
        ours = next(line for line in lines if ",ASSIGN_IP," in line).split(",")[3]
        self.assertEqual(connected[2:7], ["SUCCESS", ours, server.host.link_local(), str(server.port), ours])
        client.check_unchanged(before)
        self.no_socket_is_left()

    def test_hold_touches_nothing(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        marker = self.lab.path("hook-ran")
        self.lab.file("hooks/hook", f"#!/bin/sh\n: >{marker}\n", 0o755)
        before = client.state()
        run, management = self.manage(client, keys, "--management-hold", f"--network-hook-dir={self.lab.path('hooks')}")
        management.until("^>HOLD")
        for order in ("signal SIGUSR1", "signal SIGHUP", "signal SIGUSR2", "kill nobody", "status 2", "net"):
            self.assertTrue(management.ask(order))
        self.alive(run, 1)
        client.check_unchanged(before, ignore=ONLY_BOOTKEY)
        self.assertFalse(self.lab.exists("hook-ran"))
        self.assertEqual(management.ask("hold"), ["SUCCESS: hold=1"])
        management.send("hold release")
        self.assert_password(run.finish())
        self.assertTrue(self.lab.exists("hook-ran"))

    def test_hold_again_after_a_restart(self):
        keys = self.lab.keys()
        self.slow_server(keys)
        client = self.lab.client()
        before = client.state()
        run, management = self.manage(client, keys, "--management-hold")
        for how in ("signal SIGHUP", "signal SIGUSR1"):
            management.until("^>HOLD")
            management.send("state on", "hold release")
            management.until(",GET_CONFIG,")
            management.send(how)
            management.until(f",RECONNECTING,{how.split()[1]},")
        management.until("^>HOLD")
        client.check_unchanged(before, ignore=ONLY_BOOTKEY)
        run.signal(signal.SIGTERM)
        self.assertIn("EXITING,SIGTERM", " ".join(management.rest()))
        self.assertEqual(run.finish().status, -signal.SIGTERM)
        self.no_socket_is_left()

    def test_password_of_a_person(self):
        keys = self.lab.keys()
        self.slow_server(keys)
        client = self.lab.client()
        run, management = self.manage(client, keys, "--management-query-passwords")
        management.until("^>PASSWORD:Need 'Disk' password")
        management.send("state on all")
        management.until(",GET_CONFIG,approval,")
        self.assertEqual(management.ask('password "Auth" "x"'),
                         ["ERROR: password of type 'Auth' entered, but we need one of type 'Disk'"])
        self.assertRegex(management.ask('password "Disk" "s\\"p a\\\\ce"')[0], "^SUCCESS: 'Disk' password entered")
        self.assertIn(("CONNECTED", "SUCCESS"), self.states(management.rest()))
        self.assert_password(run.finish(), b's"p a\\ce')

    def test_password_during_a_hold(self):
        keys = self.lab.keys()
        client = self.lab.client()
        before = client.state()
        run, management = self.manage(client, keys, "--management-hold", "--management-query-passwords")
        management.until("^>PASSWORD:Need 'Disk' password")
        management.send("password Disk typed")
        self.assert_password(run.finish(), b"typed")
        client.check_unchanged(before)

    def test_consent(self):
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        run, management = self.manage(client, keys, "--management-confirm", "--retry=0.2")
        asked = management.until("^>NEED-OK:Need 'release-password' confirmation MSG:")
        self.assertIn(server.service_name, asked)
        self.alive(run, 0.5)
        management.send("needok release-password cancel")
        management.until("^>NEED-OK:Need 'release-password' confirmation MSG:")
        self.assertEqual(management.ask("password Disk x"), ["ERROR: no password is currently needed at this time"])
        management.send("needok release-password ok")
        self.assert_password(run.finish())

    def test_passphrase_of_the_key(self):
        keys = keysets.make(self.lab.path("protected"), passphrase="some words")
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        before = client.state()
        run, management = self.manage(client, keys, "--management-query-passwords")
        management.until("^>PASSWORD:Need 'Private Key' password")
        management.send('password "Private Key" wrong')
        management.until("^>PASSWORD:Verification Failed: 'Private Key'")
        management.until("^>PASSWORD:Need 'Private Key' password")
        management.send('password "Private Key" "some words"')
        self.assert_password(run.finish())
        client.check_unchanged(before)

    def test_questions_that_are_chosen(self):
        """Such as for a client of OpenVPN's that gives up at a question for 'Disk'."""
        keys = keysets.make(self.lab.path("protected"), passphrase="some words")
        self.lab.mandos([keys.section(PASSWORD)])
        run, management = self.manage(self.lab.client(), keys, "--management-query=key,auth")
        management.until("^>PASSWORD:Need 'Private Key' password")
        self.assertEqual(management.ask("password Disk x"),
                         ["ERROR: password of type 'Disk' entered, but we need one of type 'Private Key'"])
        management.send('password "Private Key" "some words"')
        self.assert_password(run.finish())
        management.rest()
        self.assertEqual([line for line in management.everything if "Need 'Disk'" in line], [])

    def test_passphrase_that_nobody_will_give(self):
        keys = keysets.make(self.lab.path("protected"), passphrase="some words")
        client = self.lab.client()
        before = client.state()
        run, management = self.manage(client, keys, "--management-query-passwords")
        management.until("^>PASSWORD:Need 'Private Key' password")
        self.assertEqual(management.ask("auth-retry none"), ["SUCCESS: auth-retry parameter changed"])
        management.send('password "Private Key" wrong')
        management.until("^>FATAL:")
        self.assertEqual(run.finish().status, 66)
        client.check_unchanged(before)

    def test_credentials_for_a_hook(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        got = self.lab.path("got")
        self.lab.file("hooks/hook", f"""#!/bin/sh
[ "$MODE" = start ] || exit 0
ask() {{ echo "auth the tunnel" >&3; read -r user <&3; read -r password <&3; echo "$user/$password" >>{got}; }}
ask; echo failed >&3
ask; echo ok >&3
""", 0o755)
        run, management = self.manage(client, keys, "--management-query-passwords", f"--network-hook-dir={self.lab.path('hooks')}",
                                      "--delay=20")
        management.until("^>PASSWORD:Need 'Auth' username/password")
        management.send('username "Auth" somebody', 'password "Auth" "first try"')
        management.until("^>PASSWORD:Verification Failed: 'Auth'")
        management.until("^>PASSWORD:Need 'Auth' username/password")
        management.send('password "Auth" second', 'username "Auth" somebody')
        self.assert_password(run.finish())
        with open(got) as file:
            self.assertEqual(file.read(), "somebody/first try\nsomebody/second\n")

    def test_consent_that_comes_too_late(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        self.lab.file("hooks/hook", "#!/bin/sh\n[ \"$MODE\" = start ] || exec sleep 2\n", 0o755)
        run, management = self.manage(client, keys, "--management-confirm", f"--network-hook-dir={self.lab.path('hooks')}")
        management.until("^>NEED-OK:Need 'release-password' confirmation MSG:")
        management.send("state on")
        run.signal(signal.SIGTERM)
        management.until(",EXITING,SIGTERM,")
        management.send("needok release-password ok")
        result = run.finish()
        self.assertEqual((result.status, result.output), (-signal.SIGTERM, b""), result)

    def test_empty_password_is_none(self):
        keys = self.lab.keys()
        client = self.lab.client()
        run, management = self.manage(client, keys, "--management-hold", "--management-query-passwords")
        management.send('password "Disk" ""')
        management.until("^>PASSWORD:Verification Failed: 'Disk'")
        management.until("^>PASSWORD:Need 'Disk' password")
        self.alive(run, 0.2)
        management.send("password Disk typed")
        self.assert_password(run.finish(), b"typed")

    def test_kill_and_status(self):
        keys = self.lab.keys()
        server = self.slow_server(keys)
        client = self.lab.client()
        run, management = self.manage(client, keys, "--retry=0.5")
        management.send("state on all")
        management.until(",GET_CONFIG,")
        row = next(line for line in management.ask("status 2") if line.startswith("SERVER_LIST")).split(",")
        self.assertEqual(row[1:7], [server.service_name, server.host.link_local(), str(server.port), "eth0", "waiting", "1"])
        self.assertGreater(int(row[8]), 100)
        self.assertEqual(management.ask("kill nobody"), ["ERROR: common name 'nobody' not found"])
        self.assertEqual(management.ask(f'kill "{server.service_name}"'),
                         [f"SUCCESS: common name '{server.service_name}' found, 1 client(s) killed"])
        management.until(",RECONNECTING,")
        management.until(",WAIT,until [0-9]+,")
        management.until(",GET_CONFIG,")
        self.assertRegex("\n".join(management.ask("net")), "interface [0-9]+ eth0 up, running\n  address fe80::")
        self.assertRegex("\n".join(management.ask("status")), "TCP/UDP read bytes,[1-9]")
        run.signal(signal.SIGTERM)
        run.finish()

    def test_kill_takes_names_and_addresses_as_they_are_shown(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD, approval_delay="1h", approved_by_default="False")], own=True,
                        service_name="Room 2, left\\right\u202e")
        client = self.lab.client()
        run, management = self.manage(client, keys, "--retry=0.3", "--verb=3")
        management.send("log on all")
        place = re.search(r" at (\S+): waiting", management.until(": waiting")).group(1)
        self.assertIn("%", place)
        for tries, command, name in ((2, "status 2", r"Room 2\x2c left\x5cright\xe2\x80\xae"),
                                     (3, "status 3", r"Room 2, left\x5cright\xe2\x80\xae")):
            row = next(line for line in management.ask(command) if line.startswith("SERVER_LIST"))
            shown = re.split("[,\t]" if command == "status 2" else "\t", row)[1]
            self.assertEqual(shown, name)
            self.assertRegex(management.ask(f"kill '{shown}'")[0], r"^SUCCESS: .* 1 client\(s\) killed")
            lab.wait_until(lambda: f"\twaiting\t{tries}\t" in "".join(management.ask("status 3")), "the next try")
        self.assertRegex(management.ask(f"kill {place}")[0], r"^SUCCESS: 1 client\(s\) at address fe80\S+ killed")
        run.signal(signal.SIGTERM)
        run.finish()

    def test_log_follows_verb(self):
        keys = self.lab.keys()
        self.slow_server(keys)
        client = self.lab.client()
        run, management = self.manage(client, keys, "--verb=1")
        management.send("state on all")
        management.until(",GET_CONFIG,")
        self.assertEqual(management.ask("verb 4"), ["SUCCESS: verb level changed"])
        management.send("log on", "signal SIGHUP")
        management.until("^>LOG:[0-9]+,I,interface eth0: running")
        management.send("signal SIGTERM")
        management.rest()
        self.assertEqual(run.finish().status, -signal.SIGTERM)

    def test_worker_that_dies(self):
        keys = self.lab.keys()
        self.slow_server(keys)
        client = self.lab.client()
        run, management = self.manage(client, keys)
        management.send("state on all")
        management.until(",GET_CONFIG,")
        worker = next(pid for pid, name in netns_case.below(run.pid).items() if name == "bootkey-worker")
        lab.os.kill(worker, signal.SIGKILL)
        management.until(",RECONNECTING,worker_ended,")
        management.until(",GET_CONFIG,")
        run.signal(signal.SIGTERM)
        run.finish()

    def test_address_that_is_taken(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        self.lab.file("management", "precious")
        result = self.run_bootkey(client, *keys.options, f"--management=unix:{self.socket}")
        self.assert_password(result)
        self.assertIn(self.socket, result.errors)
        before = client.state()
        for option in ("--management-hold", "--management-confirm"):
            result = self.run_bootkey(client, *keys.options, f"--management=unix:{self.socket}", option)
            self.assertEqual((result.status, result.output), (69, b""), result)
        client.check_unchanged(before)
        with open(self.socket) as file:
            self.assertEqual(file.read(), "precious")

    def test_password_file(self):
        keys = self.lab.keys()
        self.lab.mandos([keys.section(PASSWORD)])
        client = self.lab.client()
        file = self.lab.file("password", "tell nobody\nanother line\n")
        self.start(client, *keys.options, f"--management=unix:{self.socket}", f"--management-password-file={file}",
                   "--management-hold")
        management = ManagementClient(self.socket)
        self.addCleanup(management.close)
        management.send("wrong", "tell nobody", "hold release")
        management.until("ERROR: bad password")
        management.until("SUCCESS: password is correct")
        management.until("SUCCESS: hold release succeeded")
        result = self.run_bootkey(client, *keys.options, f"--management=unix:{self.socket}2",
                                  "--management-password-file=/absent")
        self.assert_password(result)
        self.assertIn("/absent", result.errors)


if __name__ == "__main__":
    netns_case.main()
