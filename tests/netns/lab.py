#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private LAN on one machine, with real Mandos servers: the world that bootkey is tested in. Needs root.

How to use it:

    with Lab() as lab:
        keys = lab.keys("cv25519")                          # or "rsa4096"; files and options of a client
        server = lab.mandos([keys.section(b"the password")])  # a host with dbus-daemon, avahi-daemon and mandos; started
        client = lab.client()                               # a host whose NIC eth0 is down
        before = client.state()
        result = client.run([BOOTKEY, *keys.options])       # .status .output .errors .seconds
        client.check_unchanged(before)                      # links, addresses, routes, settings, files, processes

    `lab.py shell` starts a shell on such a client, for trying things by hand; $KEYS holds its options.

Every host is a network, mount and PID namespace (namespaces.py) with /run, /tmp and /dev of its own, joined by a veth
pair to a bridge in a namespace of its own. Nothing outside is touched, and everything dies with this program. Servers
have a link-local IPv6 address only, unless told otherwise. The kernel's console level alone is the whole machine's: what
changes or compares it runs in a `with console_level(N)` and while no other test runs (RUN_SERIAL in CMakeLists.txt).
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import keysets
from namespaces import Namespaces, why_unavailable

SERVICE = "_mandos._tcp.local"
TIMELINE = "/run/bootkey/timeline.json"  # which every unlock as root leaves, in a directory of its own
_REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Lab:
    """The LAN and its hosts; a context manager.

    `cache`: a directory that keeps key sets between runs. `programs`: files that hosts must be able to see even if they
    are below /tmp or /run.
    """

    def __init__(self, cache=None, programs=()):
        self._closers = contextlib.ExitStack()
        self._cache = cache or os.environ.get("BOOTKEY_TEST_CACHE")
        self._programs = [*programs, *filter(None, [os.environ.get("BOOTKEY")])]
        self.hosts = []

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            self.directory = tempfile.mkdtemp(prefix="bootkey-lab-", dir="/tmp")
            undo.callback(shutil.rmtree, self.directory, ignore_errors=True)
            os.chmod(self.directory, 0o711)  # the server runs as a user of its own
            self._signal_before = signal.signal(signal.SIGTERM, _exit_on_signal)
            undo.callback(signal.signal, signal.SIGTERM, self._signal_before)
            self._hosts_closer = undo.enter_context(contextlib.ExitStack())
            self.switch = self._namespaces()
            self.switch.call(_write_files, [["/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"]])
            self.switch.ip("link add lan type bridge mcast_snooping 0", "link set lan up")
            self._closers = undo.pop_all()
        return self

    def __exit__(self, kind, _value, _traceback):
        if kind is not None:
            self.print_logs()
        self._closers.close()

    def _namespaces(self):
        scratch = os.path.join(self.directory, "scratch")
        os.makedirs(scratch, exist_ok=True)
        kept = [self.directory, _REPOSITORY, *map(os.path.dirname, self._programs)]
        if self._cache:
            os.makedirs(self._cache, exist_ok=True)
            kept.append(self._cache)
        namespaces = Namespaces(scratch, [os.path.realpath(path) for path in kept])
        self._hosts_closer.callback(namespaces.close)
        return namespaces

    def path(self, *names):
        """A path in the lab's own directory, which all hosts see and which goes with the lab."""
        path = os.path.join(self.directory, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def file(self, name, content, mode=0o644):
        """Write a file into the lab's directory; its path."""
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(path, mode)
        return path

    def exists(self, name):
        """Whether there is a file of this name in the lab's directory."""
        return os.path.exists(os.path.join(self.directory, name))

    def keys(self, openpgp="cv25519", tls="ed25519", number=1):
        """A client's key set. Kinds: cv25519, rsa4096. Different numbers are different keys."""
        return keysets.cached(self._cache or self.path("keys"), openpgp, tls, number)

    def host(self, name=None, nics=1, up=True, addresses=()):
        """A new host; its interfaces eth0, eth1 ... are on the LAN. `addresses` (with prefix length) are for eth0."""
        host = Host(self, name or f"host{len(self.hosts)}")
        self.hosts.append(host)
        for _ in range(nics):
            nic = host.plug_in()
            if up:
                host.up(nic)
        if addresses:
            host.add_addresses(*addresses)
        return host

    def client(self, nics=1, **options):
        """A new host whose interfaces are down."""
        return self.host(options.pop("name", f"client{len(self.hosts)}"), nics=nics, up=False, **options)

    def mandos(self, sections, start=True, addresses=(), name=None, **options):
        """A new host with a Mandos server for these clients.conf sections. Options as of MandosServer."""
        server = MandosServer(self.host(name or f"server{len(self.hosts)}", addresses=addresses), sections, **options)
        if start:
            server.start()
        return server

    def print_logs(self):
        """Show what the daemons of all hosts said; done when a lab ends by an exception."""
        for folder, _, files in sorted(os.walk(self.path("logs", ""))):
            for file in sorted(files):
                with open(os.path.join(folder, file), errors="backslashreplace") as text:
                    lines = text.read().splitlines()
                print(f"--- {file}, last {min(len(lines), 60)} of {len(lines)} lines", file=sys.stderr)
                print("\n".join(lines[-60:]), file=sys.stderr)


def _exit_on_signal(number, _frame):
    sys.exit(128 + number)


class Host:
    """One machine on the LAN."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.space = lab._namespaces()
        self._nics = 0
        # Programs that we start here may look for a system bus: theirs is the host's own, not the machine's.
        self.environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/root"}
        self.environment.update((name, value) for name, value in os.environ.items() if name.endswith("SAN_OPTIONS"))

    # -- interfaces

    def port(self, nic="eth0"):
        """The switch's end of the cable."""
        return f"{self.lab.hosts.index(self)}-{nic}"

    def plug_in(self, carrier=True):
        """A new interface, down, with a cable into the switch; its name."""
        nic = f"eth{self._nics}"
        self._nics += 1
        port = self.port(nic)
        self.lab.switch.ip(f"link add {port} type veth peer name {nic} netns {self.space.pid}",
                           f"link set {port} master lan")
        if carrier:
            self.carrier(True, nic)
        return nic

    def pull_out(self, nic="eth0"):
        """Remove the interface altogether."""
        self.lab.switch.ip(f"link del {self.port(nic)}")

    def carrier(self, on, nic="eth0"):
        """Connect or disconnect the interface's cable."""
        self.lab.switch.ip(f"link set {self.port(nic)} {'up' if on else 'down'}")

    def up(self, nic="eth0", duplicate_address_detection=False):
        """Bring an interface up; with a usable link-local address at once if there is no duplicate address detection."""
        if not duplicate_address_detection:
            self.space.call(_write_files, [[f"/proc/sys/net/ipv6/conf/{nic}/accept_dad", "0"],
                                           [f"/proc/sys/net/ipv6/conf/{nic}/dad_transmits", "0"]])
        self.space.ip(f"link set {nic} up")
        wait_until(lambda: self.link_local(nic), f"a link-local address on {self.name}'s {nic}")

    def down(self, nic="eth0"):
        self.space.ip(f"link set {nic} down")

    def add_addresses(self, *addresses, nic="eth0"):
        """Give an interface addresses, such as 192.0.2.1/24 or 2001:db8::1/64."""
        # Without "nodad", which lets the kernel list an address a moment before it answers neighbours that ask for it; up() turned
        # duplicate address detection off.
        self.space.ip(*(f"address add {address} dev {nic}" for address in addresses))
        if self.is_up(nic):  # then the kernel adds routes to them a moment later
            plain = [address.split("/")[0] for address in addresses]
            wait_until(lambda: all(address in self.check(["ip", "-4" if "." in address else "-6", "route", "show", "table", "local"])
                                   for address in plain), f"routes to {plain}")

    def is_up(self, nic="eth0"):
        return "UP" in json.loads(self.space.check(["ip", "-json", "link", "show", nic]))[0]["flags"]

    def link_local(self, nic="eth0"):
        """The usable link-local IPv6 address of an interface, or None."""
        listing = json.loads(self.space.check(["ip", "-json", "-6", "address", "show", "dev", nic, "scope", "link"]))
        usable = [info["local"] for entry in listing for info in entry.get("addr_info", ())
                  if "local" in info and not info.get("tentative")]
        return usable[0] if usable else None

    # -- programs

    def start(self, command, **options):
        """Start a program on this host; a namespaces.Process. Options as there."""
        return self.space.start(command, **{"environment": self.environment, **options})

    def run(self, command, timeout=30, **options):
        """Run a program on this host to its end; a namespaces.Result. Options as of namespaces.Process."""
        return self.space.run(command, timeout=timeout, **{"environment": self.environment, **options})

    def check(self, command, **options):
        """Run a program that must succeed; what it printed, as text."""
        return self.space.check(command, **{"environment": self.environment, **options})

    def private_etc(self):
        """From now on this host has an /etc of its own, a copy that can be changed."""
        self.check(["sh", "-c", "mount -t tmpfs etc /mnt && cp -a /etc/. /mnt/ && mount --move /mnt /etc"])

    # -- state

    def state(self):
        """Everything that a program may have changed on this host: a dictionary for check_unchanged."""
        return self.space.call(_machine_state)

    def check_unchanged(self, before, timeout=5, ignore=()):
        """Compare the state with an earlier one; an AssertionError with the differences if they are not gone in time.

        The time is for what ends by itself after a program: a killed agent, an interface going down.
        `ignore`: regular expressions for entries that may differ.
        """
        def differences():
            return [line for line in compare_states(before, self.state())
                    if not any(re.search(pattern, line) for pattern in ignore)]

        deadline = time.monotonic() + timeout
        while differences():
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} is not as it was before:\n" + "\n".join(differences()))
            time.sleep(0.05)


