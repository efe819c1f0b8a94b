# SPDX-License-Identifier: GPL-3.0-or-later
"""The second half of tools/demo: a private LAN, keys, enrolment, and an unlock that a person can follow.

Where network namespaces cannot be made (in most containers) the server and bootkey meet over the loopback interface.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(REPOSITORY, "tests/netns"))
import lab  # noqa: E402

PASSWORD = b"correct horse battery staple"


def title(number, text):
    print(f"{number}. {text}")


def shown(command):
    """A command as a person would type it."""
    return "   $ " + " ".join(command)


def indented(text):
    return "\n".join("   " + line for line in text.splitlines())


def shortened(section):
    """A clients.conf section with the middle of its long secret left out."""
    lines = section.splitlines()
    secret = [number for number, line in enumerate(lines) if line.startswith((" ", "\t"))]
    if len(secret) > 4:
        lines[secret[1]:secret[-1]] = ["    ..."]
    return "\n".join(lines)


def make_keys_and_enrol(bootkey, run, key_directory, password_file):
    """Makes keys and the clients.conf section. `run` runs a command and gives what it printed and what it said;
    `key_directory` is empty where the keys go to their usual place. Returns the section and options that name the keys.
    """
    title(4, "Keys")
    command = ["bootkey", "--generate-keys" + (f"={key_directory}" if key_directory else "")]
    print(shown(command))
    print(indented(run([bootkey, *command[1:]])[1]) + "\n")
    title(5, "Enrolment: this is the server's clients.conf from now on")
    keys = [f"--{name}={key_directory}/{name}.txt" for name in ("pubkey", "seckey")] if key_directory else []
    command = ["bootkey", "--enroll", "--name=laptop", f"--password-file={password_file}", *keys]
    print(shown(command))
    section, said = run([bootkey, *command[1:]])
    print(indented(said + shortened(section)) + "\n")
    return section, keys


def report(status, output, errors):
    """What the unlock said and got; ends the demonstration if it was not the password."""
    print(indented(errors))
    if (status, output) != (0, PASSWORD):
        sys.exit(f"bootkey ended with status {status} and printed {output!r}")
    print(f"\n   The password, on standard output:  {output.decode()}\n")


def checked_on(machine):
    """Runs commands on a host; one that fails ends the demonstration."""
    def run(command):
        result = machine.run(command)
        if result.status != 0:
            sys.exit(f"{' '.join(command)}: {result}")
        return result.output.decode(), result.errors

    return run


def on_a_lan(bootkey):
    with lab.Lab(programs=[bootkey]) as world:
        title(3, "A private LAN: a bridge with two hosts, each in network namespaces of its own")
        machine = world.client(name="laptop")
        print(indented(machine.check(["ip", "-brief", "link", "show", "eth0"]).replace("eth0", "laptop: eth0")) + "\n")
        machine.private_etc()
        machine.check(["sh", "-c", f"printf '%s' '{PASSWORD.decode()}' >/tmp/password"])
        section, keys = make_keys_and_enrol(bootkey, checked_on(machine), "", "/tmp/password")
        server = world.mandos([section], name="server")
        title(6, f"A real Mandos server, announced as \"{server.service_name}\", listens on {server.address}")
        print()
        title(7, "The laptop starts. Its eth0 is down; milliseconds since the start in front")
        before = machine.state()
        print(shown(["bootkey", "--verb=3", *keys]))
        result = machine.run([bootkey, "--verb=3", *keys])
        report(result.status, result.output, result.errors)
        title(8, "Afterwards")
        machine.check_unchanged(before)
        print(indented(machine.check(["ip", "-brief", "link", "show", "eth0"]).replace("eth0", "laptop: eth0")))
        print(f"   eth0 is down again; links, addresses, routes and {len(before['setting'])} network settings are as before;\n"
              "   no file and no process is left.")
        print("   The server says: " + server.log().splitlines()[-1].split("INFO: ")[-1] + ".")


class LoopbackServer:
    """A Mandos server on 127.0.0.1 with a private message bus; no namespaces, no Zeroconf."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="bootkey-demo-", dir="/tmp")
        os.chmod(self.directory, 0o711)  # the server runs as a user of its own
        self._processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self._processes):
            process.terminate()
            process.wait()
        shutil.rmtree(self.directory)

    def start(self, section):
        """Start the server for one client section; returns its address when it listens."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        os.mkdir(f"{self.directory}/mandos")
        with open(f"{self.directory}/mandos/clients.conf", "w") as file:
            file.write(section)
        with open(f"{self.directory}/bus.conf", "w") as file:
            file.write(lab.DBUS_CONFIGURATION.replace("/run/dbus/system_bus_socket", f"{self.directory}/bus"))
        self._run("dbus-daemon", "--nofork", "--nopidfile", f"--config-file={self.directory}/bus.conf")
        lab.wait_until(lambda: os.path.exists(f"{self.directory}/bus"), "the message bus")
        self._run("/usr/sbin/mandos", "--foreground", "--no-zeroconf", "--no-dbus", "--no-ipv6", "--no-restore",
                  "--address=127.0.0.1", f"--port={port}", f"--configdir={self.directory}/mandos")
        lab.wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "the Mandos server listening")
        return f"127.0.0.1:{port}"

    def _run(self, *command):
        with open(f"{self.directory}/log", "ab") as log:
            self._processes.append(subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={self.directory}/bus")))


def over_loopback(bootkey):
    def check(command):
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        return result.stdout, result.stderr

    with LoopbackServer() as server:
        title(3, "There can be no private LAN here, so the server and bootkey meet on the loopback interface\n")
        with open(f"{server.directory}/password", "wb") as file:
            file.write(PASSWORD)
        section, keys = make_keys_and_enrol(bootkey, check, f"{server.directory}/keys", f"{server.directory}/password")
        address = server.start(section)
        title(6, f"A real Mandos server listens on {address}\n")
        title(7, "Unlocking; milliseconds since the start in front")
        command = ["--verb=3", f"--connect={address}", "--interface=none", *keys]
        print(shown(["bootkey", *command]))
        result = subprocess.run([bootkey, *command], capture_output=True, timeout=60)
        report(result.returncode, result.stdout, result.stderr.decode(errors="backslashreplace"))


def main():
    bootkey = os.path.abspath(sys.argv[1])
    reason = lab.why_unavailable()
    if reason:
        print(f"No network namespaces: {reason}.\n")
        over_loopback(bootkey)
    else:
        on_a_lan(bootkey)
    print("\nThat is all. The LAN, the server and the keys are gone.")


if __name__ == "__main__":
    main()
