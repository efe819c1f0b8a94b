# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of the command `stalls`: what a network can put between a machine and its password.

A case is a function that builds its LAN in a Stage and returns another one, which boots one machine there with the
program named and returns what was measured: a number for each of the case's figures, or in its place words for why there
is none ("> 30 s"). CASES at the end lists all with their figures and targets.
"""

import collections
import contextlib
import ctypes
import dataclasses
import functools
import os
import re
import resource
import time
from collections.abc import Callable

import troublemakers
from programs import PASSWORD, PAUSE, lab, peers

LIMIT = 30.0  # seconds until a program is said to hang
LATE = 3.0  # seconds after the client's start; its --delay, 2.5 s, is over then
ENDLESS_WATCH = 3.0  # seconds; a client that reads on for ever reads gigabytes in that time
ENDLESS_MEMORY = 2 << 30  # bytes of address space, lest it takes all of the machine's
PORT = 4711
FLEET = 50
CROWD = 300


@dataclasses.dataclass(frozen=True)
class Figure:
    """What a case measures. `unit`: ms, s, MB, KiB or programs; the numbers are in seconds, bytes, or plain.

    `limit`: the target, in the unit; or None. `beyond`: (case, allowance): the target is that case's figure plus the
    allowance. `per`: (case, factor): it is that case's figure times the factor.
    """
    text: str
    unit: str
    limit: float | None = None
    beyond: tuple | None = None
    per: tuple | None = None


@dataclasses.dataclass(frozen=True)
class Case:
    """`waits`: a run is nearly all waiting, so several cases may go on side by side."""
    name: str
    prepare: Callable
    figures: tuple
    waits: bool = False


def without_syslog():
    """Before a program starts: it shall not change the whole machine's console level, which others may be testing."""
    PR_CAPBSET_DROP, CAP_SYSLOG = 24, 34  # <sys/prctl.h>, <linux/capability.h>
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYSLOG, 0, 0, 0)


class Stage:
    """A LAN for one case, and the ways to boot a machine there."""

    def __init__(self, world, programs):
        self.world = world
        self.keys = world.keys("rsa4096")
        self._programs = programs
        self._client = None
        self._reports = 0

    def server(self, **settings):
        """A real Mandos server that has the password."""
        return self.world.mandos([self.keys.section(PASSWORD, **settings)])

    def client(self, nics=1, up=False):
        """A machine that has just been switched on, in the place of the one before."""
        if self._client:
            self._client.space.close()
        self._client = self.world.host(f"client{len(self.world.hosts)}", nics=nics, up=up)
        return self._client

    def command(self, program, *options):
        return [self._programs[program], *self.keys.options, "--network-hook-dir=/nonexistent", *options]

    def start(self, client, program, *options, before=(), prepare=without_syslog):
        """Start a program on a machine. `before`: words to put before the command."""
        return client.start([*before, *self.command(program, *options)], prepare=prepare)

    def meter(self):
        """(words to put before a command, file): its beginning and its processor time; see meter.py."""
        self._reports += 1
        file = self.world.path(f"meter{self._reports}")
        return ["/usr/bin/python3", "-B", os.path.join(os.path.dirname(os.path.abspath(__file__)), "meter.py"), file], file

    def boot(self, client, program, *options, limit=LIMIT):
        """Boot the machine; seconds from exec to the password. The program is over afterwards."""
        process = self.start(client, program, *options)
        seconds = since(process.started_ns, arrival(process, limit))
        end(process)
        return seconds


def arrival(process, limit=LIMIT):
    """The moment when the whole password was on standard output, in ns, or words for why it was not."""
    output, _ = process.read_output(len(PASSWORD), timeout=limit)
    moment = time.monotonic_ns()
    if output == PASSWORD:
        return moment
    if output:
        return f"printed {output!r}"
    return f"> {limit:.0f} s" if process.running() else f"gave up, status {process.wait(1)}"


def since(begin, moment):
    """Seconds; words stay as they are."""
    return moment if isinstance(moment, str) else (moment - begin) / 1e9


def end(process):
    """Let the program put everything back, or stop it if it hangs."""
    with contextlib.suppress(Exception):
        process.wait(3)
    process.terminate(1)


def descendants(pid):
    """All processes below this one."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children") as file:
        children = [int(word) for word in file.read().split()]
        return children + [entry for child in children for entry in descendants(child)]
    return []


def peak_memory(process):
    """Bytes of the largest of the program's processes at its largest so far."""
    peaks = [0]
    for pid in [process.pid, *descendants(process.pid)]:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as file:
            text = file.read()
            if not text.startswith("Name:\tpython3"):  # the meter
                peaks += [int(number) << 10 for number in re.findall(r"VmHWM:\s*(\d+) kB", text)]
    return max(peaks)


