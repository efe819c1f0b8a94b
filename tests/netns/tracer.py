# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program, counts its system calls and those of the processes that it forks, and meddles with one of them.

What strace(1) does, but for one chosen process of several, and leaving alone what they execute (gpg, gpg-agent, network hooks):
a process is let go when it executes a program. See start() for what can be asked for.

SIGTERM and SIGHUP are passed on to the program; the end is as the program's, and then whatever it left running runs on by itself.

The record has a line of JSON for each call counted, see Call, if calls are named; else one for each process, see Process. Failing
calls are made up in the registers, which this module knows for x86-64 only.
"""

import collections
import ctypes
import ctypes.util
import errno
import json
import os
import platform
import resource
import signal
import socket
import struct
import sys
import traceback

CAN_FAIL_CALLS = platform.machine() == "x86_64"

# A call that was counted: the process's place and name, the call's number among those counted there, its name and what can be told of
# its arguments, and whether it was made to fail.
Call = collections.namedtuple("Call", "process name number call text failed")
# A process: its place, its last name, and how many calls were counted.
Process = collections.namedtuple("Process", "process name calls")

# <linux/ptrace.h>
PTRACE_TRACEME, PTRACE_POKEUSER, PTRACE_CONT, PTRACE_DETACH, PTRACE_SYSCALL = 0, 6, 7, 17, 24
PTRACE_SETOPTIONS, PTRACE_GETEVENTMSG, PTRACE_GET_SYSCALL_INFO = 0x4200, 0x4201, 0x420E
PTRACE_O_TRACESYSGOOD, PTRACE_O_TRACEFORK, PTRACE_O_TRACEVFORK, PTRACE_O_TRACECLONE, PTRACE_O_TRACEEXEC = 1, 2, 4, 8, 16
FORKED, EXECUTED = (1, 2, 3), 4  # PTRACE_EVENT_...
SYSCALL_STOP = signal.SIGTRAP | 0x80
ENTRY = 1  # PTRACE_SYSCALL_INFO_ENTRY
SYSCALL_INFO = struct.Struct("=B3xIQQ7Q")  # op, arch, instruction and stack pointer; number and arguments
# <sys/reg.h>: offsets in struct user
RAX, ORIG_RAX = 10 * 8, 15 * 8
GETPID = 39  # <asm/unistd_64.h>
WALL = 0x40000000  # __WALL of waitpid(2)
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def start(host, program, record=None, calls=(), process=None, at=None, fail=None, for_good=False, send=None):
    """Start a program (a list) on a host of the lab, traced; a namespaces.Process, which is the tracer.

    Of the calls named (all by default) that a process makes, the one with number `at` either fails, with the error of the name
    `fail`, and if `for_good` all that follow; or the process gets the signal `send` when it is about to make it. Each process counts for
    itself. `process`: the name that ps(1) shows, or the process's place in the family: "0" for the program, "0.1" for the first that it
    forks, "0.1.2" for the second that this one forks. The calls of the program's own start, up to its first rt_sigaction(SIGCHLD), do
    not fail. `record`: a file.

    The tracer is a copy of this process; to start Python takes twenty times as long, and there are hundreds of traced runs.
    """
    file = open(record, "w", buffering=1) if record else None
    try:
        tracer = Tracer(file, calls, process, at, fail, for_good, send)
        return host.start(program, prepare=lambda: tracer.take_over(program, host.environment))
    finally:
        if file:
            file.close()


def read(record, kind):
    """The lines of a record, which are of one kind: Call or Process."""
    with open(record) as file:
        return [kind(*json.loads(line)) for line in file]


def _ptrace(request, pid, address=0, data=0):
    if _libc.ptrace(request, pid, address, data) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class _Names(dict):
    """The names of system calls by their numbers on this machine, from libseccomp."""

    def __init__(self):
        super().__init__()
        self._resolve = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_num_arch
        self._resolve.restype = ctypes.c_char_p

    def __missing__(self, number):
        name = self._resolve(0, ctypes.c_int(number))  # SCMP_ARCH_NATIVE
        self[number] = name.decode() if name else str(number)
        return self[number]


_names = _Names()


class _Tracee:
    """A process that is being traced."""

    def __init__(self, pid, place):
        self.pid = pid
        self.place = place
        self.children = 0
        self.count = 0
        self.started = False  # with what the dynamic linker does
        self.failing = False  # between the entry to a call that shall fail and the return from it
        self.last_name = ""

    def name(self):
        with open(f"/proc/{self.pid}/comm") as file:
            self.last_name = file.read().strip()
        return self.last_name

    def bytes_at(self, address, size):
        """What is in its memory, as far as that can be read: text, or a structure."""
        try:
            with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
                memory.seek(address)
                return memory.read(size)
        except (OSError, OverflowError):
            return b""

    def path_at(self, address):
        page = 4096  # what follows may not be there
        text = self.bytes_at(address, page - address % page)
        if b"\0" not in text:
            text += self.bytes_at(address + len(text), page)
        return os.fsdecode(text.split(b"\0")[0])

    def file(self, descriptor):
        try:
            return f"{descriptor} {os.readlink(f'/proc/{self.pid}/fd/{descriptor}')}"
        except OSError:
            return str(descriptor)

    def address_at(self, address, size):
        """A socket address: family, and the groups of a netlink socket or the path of a local one."""
        data = self.bytes_at(address, size)
        if len(data) < 2:
            return ""
        family = struct.unpack_from("=H", data)[0]
        name = socket.AddressFamily(family).name
        if family == socket.AF_NETLINK and len(data) >= 12:
            return f"{name} groups {struct.unpack_from('=I', data, 8)[0]:#x}"
        if family == socket.AF_UNIX:
            return f"{name} {data[2:].split(bytes(1))[0].decode(errors='backslashreplace')}"
        return name

    def message_type(self, address, destination):
        """The type of a netlink message (netlink(7): behind its length), as RTM_NEWLINK and the like are defined, if it is one."""
        header = self.bytes_at(address, 6) if destination.startswith("AF_NETLINK") else b""
        return f" type {struct.unpack_from('=H', header, 4)[0]}" if len(header) == 6 else ""


def _signed(word):
    return ctypes.c_int(word).value


def _describe(tracee, call, arguments):
    """What can be told of a call's arguments."""
    first = _signed(arguments[0])
    if call == "socket":
        kind = _signed(arguments[1]) & 0xF
        return f"{socket.AddressFamily(first).name} {socket.SocketKind(kind).name} {arguments[2]}"
    if call in ("bind", "connect"):
        return f"{tracee.file(first)} {tracee.address_at(arguments[1], arguments[2])}"
    if call == "sendto":
        address = tracee.address_at(arguments[4], arguments[5])
        return f"{tracee.file(first)} {address} {arguments[2]} bytes{tracee.message_type(arguments[1], address)}"
    if call in ("openat", "mkdirat", "unlinkat", "renameat"):
        return tracee.path_at(arguments[1])
    if call in ("open", "mkdir", "rmdir", "unlink", "execve"):
        return tracee.path_at(arguments[0])
    if call == "write":
        text = tracee.bytes_at(arguments[1], min(arguments[2], 50)).decode(errors="backslashreplace")
        return f"{tracee.file(first)} {text!r}"
    if call == "epoll_ctl":
        return tracee.file(_signed(arguments[2]))
    if call in ("recvmsg", "recvfrom", "sendmsg", "flock"):
        return tracee.file(first)
    return ""