class MandosServer:
    """A real Mandos server on a host, with its own dbus-daemon and avahi-daemon.

    `sections`: the client sections of clients.conf, as text. `port`: fixed, else the kernel's choice. `address`: to listen
    on. `zeroconf`: announced by avahi-daemon. `ipv6`: False makes it listen on and be announced over IPv4 only.
    `priority`: GnuTLS priority string. `debug`: the server logs everything it does, which takes time.
    """

    def __init__(self, host, sections, port=None, address=None, zeroconf=True, ipv6=True, priority=None,
                 service_name=None, debug=False):
        self.host = host
        self.service_name = service_name or f"Mandos on {host.name}"
        self.port = port
        self._zeroconf = zeroconf
        self._daemons = []
        self._log = host.lab.path("logs", host.name)
        self._log_start = 0
        settings = {"servicename": self.service_name, "use_ipv6": ipv6, "zeroconf": zeroconf, "debug": debug,
                    "debuglevel": "INFO", "port": port, "address": address, "priority": priority, "foreground": True}
        self._lines = [f"{name} = {value}" for name, value in settings.items() if value is not None]
        self.set_clients(sections)

    def set_clients(self, sections):
        """Write the configuration; read by the server when it starts."""
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
        self._daemons.append(self.host.start(["/usr/bin/python3", "-c", _LOG_DAEMON, self._log]))
        self.host.check(["mkdir", "-p", "/run/dbus"])
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
        self.port = wait_until(lambda: self.host.space.call(_listening_port), "the Mandos server listening", timeout,
                               check=self._check_running)
        if self._zeroconf:
            wait_until(lambda: self.host.space.call(_is_announced, self.service_name),
                       "the Mandos server's announcement", timeout, check=self._check_running)

    def _check_running(self):
        if not self.process.running():
            raise RuntimeError("the Mandos server ended:\n" + self.log() + self.process.errors())

    def stop(self):
        """Stop the Mandos server, not its bus and avahi-daemon."""
        self.process.terminate()
        # A connection is served by a child, which has the listening socket, too, and may stay in the middle of it.
        self.host.space.call(_kill_program, "/usr/sbin/mandos")

    def kill(self):
        """Let the Mandos server crash; its announcement goes with its connection to the bus."""
        self.host.space.call(_kill_program, "/usr/sbin/mandos")
        self.process.kill()

    def log(self):
        """What the server logged since its last start."""
        with open(self._log, errors="backslashreplace") as file:
            file.seek(self._log_start)
            return file.read()


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


