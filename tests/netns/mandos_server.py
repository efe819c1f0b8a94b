# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Mandos server on a host of the lab, with its own dbus-daemon and avahi-daemon.

To start one costs more than any test does with it. So servers that a case has left as they were may rest, out of the LAN, until
a later case wants one like it (lab.Lan).
"""

import os
import re
import shutil
import socket
import struct
import subprocess
import time

import waiting
from waiting import wait_until

SERVICE = "_mandos._tcp.local"


class MandosServer:
    """The server. `sections`: the client sections of clients.conf, as text. `port`: fixed, else the kernel's choice. `address`: to
    listen on. `zeroconf`: announced by avahi-daemon. `ipv6`: False makes it listen on and be announced over IPv4 only.
    `priority`: GnuTLS priority string. `debug`: the server logs everything it does, which takes time.
    """

    def __init__(self, host, sections, port=None, address=None, zeroconf=True, ipv6=True, priority=None,
                 service_name=None, debug=False):
        self.host = host
        self.service_name = service_name or f"Mandos on {host.name}"
        self.port = port
        self.spent = False  # a case has changed it on purpose
        self._zeroconf = zeroconf
        self._daemons = []
        self._log = host.lab.path("logs", host.name)
        self._log_start = 0
        settings = {"servicename": self.service_name, "use_ipv6": ipv6, "zeroconf": zeroconf, "debug": debug,
                    "debuglevel": "INFO", "port": port, "address": address, "priority": priority, "foreground": True}
        self._lines = [f"{name} = {value}" for name, value in settings.items() if value is not None]
        self.set_clients(sections)
        self.spent = False

    def set_clients(self, sections):
        """Write the configuration; read by the server when it starts."""
        self.spent = True
        lab = self.host.lab
        lab.file(f"{self.host.name}/mandos/mandos.conf", "\n".join(["[DEFAULT]", *self._lines, ""]))
        lab.file(f"{self.host.name}/mandos/clients.conf", "\n".join(sections))
        lab.file(f"{self.host.name}/dbus.conf", DBUS_CONFIGURATION)
        lab.file(f"{self.host.name}/avahi.conf", _AVAHI_CONFIGURATION.format(name=self.host.name))
        state = lab.path(self.host.name, "state", "")
        shutil.chown(state, "_mandos", "_mandos")

    @property
    def address(self):
        """The server's link-local address and port as a client on eth0 writes it."""
        return f"[{self.host.link_local()}%eth0]:{self.port}"

    def start(self, wait=True):
        """Start the daemons; returns when the server's port accepts connections and its announcement can be heard."""
        if not self._daemons:
            self._start_daemons()
        path = self.host.lab.path(self.host.name, "")
        self._log_start = os.path.getsize(self._log)
        self.process = self.host.start(["/usr/sbin/mandos", f"--configdir={path}mandos", f"--statedir={path}state"],
                                       log=self._log + ".errors", stdout=subprocess.DEVNULL)
        if wait:
            self.wait_ready()

    def _start_daemons(self):
        """The log daemon, the bus and, for Zeroconf, avahi-daemon."""
        path = self.host.lab.path(self.host.name, "")
        os.mkdir(self.host.space.outside("/run/dbus"))
        self._daemons.append(self.host.start(["/usr/bin/python3", "-I", "-S", "-c", _LOG_DAEMON, self._log]))
        self._daemons.append(self.host.start(["dbus-daemon", "--nofork", "--nopidfile", "--print-address=1",
                                              f"--config-file={path}dbus.conf"], log=self._log + ".dbus"))
        for daemon in self._daemons:
            if not daemon.read_line():
                raise RuntimeError(f"{daemon.command} did not start: {daemon.errors()}")
        if self._zeroconf:
            avahi = self.host.start(["avahi-daemon", f"--file={path}avahi.conf", "--no-drop-root", "--no-chroot",
                                     "--no-rlimits"], log=self._log + ".avahi")
            self._daemons.append(avahi)
            avahi.wait_for_error("Network interface enumeration completed")

    def wait_ready(self, timeout=20):
        """Wait until the server serves: its port is listening and, with Zeroconf, questions for it are answered."""
        self.port = wait_until(self.host.listening_port, "the Mandos server listening", timeout, check=self._check_running)
        if self._zeroconf:
            with AnnouncementProbe(self.host, self.service_name) as probe:
                wait_until(probe.answered, "the Mandos server's announcement", timeout, check=self._check_running)

    def _check_running(self):
        if not self.process.running():
            raise RuntimeError("the Mandos server ended:\n" + self.log() + self.process.errors())

    def stop(self):
        """Stop the Mandos server, not its bus and avahi-daemon."""
        self.spent = True
        self.process.terminate()
        # A connection is served by a child, which has the listening socket, too, and may stay in the middle of it.
        self.host.space.call(waiting.kill_program, "/usr/sbin/mandos")

    def kill(self):
        """Let the Mandos server crash; its announcement goes with its connection to the bus."""
        self.spent = True
        self.host.space.call(waiting.kill_program, "/usr/sbin/mandos")
        self.process.kill()

    def log(self):
        """What the server logged since its last start, or since it woke up."""
        with open(self._log, errors="backslashreplace") as file:
            file.seek(self._log_start)
            return file.read()

    # -- between cases

    def remember(self):
        """Keep the state that the server is to be in when a case leaves it."""
        self._programs = self.host.space.programs()
        self._state = self.host.state()
        self._clients_before = self._clients()

    def check_unchanged(self):
        """An AssertionError if a case has left it in another state than the one remembered. The programs that the case has started
        there end first.
        """
        self.host.space.end_programs(self._programs)
        for process in (self.process, *self._daemons):
            if not process.running():
                raise AssertionError(f"on {self.host.name} {process.command[0]} has ended:\n{process.errors()}")
        self.host.check_unchanged(self._state, ignore=["^process is gone: "])  # a child of mandos may have served somebody then
        clients = self._clients()
        if clients != self._clients_before:
            raise AssertionError(f"clients of {self.host.name} were {self._clients_before}, are {clients}")
        if self._zeroconf:
            with AnnouncementProbe(self.host, self.service_name) as probe:
                wait_until(probe.answered, f"an announcement of {self.service_name!r}, as before", timeout=2)

    def rest(self):
        """Leave the LAN; the server itself does not notice."""
        self.host.lab.lan.switch.ip(f"link set {self.host.port()} nomaster")

    def wake(self):
        """Come back to the LAN, with an empty log."""
        self._log_start = os.path.getsize(self._log)
        self.host.lab.lan.switch.ip(f"link set {self.host.port()} master lan")

    def print_logs(self):
        """Show what the server has logged since its start or since it woke up."""
        waiting.print_lines(self.host.name, self.log())

    def _clients(self):
        """Which of its clients are enabled, and for which a person's approval is pending, as the server tells over D-Bus."""
        text = self.host.check(["dbus-send", "--system", "--print-reply", "--dest=se.recompile.Mandos", "/",
                                "se.recompile.Mandos.GetAllClientsWithProperties"])
        return re.findall(r'"se\.recompile\.Mandos\.Client\.(\w+)"|"(Enabled|ApprovalPending|Name)"\s+variant\s+(\S.*)', text)