def arrival_and_memory(process, limit=LIMIT):
    """As arrival(), and the peak memory; looked at all the time, for some programs are gone as soon as they have printed."""
    peaks, deadline = [], time.monotonic() + limit
    while True:
        peaks.append(peak_memory(process))
        output, _ = process.read_output(len(PASSWORD), timeout=0.02)
        if len(output) >= len(PASSWORD) or not process.running() or time.monotonic() > deadline:
            moment = arrival(process, 0)
            return (f"> {limit:.0f} s" if moment == "> 0 s" else moment), max(*peaks, peak_memory(process))


# -- a NIC that is down, and something in the way

def plain(stage, *_, up=False, options=lambda server: (), nics=1, dead=()):
    """One server, and `nics` interfaces of which the `dead` ones have no carrier."""
    server = stage.server()

    def once(program):
        client = stage.client(nics, up)
        for nic in dead:
            client.carrier(False, nic)
        time.sleep(PAUSE)
        return [stage.boot(client, program, *options(server))]
    return once


def foreign_traffic(stage):
    troublemakers.start(stage.world.host("talker"), "chatter")
    return plain(stage)


def without_carrier(stage):
    return plain(stage, nics=5, dead=("eth0", "eth1", "eth3", "eth4"))


def connect(stage):
    return plain(stage, options=lambda server: (f"--connect={server.host.link_local()}:{server.port}", "--interface=eth0"))


def late_carrier(stage):
    stage.server()

    def once(program):
        client = stage.client()
        client.carrier(False)
        process = stage.start(client, program)
        time.sleep(LATE)
        begin = time.monotonic_ns()
        client.carrier(True)
        seconds = since(begin, arrival(process))
        end(process)
        return [seconds]
    return once


def late_nic(stage):
    stage.server()

    def once(program):
        client = stage.client(nics=0)
        process = stage.start(client, program)
        time.sleep(LATE)
        begin = time.monotonic_ns()
        client.plug_in()
        seconds = since(begin, arrival(process))
        end(process)
        return [seconds]
    return once


# -- a server that stalls, and a good one later

def good_one_later(stage, with_memory=False):
    """The good server's cable is plugged in late; the time is from its announcement, as heard by a third host."""
    good = stage.world.mandos([stage.keys.section(PASSWORD)], start=False)
    configuration = stage.world.path(good.host.name, "avahi.conf")
    with open(configuration) as file:
        text = file.read()
    with open(configuration, "w") as file:  # a cable pulled out counts: it announces the service anew when that is back
        file.write(text.replace("[server]\n", "[server]\nuse-iff-running=yes\n"))
    good.start()
    observer = troublemakers.Observer(stage.world)

    def once(program):
        good.host.carrier(False)
        client = stage.client()
        process = stage.start(client, program)
        time.sleep(LATE)
        plugged_in = time.monotonic_ns()
        good.host.carrier(True)
        moment, memory = arrival_and_memory(process)
        seconds = since(observer.announced(good.port, plugged_in), moment)
        end(process)
        return [seconds, memory] if with_memory else [seconds]
    return once


def bad_one_first(stage, misbehave=None):
    """`misbehave`: starts a program that serves the port on the bad server; without one it is announced with no address."""
    bad = stage.world.host("bad")
    if misbehave:
        misbehave(bad)
    peers.announce(bad, peers.announcement("bad", PORT, [bad.link_local()] if misbehave else []))
    return good_one_later(stage)


def announce_closed(stage, count):
    host = stage.world.host("closed")
    peers.announce(host, *(peers.announcement(f"service {number}", PORT, [host.link_local()], target=f"host{number}")
                           for number in range(count)))


tarpit = functools.partial(bad_one_first, misbehave=lambda host: troublemakers.start(host, "drip", PORT))
mute = functools.partial(bad_one_first, misbehave=lambda host: peers.start(host, "mute", PORT))
drops = functools.partial(bad_one_first, misbehave=lambda host: troublemakers.start(host, "drop", PORT))