def wait_until(condition, what, timeout=10, check=lambda: None):
    """Wait until condition() is true; its value. `check` may raise when waiting has become pointless."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        check()
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s for {what} in vain")
        time.sleep(0.01)


@contextlib.contextmanager
def console_level(level):
    """Set the kernel's console log level, and in the end what it was. Gives a function that reads it. One at a time."""
    def current():
        with open("/proc/sys/kernel/printk") as file:
            return int(file.read().split()[0])

    with open(__file__) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = current()
        _write_files([["/proc/sys/kernel/printk", str(level)]])
        try:
            yield current
        finally:
            _write_files([["/proc/sys/kernel/printk", str(before)]])


# -- functions that run inside a host

def _write_files(pairs):
    for path, content in pairs:
        with open(path, "w") as file:
            file.write(content)


def _kill_program(path):
    """SIGKILL to every process of this host that has the path among its arguments, until there is none."""
    killed = True
    while killed:
        killed = False
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
                if path.encode() in file.read().split(b"\0"):
                    os.kill(int(pid), signal.SIGKILL)
                    killed = True


def _listening_port():
    """The TCP port that this host listens on, if any: hosts of the lab run no other TCP server."""
    ports = [port for port, state in _tcp_sockets() if state == "LISTEN"]
    return ports[0] if ports else None