class AnnouncementProbe:
    """Asks a host's own responder where a service is (RFC 6762, section 6.7). It tells that the service is there (PTR) earlier,
    while it still probes whether the name is free.
    """

    def __init__(self, host, service_name):
        name = dns_name(service_name, *SERVICE.split("."))
        self._question = struct.pack("!6H", 1, 0, 1, 0, 0, 0) + name + struct.pack("!2H", 33, 1)  # SRV, IN
        self._host = host
        self._sockets = []

    def __enter__(self):
        with self._host.space.network():
            for index in (index for index, name in socket.if_nameindex() if name != "lo"):
                ipv6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
                ipv6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
                self._sockets.append((ipv6, ("ff02::fb", 5353, 0, index)))
                ipv4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                ipv4.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", b"", b"", index))
                self._sockets.append((ipv4, ("224.0.0.251", 5353)))
        return self

    def __exit__(self, *_):
        for probe, _ in self._sockets:
            probe.close()

    def answered(self):
        """Ask; whether an answer comes soon."""
        asked = []
        for probe, group in self._sockets:
            try:
                probe.sendto(self._question, group)
                asked.append(probe)
            except OSError:  # no address of this family, or no interface any more
                continue
        deadline = time.monotonic() + 0.1
        while asked and time.monotonic() < deadline:
            for probe in waiting.readable(asked, deadline - time.monotonic()):
                if probe.recv(9000)[6:8] != b"\0\0":  # the number of answers
                    return True
        return False


# What syslogd would do: messages from /dev/log, one a line, into the file named.
_LOG_DAEMON = """
import os, socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
os.chmod("/dev/log", 0o666)
with open(sys.argv[1], "ab", buffering=0) as file:
    print("ready", flush=True)
    while True:
        file.write(log.recv(65536).rstrip(b"\\0") + b"\\n")
"""

DBUS_CONFIGURATION = """<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="*"/>
    <allow receive_type="*"/>
  </policy>
</busconfig>
"""

_AVAHI_CONFIGURATION = """[server]
host-name={name}
use-ipv4=yes
use-ipv6=yes
[wide-area]
enable-wide-area=no
[publish]
publish-hinfo=no
publish-workstation=no
"""


def dns_name(*labels):
    """Labels (bytes or text) in DNS wire form (RFC 1035, section 3.1)."""
    encoded = [label.encode() if isinstance(label, str) else label for label in labels]
    return b"".join(bytes([len(label)]) + label for label in encoded) + b"\0"
