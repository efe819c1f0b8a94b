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
have a link-local IPv6 address only, unless told otherwise. The kernel's console level is the whole machine's: a host has a file
in its place, but within a `with console_level(N, host)`.

Several labs may have one Lan, one after the other (netns_case.py): hosts are new ones each time, the Mandos servers are not.
"""

import contextlib
import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import keysets
import own_directories
from machine_state import TIMELINE, compare_states, machine_state  # noqa: F401 (TIMELINE is for others)
from mandos_server import DBUS_CONFIGURATION, MandosServer  # noqa: F401 (the first is for others)
from namespaces import Namespaces, why_unavailable
from own_directories import CONSOLE_LEVEL
from waiting import print_lines, wait_until

# <linux/if_addr.h>, <linux/ipv6_route.h>
_IFA_F_TENTATIVE = 0x40
_RTF_LOCAL = 0x80000000
_REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Lan:
    """What one case after the other may use: a directory, the switch, and Mandos servers that rest between cases. A context manager.

    `cache`: a directory that keeps key sets between runs. `programs`: files that hosts must be able to see even if they
    are below /tmp or /run. `resting`: how many servers may rest.
    """

    def __init__(self, cache=None, programs=(), resting=0):
        self.cache = cache or os.environ.get("BOOTKEY_TEST_CACHE")
        self._programs = [*programs, *filter(None, [os.environ.get("BOOTKEY")])]
        self._number = 0
        self._limit = resting
        self._resting = []  # (kind, server), the one that has rested longest first

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            self.directory = tempfile.mkdtemp(prefix="bootkey-lab-", dir="/tmp")
            undo.callback(shutil.rmtree, self.directory, ignore_errors=True)
            os.chmod(self.directory, 0o711)  # the server runs as a user of its own
            before = signal.signal(signal.SIGTERM, _exit_on_signal)
            undo.callback(signal.signal, signal.SIGTERM, before)
            self.switch = self.namespaces()
            undo.callback(self.switch.close)
            with self.switch.network():
                _write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")
            self.switch.ip("link add lan type bridge mcast_snooping 0", "link set lan up")
            self._ground = Lab(lan=self)
            undo.enter_context(self._ground)
            self._closers = undo.pop_all()
        return self

    def __exit__(self, *_):
        self._closers.close()

    def namespaces(self):
        """New namespaces, in which our directories can be seen."""
        scratch = os.path.join(self.directory, "scratch")
        os.makedirs(scratch, exist_ok=True)
        kept = [self.directory, _REPOSITORY, *map(os.path.dirname, self._programs)]
        if self.cache:
            os.makedirs(self.cache, exist_ok=True)
            kept.append(self.cache)
        return Namespaces(scratch, sorted({os.path.realpath(path) for path in kept}))

    def next_number(self):
        """A number that nothing else here has."""
        self._number += 1
        return self._number

    # -- servers that rest

    def server(self, sections, addresses, options):
        """A Mandos server that serves so, from those that rest if there is one; None if it could not be used again."""
        if not self._limit or any("approv" in text for text in sections):  # that leaves a connection open for long
            return None
        kind = (tuple(sections), tuple(addresses), tuple(sorted(options.items())))
        for entry in self._resting:
            if entry[0] == kind:
                self._resting.remove(entry)
                entry[1].wake()
                return entry[1]
        server = self._ground.new_server(sections, addresses, None, options)
        server.kind = kind
        try:
            server.start()
            server.remember()
        except BaseException:
            server.host.space.close()
            raise
        return server

    def give_back(self, server):
        """Let a server rest that a case is done with, if it is as it was; otherwise an AssertionError."""
        try:
            if not server.spent:
                server.check_unchanged()
                server.rest()
                self._resting.append((server.kind, server))
                server = self._resting.pop(0)[1] if len(self._resting) > self._limit else None
        finally:
            if server:
                server.host.space.close()


class Lab:
    """The LAN and its hosts; a context manager. `lan`: whose it is; otherwise one of its own, made with `options` as of Lan."""

    def __init__(self, cache=None, programs=(), lan=None):
        self._own_lan = None if lan else Lan(cache, programs)
        self.lan = lan or self._own_lan
        self.hosts = []
        self._borrowed = []

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            if self._own_lan:
                undo.enter_context(self._own_lan)
            self.directory = os.path.join(self.lan.directory, str(self.lan.next_number()))
            os.mkdir(self.directory)
            os.chmod(self.directory, 0o711)
            undo.callback(shutil.rmtree, self.directory, ignore_errors=True)
            undo.callback(self._close_hosts)
            self._closers = undo.pop_all()
        return self

    def __exit__(self, kind, _value, _traceback):
        if kind is not None:
            self.print_logs()
        self._closers.close()

    def _close_hosts(self):
        borrowed = [server.host for server in self._borrowed]
        for host in self.hosts:
            if host not in borrowed:
                host.space.close()
        with contextlib.ExitStack() as give_back:
            for server in self._borrowed:
                give_back.callback(self.lan.give_back, server)

    @property
    def switch(self):
        """The namespaces with the bridge, whose name is lan."""
        return self.lan.switch

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
        return keysets.cached(self.lan.cache or os.path.join(self.lan.directory, "keys"), openpgp, tls, number)

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

    def mandos(self, sections, start=True, addresses=(), name=None, own=False, **options):
        """A host with a Mandos server for these clients.conf sections. Options as of MandosServer.

        A case that changes the server by other means than the methods of MandosServer says so: `own` makes it one for this case
        alone. Any other may have served an earlier case, and is to serve a later one. But one that comes while programs of the case
        run is always new: it announces itself.
        """
        shared = start and not own and not name and not self._has_programs()
        server = self.lan.server(sections, addresses, options) if shared else None
        if server:
            self._borrowed.append(server)
            self.hosts.append(server.host)
            return server
        server = self.new_server(sections, addresses, name, options)
        if start:
            server.start()
        return server

    def _has_programs(self):
        """Whether anything runs on the hosts that are this lab's alone."""
        borrowed = [server.host for server in self._borrowed]
        return any(host.space.has_programs() for host in self.hosts if host not in borrowed)

    def new_server(self, sections, addresses, name, options):
        """A new host with a Mandos server that is not started yet."""
        return MandosServer(self.host(name or f"server{self.lan.next_number()}", addresses=addresses), sections, **options)

    def print_logs(self):
        """Show what the daemons of all hosts said; done when a lab ends by an exception."""
        for server in self._borrowed:
            server.print_logs()
        for folder, _, files in sorted(os.walk(self.path("logs", ""))):
            for file in sorted(files):
                with open(os.path.join(folder, file), errors="backslashreplace") as text:
                    print_lines(file, text.read())