class Tracer:
    """What start() describes, with its options."""

    def __init__(self, record, calls, process, at, fail, for_good, send):
        self.record = record
        self.calls = set(calls)
        self.at = at
        self.error = fail and getattr(errno, fail)
        self.for_good = for_good
        self.send = send
        self.tracees = {}
        self.not_yet_known = set()  # children that stopped before their parent told of them
        self.over = False  # what was to be done to the program is done
        by_place = (process or "").split(".")[0] == "0"
        self.place = process if by_place else None
        self.name = None if by_place else process

    def take_over(self, program, environment):
        """In a new process that is about to execute something: is the tracer instead, and ends as the program does."""
        try:
            kept = self.record.fileno() if self.record else 3
            # Whoever has started us waits until a pipe is closed, as it is when a program is executed.
            os.closerange(3, kept)
            os.closerange(kept + 1, 1 << 20)
            status = self.run(program, environment)
            if self.record:
                for tracee in self.tracees.values():  # of those left to themselves
                    self.write_process(tracee)
                self.record.close()
            _end_like(status)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(1)

    def run(self, program, environment):
        """Runs the program to its end; its status as of waitpid(2)."""
        root = os.fork()
        if root == 0:
            _ptrace(PTRACE_TRACEME, 0)
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGSTOP)
            # The leak sanitizer, which traces too, gives up where somebody else already does.
            os.execve(program[0], program, {**environment, "ASAN_OPTIONS": "detect_leaks=0"})
        os.waitpid(root, WALL)
        followed = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC
        _ptrace(PTRACE_SETOPTIONS, root, 0, PTRACE_O_TRACESYSGOOD | (PTRACE_O_TRACEEXEC if self.place == "0" else followed))
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda passed_on, _frame: os.kill(root, passed_on))
        self.tracees[root] = _Tracee(root, "0")
        _ptrace(PTRACE_CONT, root)
        while True:
            pid, status = os.waitpid(-1, WALL)
            if not os.WIFSTOPPED(status):
                self.ended(pid)
                if pid == root:
                    return status
            elif pid in self.tracees:
                try:
                    self.stopped(self.tracees[pid], os.WSTOPSIG(status), status >> 16)
                except ProcessLookupError:  # killed meanwhile; waitpid will tell
                    pass
            else:
                self.not_yet_known.add(pid)

    def stopped(self, tracee, number, event):
        if number == SYSCALL_STOP:
            self.at_call(tracee)
            return self.resume(tracee)
        if event == EXECUTED:
            return self.executed(tracee)
        if event in FORKED:
            self.forked(tracee)
        # Every new process begins with a SIGSTOP.
        self.resume(tracee, 0 if event or number == signal.SIGSTOP else number)

    def resume(self, tracee, number=0):
        watched = tracee.failing or not self.over and self.place in (None, tracee.place)
        _ptrace(PTRACE_SYSCALL if watched else PTRACE_CONT, tracee.pid, 0, number)

    def forked(self, parent):
        message = ctypes.c_ulong()
        _ptrace(PTRACE_GETEVENTMSG, parent.pid, 0, ctypes.addressof(message))
        parent.children += 1
        child = _Tracee(message.value, f"{parent.place}.{parent.children}")
        child.started = True
        self.tracees[child.pid] = child
        if child.pid in self.not_yet_known:
            self.not_yet_known.remove(child.pid)
            self.resume(child)

    def executed(self, tracee):
        if tracee.place == "0":
            return self.resume(tracee)
        self.write_process(tracee)
        del self.tracees[tracee.pid]
        _ptrace(PTRACE_DETACH, tracee.pid)

    def ended(self, pid):
        tracee = self.tracees.pop(pid, None)
        if tracee:
            self.write_process(tracee)

    def at_call(self, tracee):
        info = ctypes.create_string_buffer(SYSCALL_INFO.size)
        _ptrace(PTRACE_GET_SYSCALL_INFO, tracee.pid, len(info), ctypes.addressof(info))
        operation, _, _, _, number, *arguments = SYSCALL_INFO.unpack(info.raw)
        if operation == ENTRY:
            self.entry(tracee, _names[number], arguments)
        elif tracee.failing:
            tracee.failing = False
            _ptrace(PTRACE_POKEUSER, tracee.pid, RAX, -self.error)

    def entry(self, tracee, call, arguments):
        if call == "rt_sigaction" and arguments[0] == signal.SIGCHLD:
            tracee.started = True
        if self.over or self.calls and call not in self.calls or self.place not in (None, tracee.place):
            return
        if self.calls or self.name or tracee.count == 0 or call == "exit_group":
            if tracee.name() != self.name and self.name:
                return
        elif call == "prctl" and arguments[0] == PR_SET_NAME:
            tracee.last_name = tracee.path_at(arguments[1])
        tracee.count += 1
        tracee.failing = self.meddle(tracee)
        if self.calls and self.record and tracee.started:
            text = _describe(tracee, call, arguments)
            self.record.write(json.dumps([tracee.place, tracee.last_name, tracee.count, call, text, tracee.failing]) + "\n")

    def meddle(self, tracee):
        """Does what was asked for if its time has come; whether the call shall fail."""
        due = self.at and (tracee.count == self.at or self.for_good and tracee.count > self.at)
        if not due or not tracee.started and self.error:
            return False
        self.over = not self.for_good
        if self.error:
            # One that does nothing takes its place. Not none at all: a filter (seccomp), which is asked after us, would kill for that.
            _ptrace(PTRACE_POKEUSER, tracee.pid, ORIG_RAX, GETPID)
            return True
        os.kill(tracee.pid, self.send)
        return False

    def write_process(self, tracee):
        if self.record and not self.calls:
            self.record.write(json.dumps([tracee.place, tracee.last_name, tracee.count]) + "\n")


def _end_like(status):
    """Ends this process as another has ended, whose status waitpid(2) gave."""
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))