def tcp_states():
    """The states of all TCP sockets of this host."""
    return [state for _, state in _tcp_sockets()]


def _tcp_sockets():
    """(local port, state) of every TCP socket of this host."""
    names = {1: "ESTABLISHED", 2: "SYN_SENT", 10: "LISTEN"}  # linux/include/net/tcp_states.h
    sockets = []
    for table in ("/proc/net/tcp6", "/proc/net/tcp"):
        with open(table) as lines:
            for fields in (line.split() for line in list(lines)[1:]):
                sockets.append((int(fields[1].rsplit(":", 1)[1], 16), names.get(int(fields[3], 16), "other")))
    return sockets


def dns_name(*labels):
    """Labels (bytes or text) in DNS wire form (RFC 1035, section 3.1)."""
    encoded = [label.encode() if isinstance(label, str) else label for label in labels]
    return b"".join(bytes([len(label)]) + label for label in encoded) + b"\0"


def _is_announced(service_name):
    """Whether this host's own responder tells where the service is (RFC 6762, section 6.7). It tells that the service is
    there (PTR) earlier, while it still probes whether the name is free.
    """
    name = dns_name(service_name, *SERVICE.split("."))
    question = struct.pack("!6H", 1, 0, 1, 0, 0, 0) + name + struct.pack("!2H", 33, 1)  # SRV, IN
    for family, group in ((socket.AF_INET6, "ff02::fb"), (socket.AF_INET, "224.0.0.251")):
        for index, name in socket.if_nameindex():
            if name == "lo":
                continue
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.settimeout(0.2)
                try:
                    if family == socket.AF_INET6:
                        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
                        probe.sendto(question, (group, 5353, 0, index))
                    else:
                        probe.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", b"", b"", index))
                        probe.sendto(question, (group, 5353))
                    if probe.recv(9000)[6:8] != b"\0\0":  # the number of answers
                        return True
                except OSError:
                    continue
    return False


# Values that change by themselves, or for good when an interface is up for the first time in its life (qdisc).
_IDLE_FIELDS = {"stats64", "stats", "valid_life_time", "preferred_life_time", "expires", "age", "qdisc"}