def _exit_on_signal(number, _frame):
    raise KeyboardInterrupt(f"signal {number}")  # which unittest takes for no failure of a case, to go on with the next one


class Host:
    """One machine on the LAN."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.space = lab.lan.namespaces()
        self._number = lab.lan.next_number()
        self._nics = 0
        # All of it: a program that we start here is to find the host's own system bus, home and programs, whoever runs the tests.
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}
        self.environment.update((name, value) for name, value in os.environ.items() if name.endswith("SAN_OPTIONS"))

    # -- interfaces

    def port(self, nic="eth0"):
        """The switch's end of the cable."""
        return f"{self._number}-{nic}"

    def plug_in(self, carrier=True):
        """A new interface, down, with a cable into the switch; its name."""
        nic = f"eth{self._nics}"
        self._nics += 1
        port = self.port(nic)
        self.lab.switch.ip(f"link add {port} type veth peer name {nic} netns {self.space.pid}",
                           f"link set {port} master lan" + (" up" if carrier else ""))
        return nic

    def pull_out(self, nic="eth0"):
        """Remove the interface altogether."""
        self.lab.switch.ip(f"link del {self.port(nic)}")

    def carrier(self, on, nic="eth0"):
        """Connect or disconnect the interface's cable."""
        self.lab.switch.ip(f"link set {self.port(nic)} {'up' if on else 'down'}")

    def up(self, nic="eth0", duplicate_address_detection=False):
        """Bring an interface up; with a usable link-local address at once if there is no duplicate address detection."""
        with self.space.network():
            if not duplicate_address_detection:
                _write_file(f"/proc/sys/net/ipv6/conf/{nic}/accept_dad", "0")
                _write_file(f"/proc/sys/net/ipv6/conf/{nic}/dad_transmits", "0")
            own_directories.set_link_up(nic)
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
            wait_until(lambda: all(map(self._is_local, plain)), f"routes to {plain}")

    def _is_local(self, address):
        """Whether there is a route to the address as one of the host's own."""
        if "." in address:
            lines = [line.strip() for line in self.space.proc_net("fib_trie")]
            return any(pair == (f"|-- {address}", "/32 host LOCAL") for pair in zip(lines, lines[1:]))
        binary = socket.inet_pton(socket.AF_INET6, address).hex()
        return any(fields[:2] == [binary, "80"] and int(fields[8], 16) & _RTF_LOCAL
                   for fields in map(str.split, self.space.proc_net("ipv6_route")))

    def is_up(self, nic="eth0"):
        with self.space.network():
            return own_directories.link_is_up(nic)

    def links(self):
        """The names of all interfaces."""
        return [line.partition(":")[0].strip() for line in self.space.proc_net("dev")[2:]]

    def link_local(self, nic="eth0"):
        """The usable link-local IPv6 address of an interface, or None."""
        for address, _, _, scope, flags, name in map(str.split, self.space.proc_net("if_inet6")):
            if name == nic and scope == "20" and not int(flags, 16) & _IFA_F_TENTATIVE:
                return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(address))
        return None

    def has_route(self, address, nic="eth0"):
        """Whether there is a route to this IPv6 address alone through an interface."""
        binary = socket.inet_pton(socket.AF_INET6, address).hex()
        return any(fields[:2] == [binary, "80"] and fields[9] == nic for fields in map(str.split, self.space.proc_net("ipv6_route")))

    def tcp_sockets(self):
        """(local port, state) of every TCP socket of this host."""
        names = {1: "ESTABLISHED", 2: "SYN_SENT", 10: "LISTEN"}  # linux/include/net/tcp_states.h
        return [(int(fields[1].rsplit(":", 1)[1], 16), names.get(int(fields[3], 16), "other"))
                for table in ("tcp6", "tcp") for fields in map(str.split, self.space.proc_net(table)[1:])]

    def tcp_states(self):
        """The states of all TCP sockets of this host."""
        return [state for _, state in self.tcp_sockets()]

    def listening_port(self):
        """The TCP port that this host listens on, if any: hosts of the lab run no other TCP server."""
        return next((port for port, state in self.tcp_sockets() if state == "LISTEN"), None)

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
        """Everything that a program may have changed on this host: a dictionary for check_unchanged. Addresses for which the kernel
        still looks for duplicates are waited for, since they would change by themselves.
        """
        deadline = time.monotonic() + 3
        while self._has_new_addresses() and time.monotonic() < deadline:
            time.sleep(0.02)
        root = self.space.outside("")
        with self.space.network():
            return machine_state(root)

    def _has_new_addresses(self):
        tentative = [fields[5] for fields in map(str.split, self.space.proc_net("if_inet6")) if int(fields[4], 16) & _IFA_F_TENTATIVE]
        with contextlib.suppress(OSError), self.space.network():  # an interface may have gone
            return any(own_directories.link_is_up(name, own_directories.IFF_RUNNING) for name in tentative)
        return False

    def check_unchanged(self, before, timeout=5, ignore=()):
        """Compare the state with an earlier one; an AssertionError with the differences if they are not gone in time.

        The time is for what ends by itself after a program: a killed agent, an interface going down. Processes have two seconds
        at least: one that was killed is listed until a processor was free for its end. `ignore`: regular expressions for entries
        that may differ.
        """
        def differences():
            return [line for line in compare_states(before, self.state())
                    if not any(re.search(pattern, line) for pattern in ignore)]

        began = time.monotonic()
        while found := differences():
            only_processes = all(line.startswith("process is new: ") for line in found)
            if time.monotonic() - began > (max(timeout, 2) if only_processes else timeout):
                raise AssertionError(f"{self.name} is not as it was before:\n" + "\n".join(found))
            time.sleep(0.05)


@contextlib.contextmanager
def console_level(level, *hosts):
    """Let the hosts have the machine's own console log level meanwhile; set it, and in the end what it was. Gives a function
    that reads it. Only one test on the machine does so at a time; all other hosts have a level of their own.
    """
    def current():
        with open(CONSOLE_LEVEL) as file:
            return int(file.read().split()[0])

    def set_level(number):
        with open(CONSOLE_LEVEL, "w") as file:
            file.write(str(number))

    with open(CONSOLE_LEVEL) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = current()
        set_level(level)
        try:
            for host in hosts:
                host.space.use_machines_console(True)
            yield current
        finally:
            for host in hosts:
                host.space.use_machines_console(False)
            # An askpass that is killed leaves the kernel's messages turned off for the whole machine; this turns them on (syslog(2)).
            ctypes.CDLL(None).klogctl(7, None, 0)
            set_level(before)


def _write_file(path, content):
    with open(path, "w") as file:
        file.write(content)


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
