#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of OpenVPN's management interface that others have written, none of them changed."""

import fcntl
import json
import os
import shutil
import subprocess

import interop_case
from interop_case import HERE


class ClientsTest(interop_case.InteropCase):
    def run_client(self, command, given=None, **options):
        """Run a client on the host; its Result. `given`: standard input, bytes."""
        if given is not None:
            options["stdin"] = os.open(self.lab.file("given", given), os.O_RDONLY)
            self.addCleanup(os.close, options["stdin"])
        return self.host.run(command, **options)

    def ended_by_the_client(self, peer):
        """The peer ends by SIGTERM of its own, or with 0, as OpenVPN does."""
        self.assertIn(peer.process.finish().status, (0, -15))

    # -- Debian's Go package

    def go_client(self):
        """The Go client, built once."""
        self.need("go", "golang-go")
        library = "/usr/share/gocode/src/github.com/apparentlymart/go-openvpn-mgmt"
        if not os.path.isdir(library):
            self.skipTest(f"{library} is not installed (Debian package golang-github-apparentlymart-go-openvpn-mgmt-dev)")
        directory = self.cache("go")
        program = os.path.join(directory, "client")
        environment = {"PATH": os.environ["PATH"], "HOME": directory, "GOPATH": "/usr/share/gocode", "GO111MODULE": "off",
                       "GOCACHE": os.path.join(directory, "cache"), "GOFLAGS": "-buildvcs=false"}
        subprocess.run(["go", "build", "-o", f"{program}.{os.getpid()}", os.path.join(HERE, "go_client/main.go")], env=environment,
                       check=True)
        os.rename(f"{program}.{os.getpid()}", program)
        return program

    def check_go_client(self, tcp):
        program = self.go_client()
        peer = self.serve("--management-hold", "--echo", "setenv x", tcp=tcp)
        pid = self.pid_inside(peer)
        result = self.run_client([program, peer.path or f"127.0.0.1:{peer.port}"])
        self.assertEqual(result.status, 0, result)
        lines = result.output.decode().splitlines()
        self.assertEqual([line for line in lines if line.endswith(": ok")],
                         ["dial: ok", f"pid {pid}: ok", "latest state: ok", "state events: ok", "echo events: ok",
                          "byte counts: ok", "hold release: ok", "byte counts off: ok", "signal: ok"])
        self.assertIn('state CONNECTING "" ""', lines)
        self.ended_by_the_client(peer)

    def pid_inside(self, peer):
        """The program's process ID as it sees it itself, in its namespace."""
        with open(f"/proc/{peer.process.pid}/status") as status:
            return next(line for line in status if line.startswith("NSpid:")).split()[-1]

    def test_go_over_a_unix_socket(self):
        self.check_go_client(tcp=False)

    def test_go_over_tcp(self):
        self.check_go_client(tcp=True)

    # -- npm's telnet-openvpn

    def node_modules(self):
        """Its directory with the packages, fetched once."""
        self.need("node", "nodejs")
        self.need("npm", "npm")
        directory = self.cache("telnet-openvpn")
        with open(f"{directory}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the same case may be running with the other listener
            for file in ("package.json", "package-lock.json", "client.js"):
                shutil.copy(os.path.join(HERE, "telnet_openvpn", file), directory)
            fetched = os.path.join(directory, "fetched")  # what npm has left half done has not got it
            if not os.path.exists(fetched):
                try:
                    npm = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=directory,
                                         capture_output=True, text=True, timeout=40)
                except subprocess.TimeoutExpired:
                    self.skipTest("npm cannot fetch telnet-openvpn: no answer within 40 s")
                if npm.returncode != 0:
                    self.skipTest("npm cannot fetch telnet-openvpn: " + npm.stderr.strip().split("\n")[-1])
                with open(fetched, "w"):
                    pass
        return directory

    def test_telnet_openvpn(self):
        directory = self.node_modules()
        peer = self.serve("--management-hold", "--verb", "3", tcp=True)
        result = self.run_client(["node", os.path.join(directory, "client.js"), str(peer.port)])
        self.assertEqual(result.status, 0, result)
        told = [json.loads(line) for line in result.output.splitlines()]
        data = [what for kind, what in told if kind == "data"]
        pids = [what["pid"] for what in data if "pid" in what]
        self.assertEqual(pids, [pids[0]])
        self.assertTrue(pids[0].isdigit())
        successes = [what["success"].strip() for what in data if "success" in what]
        self.assertEqual(successes[0], "real-time state notification set to ON")
        self.assertIn("hold release succeeded", successes)
        self.assertEqual(successes[-1], "signal SIGTERM thrown")
        states = [what["state"] for what in data if "state" in what]
        self.assertEqual([len(state) for state in states], [8] * len(states))
        self.assertEqual(states[-1][1:3], ["EXITING", "SIGTERM"])
        counts = [what["bytecount"] for what in data if "bytecount" in what]
        self.assertTrue(all(len(count) == 2 and "".join(count).strip().isdigit() for count in counts), counts)
        self.assertEqual([what for kind, what in told if kind == "error"],
                         ["ERROR: no username is currently needed at this time\r"])
        self.assertTrue(any(kind == "log" and what == "END\r" for kind, what in told))
        self.ended_by_the_client(peer)

    # -- what a person has at hand

    SCRIPT = b"hold\nstate\nversion\nhold release\nstate on\n"

    def check_script(self, output):
        text = output.decode()
        self.assertNotIn("\n", text.replace("\r\n", ""), "every line ends with CR LF")
        self.assertRegex(text, r"^>INFO:OpenVPN Management Interface Version \d -- type 'help' for more info\r\n")
        self.assertRegex(text, r"\n>HOLD:Waiting for hold release:0\r\n")
        self.assertRegex(text, r"\nSUCCESS: hold=1\r\n\d+,CONNECTING,,,,,,\r\nEND\r\nOpenVPN Version: OpenVPN 2\.\d+\.\d+ .*\r\n"
                               r"Management Version: \d\r\nEND\r\nSUCCESS: hold release succeeded\r\n"
                               r"(>.*\r\n)*SUCCESS: real-time state notification set to ON\r\n")

    def test_socat(self):
        self.need("socat", "socat")
        for tcp in (False, True):
            with self.subTest(tcp=tcp):
                self.host = self.lab.host()
                peer = self.serve("--management-hold", tcp=tcp)
                target = f"TCP4:127.0.0.1:{peer.port}" if tcp else f"UNIX-CONNECT:{peer.path}"
                result = self.run_client(["socat", "-t", "2", "-", target], self.SCRIPT)
                self.assertEqual(result.status, 0, result)
                self.check_script(result.output)

    def test_netcat(self):
        self.need("nc", "netcat-openbsd")
        for tcp in (False, True):
            with self.subTest(tcp=tcp):
                self.host = self.lab.host()
                peer = self.serve("--management-hold", tcp=tcp)
                target = ["127.0.0.1", str(peer.port)] if tcp else ["-U", peer.path]
                result = self.run_client(["nc", "-q", "2", *target], self.SCRIPT)
                self.assertEqual(result.status, 0, result)
                self.check_script(result.output)

    def test_expect(self):
        self.need("expect", "expect")
        self.need("nc", "netcat-openbsd")
        self.host.check(["sh", "-c", "mkdir /dev/pts && mount -t devpts -o newinstance,ptmxmode=0666 pts /dev/pts && "
                                     "ln -s pts/ptmx /dev/ptmx"])  # for expect's spawn
        peer = self.serve("--management-hold", tcp=True, password="let me in")
        result = self.run_client(["expect", "-f", os.path.join(HERE, "watch.expect"), "127.0.0.1", str(peer.port), "let me in"])
        self.assertEqual((result.status, result.output.decode().splitlines()[-1]), (0, "all went well"), result)
        self.ended_by_the_client(peer)

    def test_bootkey(self):
        peer = self.serve("--management-hold")
        control = [self.bootkey, f"--control={peer.address}"]
        self.assertEqual(self.run_client([*control, "hold"]).output, b"SUCCESS: hold=1\n")
        self.assertEqual(self.run_client(control, b"state\nhold release\n").status, 0)
        self.assertEqual(self.run_client([*control, "bogus"]).status, 65)
        follower = self.host.start([*control, "--follow"])
        self.addCleanup(follower.kill)
        line = follower.read_line()
        while b" state: " not in line:
            line = follower.read_line()
        peer.process.signal(15)
        result = follower.finish()
        self.assertEqual(result.status, 0, result)
        self.assertRegex(result.output, rb"state: EXITING \(SIGTERM\)\n")


if __name__ == "__main__":
    interop_case.main()