def _machine_state():
    """Links, addresses, routes, rules, settings, files and processes, as {section: {entry: value}}."""
    def ip(*arguments):
        text = subprocess.run(["ip", "-json", "-details", *arguments], capture_output=True, check=True).stdout
        return json.loads(text or b"[]")

    def plain(value):
        if isinstance(value, dict):
            return {name: plain(entry) for name, entry in value.items() if name not in _IDLE_FIELDS}
        if isinstance(value, list):
            return [plain(entry) for entry in value]
        return value

    def text(value):
        return json.dumps(plain(value), sort_keys=True)

    state = {"link": {}, "address": {}, "route": {}, "setting": {}, "file": {}, "process": {}}
    for link in ip("link"):
        state["link"][link["ifname"]] = text(link)
    for link in ip("address"):
        for address in link.get("addr_info", ()):
            state["address"][f"{link['ifname']} {address['local']}/{address['prefixlen']}"] = text(address)
    for family in ("-4", "-6"):
        for route in ip(family, "route", "show", "table", "all"):
            key = " ".join(str(route.get(name, "")) for name in ("type", "dst", "dev", "gateway", "table")).strip()
            state["route"][key] = text(route)
        for rule in ip(family, "rule"):
            state["route"][f"rule {family} {rule.get('priority')}"] = text(rule)
    for folder, _, names in os.walk("/proc/sys/net"):
        if re.search(r"/ipv[46]/conf/", folder):
            for name in names:
                with contextlib.suppress(OSError), open(os.path.join(folder, name)) as file:
                    state["setting"][os.path.join(folder[len("/proc/sys/"):], name)] = file.read().strip()
    for top in ("/run", "/tmp"):
        device = os.lstat(top).st_dev
        for folder, folders, names in os.walk(top):
            folders[:] = [name for name in folders if os.lstat(os.path.join(folder, name)).st_dev == device]
            for name in folders + names:
                entry = os.lstat(os.path.join(folder, name))
                size = "" if name in folders else f" {entry.st_size} bytes"
                state["file"][os.path.join(folder, name)] = f"mode {entry.st_mode:o}{size}"
    _leave_timeline_out(state["file"])
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
            words = file.read().rsplit(")", 1)
            if int(pid) not in (1, os.getpid()) and words[1].split()[0] != "Z":
                with open(f"/proc/{pid}/cmdline") as command:
                    state["process"][pid] = command.read().replace("\0", " ").strip() or words[0]
    return state


def _leave_timeline_out(files):
    """What an unlock leaves for good is no difference: that one file, readable for all, and its directory as bootkey makes it."""
    if files.get(TIMELINE, "").startswith("mode 100644 "):
        del files[TIMELINE]
        if files[os.path.dirname(TIMELINE)] == "mode 41711":
            del files[os.path.dirname(TIMELINE)]


def compare_states(before, after):
    """Differences between two states in words, one a line."""
    lines = []
    for section in before:
        old, new = before[section], after[section]
        lines += [f"{section} is gone: {key}: {old[key]}" for key in sorted(old.keys() - new.keys())]
        lines += [f"{section} is new: {key}: {new[key]}" for key in sorted(new.keys() - old.keys())]
        for key in sorted(old.keys() & new.keys()):
            if old[key] != new[key]:
                lines.append(f"{section} {key}: {_difference(old[key], new[key])}")
    return lines


def _difference(old, new):
    """Two values; of two JSON objects only the members that differ."""
    if not old.startswith("{"):
        return f"was {old}, is {new}"
    old, new = json.loads(old), json.loads(new)
    parts = [f"{name} was {old.get(name)}, is {new.get(name)}" for name in sorted(old.keys() | new.keys())
             if old.get(name) != new.get(name)]
    return "; ".join(parts)


def _shell():
    """A shell on a client of a lab with one server."""
    reason = why_unavailable()
    if reason:
        sys.exit(reason)
    with Lab() as lab:
        keys = lab.keys()
        lab.mandos([keys.section(b"correct horse battery staple")])
        client = lab.client()
        client.environment["KEYS"] = " ".join(keys.options)
        print("eth0 is down; a Mandos server is on the LAN. Try: bootkey $KEYS. End the shell to remove everything.")
        subprocess.run(["nsenter", f"--target={client.space.pid}", "--net", "--mount", "--pid", "/bin/bash"],
                       env=dict(client.environment, TERM=os.environ.get("TERM", "dumb")))


if __name__ == "__main__":
    if sys.argv[1:] != ["shell"]:
        sys.exit("usage: lab.py shell")
    _shell()