def crowd(stage):
    """So many hosts that none has more than the 16 connections which a host may have."""
    for number in range(CROWD // 15):
        host = stage.world.host(f"crowd{number}")
        troublemakers.start(host, "silent", PORT, 15)
        peers.announce(host, *(peers.announcement(f"silent {number}-{port}", PORT + port, [host.link_local()], target=host.name)
                               for port in range(15)))
    return good_one_later(stage)


def flood(stage):
    """1,000 services of a host where nobody listens."""
    announce_closed(stage, 1000)
    return good_one_later(stage, with_memory=True)


def approval(stage):
    stage.server(approval_delay="30s", approved_by_default="True")
    return good_one_later(stage)


def new_port(stage):
    """The server crashes when the client has tried it; it did not have the password, but has it when it is back."""
    others = stage.world.keys("cv25519", number=2).section(b"not ours")
    ours = stage.keys.section(PASSWORD)
    server = stage.world.mandos([others])
    observer = troublemakers.Observer(stage.world)

    def once(program):
        client = stage.client()
        tries = server.log().count("TCP connection from")
        process = stage.start(client, program)
        lab.wait_until(lambda: server.log().count("TCP connection from") > tries, "the first try", timeout=LIMIT)
        server.kill()
        server.set_clients([ours])
        crashed = time.monotonic_ns()
        server.start(wait=False)
        moment = arrival(process)
        server.wait_ready()
        seconds = since(observer.announced(server.port, crashed), moment)
        end(process)
        server.kill()
        server.set_clients([others])
        server.start()
        return [seconds]
    return once


# -- many servers, machines, services, interfaces

def wrong_keys(stage):
    others = stage.world.keys("cv25519", number=2).section(b"not ours")
    strangers = [stage.world.mandos([others], start=False) for _ in range(7)]
    for server in strangers:
        server.start(wait=False)
    for server in strangers:
        server.wait_ready()
    return plain(stage, up=True)


def fleet(stage, up):
    """All start at once; the time of the last one."""
    stage.server()
    clients = [stage.world.host(f"rack{number}", up=up) for number in range(FLEET)]
    gate = stage.world.path("gate")
    os.mkfifo(gate)

    def once(program):
        # Each waits in opening the gate until it is opened at the other end.
        processes = [stage.start(client, program, before=["/bin/sh", "-c", ': <"$0"; exec "$@"', gate]) for client in clients]
        time.sleep(PAUSE)
        begin = time.monotonic_ns()
        with open(gate, "wb"):
            moments = [arrival(process) for process in processes]
        for process in processes:
            end(process)
        late = [moment for moment in moments if isinstance(moment, str)]
        return [f"{late[0]} ({len(late)} of {FLEET} hosts)" if late else since(begin, max(moments))]
    return once


def services(stage, count):
    """All but one service are of a host where nobody listens."""
    stage.server()
    announce_closed(stage, count - 1)

    def once(program):
        client = stage.client()
        time.sleep(PAUSE)
        process = stage.start(client, program)
        moment, memory = arrival_and_memory(process)
        end(process)
        return [since(process.started_ns, moment), memory]
    return once


def interfaces(stage, count):
    """All of them are down at first, and on the same LAN."""
    stage.server()

    def once(program):
        client = stage.client(nics=count)
        time.sleep(PAUSE)
        meter, report = stage.meter()
        process = stage.start(client, program, before=meter)
        moment, memory = arrival_and_memory(process)
        if isinstance(moment, str):
            return [moment] * 3
        process.wait(LIMIT)
        with open(report) as file:
            started, processor = file.read().split()
        return [since(int(started), moment), float(processor), memory]
    return once


# -- what it costs

def endless(stage):
    """What the client reads of an answer that never ends, told by the system calls on its TCP sockets."""
    server = stage.world.host("endless")
    troublemakers.start(server, "endless", PORT)
    options = (f"--connect={server.link_local()}:{PORT}", "--interface=eth0")

    def prepare():
        without_syslog()
        resource.setrlimit(resource.RLIMIT_AS, (ENDLESS_MEMORY, ENDLESS_MEMORY))

    def once(program):
        client = stage.client(up=True)
        trace = stage.world.path("trace")
        process = stage.start(client, program, *options, prepare=prepare, before=[
            "strace", "-f", "-qq", "-yy", "-s0", "--seccomp-bpf", "-e", "trace=read,readv,recvfrom,recvmsg", "-o", trace])
        moment = arrival(process, ENDLESS_WATCH)
        client.space.close()  # kills all of them
        if not isinstance(moment, str):
            return ["took it for an answer"]
        total = 0
        with open(trace, errors="replace") as lines:
            for line in lines:
                match = re.search(r"(?:read|readv|recvfrom|recvmsg)\(\d+<TCP.* = (\d+)$", line)
                total += int(match.group(1)) if match else 0
        return [total]
    return once


def proportional_memory():
    """Bytes of all processes of this host but its first, shared pages counted in proportion. Runs inside the host."""
    total = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as file:
            if int(pid) not in (1, os.getpid()):
                total += int(re.search(r"^Pss:\s*(\d+) kB", file.read(), re.MULTILINE).group(1)) << 10
    return total


def waiting_memory(stage):
    """While a server waits for somebody's approval."""
    server = stage.server(approval_delay="1h", approved_by_default="True")

    def once(program):
        client = stage.client()
        tries = server.log().count("TCP connection from")
        process = stage.start(client, program)
        lab.wait_until(lambda: server.log().count("TCP connection from") > tries, "the connection", timeout=LIMIT,
                       check=lambda: process.wait(0.2) if not process.running() else None)
        time.sleep(1)
        memory = client.space.call(proportional_memory)
        client.space.close()
        return [memory]
    return once


def effort(stage):
    stage.server()

    def once(program):
        client = stage.client()
        time.sleep(PAUSE)
        meter, report = stage.meter()
        process = stage.start(client, program, before=meter)
        moment = arrival(process)
        if isinstance(moment, str):
            return [moment] * 2
        process.wait(LIMIT)
        with open(report) as file:
            processor = float(file.read().split()[1])
        client = stage.client()
        time.sleep(PAUSE)
        trace = stage.world.path("trace")
        process = stage.start(client, program, before=["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=execve", "-o", trace])
        moment = arrival(process)
        if isinstance(moment, str):
            return [moment] * 2
        time.sleep(0.5)
        client.space.close()  # kills what it left behind, and strace with it
        with open(trace, errors="replace") as lines:
            programs = collections.Counter(re.findall(r'execve\("[^"]*/([^"/]*)".* = 0$', lines.read(), re.MULTILINE))
        return [processor, programs.total() - 1]  # itself
    return once


def seconds(text, limit, unit="ms"):
    return (Figure(text, unit, limit),)


def service_figures(count, **time_target):
    text = f"{count:,} announced service{'s' if count > 1 else ''}"
    return (Figure(f"{text}: time", "ms", **time_target), Figure(f"{text}: peak memory", "MB", limit=33.6))  # 32 MiB


def nic_figures(count, before=None):
    """No worse than in proportion to the number of interfaces."""
    text = f"{count} NIC{'s' if count > 1 else ''}"
    names = (("time", "ms"), ("CPU time", "ms"), ("peak memory", "MB"))
    per = [(f"{before}-nics", number, count / before) if before else None for number in range(len(names))]
    return tuple(Figure(f"{text}: {name}", unit, per=target) for (name, unit), target in zip(names, per))


CASES = (
    Case("foreign-traffic", foreign_traffic, seconds("cold, another host's mDNS traffic", 80)),
    Case("no-carrier", without_carrier, seconds("cold, beside 4 NICs without carrier", 80)),
    Case("connect", connect, seconds("cold, `--connect`", 80)),
    Case("late-carrier", late_carrier, seconds("carrier 3 s after start (from carrier)", 100), waits=True),
    Case("late-nic", late_nic, seconds("NIC 3 s after start (from plug-in)", 100), waits=True),
    Case("tarpit", tarpit, seconds("tarpit first, good one 3 s later¹", 100), waits=True),
    Case("mute", mute, seconds("mute one first, good one 3 s later¹", 100), waits=True),
    Case("syn-drop", drops, seconds("SYN-dropping one first, good one 3 s later¹", 100), waits=True),
    Case("no-address", bad_one_first, seconds("address-less one first, good one 3 s later¹", 100), waits=True),
    Case("approval", approval, seconds("approval wait of 30 s on one, good one 3 s later¹", 100), waits=True),
    Case("crowd", crowd, seconds(f"{CROWD} servers silent after TLS first, good one 3 s later¹", 1000), waits=True),
    Case("flood", flood, (Figure("1,000 dead services first, good one 3 s later¹", "ms", 200),
                          Figure("the same: peak memory", "MB", 33.6)), waits=True),
    Case("new-port", new_port, seconds("server crashes, comes back on another port¹", 1000), waits=True),
    Case("wrong-keys", wrong_keys, seconds("7 servers without our key + 1 with it, warm", 70)),
    Case("endless", endless, (Figure("answer without end: read in 3 s²", "KiB", 64),)),
    Case("fleet-cold", functools.partial(fleet, up=False), seconds(f"{FLEET} hosts at once, cold, one server: last host", 2.5, "s")),
    Case("fleet-warm", functools.partial(fleet, up=True), seconds(f"{FLEET} hosts at once, warm, one server: last host", 2.5, "s")),
    Case("1-services", functools.partial(services, count=1), service_figures(1, limit=80)),
    Case("10-services", functools.partial(services, count=10), service_figures(10, beyond=("1-services", 0, 200))),
    Case("100-services", functools.partial(services, count=100), service_figures(100, beyond=("1-services", 0, 200))),
    Case("1000-services", functools.partial(services, count=1000), service_figures(1000, beyond=("1-services", 0, 200))),
    Case("1-nics", functools.partial(interfaces, count=1), nic_figures(1)),
    Case("8-nics", functools.partial(interfaces, count=8), nic_figures(8, before=1)),
    Case("64-nics", functools.partial(interfaces, count=64), nic_figures(64, before=8)),
    Case("memory", waiting_memory, (Figure("memory, all processes, waiting for approval (PSS)", "MB", 5.5),)),
    Case("effort", effort, (Figure("CPU time, all processes, cold", "ms", 60), Figure("programs executed", "programs", 4))),
)
