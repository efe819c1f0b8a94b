# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes in private Linux namespaces: the floor that lab.py stands on.

A Namespaces object is one set of network, mount and PID namespace, held open by a process that is its process 1. That
process ends when its standard input does, so when the Python program that made it ends, however it ends, the kernel
kills everything inside, and with the last process the interfaces and mounts go too. Nothing has to be cleaned up by name.

A Process is a program running inside; its `pid` is the real one, seen from outside, so signals go to the program itself.
"""

import contextlib
import ctypes
import functools
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time

import own_directories

_libc = ctypes.CDLL(None, use_errno=True)

# <sched.h>
CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
# <sys/prctl.h>
PR_CAPBSET_DROP = 24
# <linux/capability.h>
CAP_SYSLOG = 34


def _check(result):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def why_unavailable():
    """None if namespaces can be made here, else the reason in words."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    child = os.fork()
    if child == 0:
        os._exit(_try_namespaces())
    return _REASONS[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]


_REASONS = {0: None,
            1: "the kernel does not let us make network namespaces here (in a container?)",
            2: "there is no /proc here",
            3: "this is a chroot, and entering a namespace leaves it; run tools/test or tools/demo, which work around that"}


def _try_namespaces():
    """In a child: which of the reasons holds here."""
    if _libc.unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) != 0:
        return 1
    root = os.stat("/")
    try:
        _set_namespace(os.open("/proc/self/ns/mnt", os.O_RDONLY), CLONE_NEWNS)
    except FileNotFoundError:
        return 2
    except OSError:
        return 1
    return 0 if os.path.samestat(root, os.stat("/")) else 3


class Namespaces:
    """One set of private namespaces. `scratch`: an empty directory below /tmp, used as a mount point (only inside, and
    no longer visible there afterwards). `kept_paths`: directories below /tmp or /run that stay visible inside.
    """

    def __init__(self, scratch, kept_paths=()):
        kept_paths = [path for path in kept_paths if path.startswith(("/tmp/", "/run/"))]
        self._descriptors = {}
        self._processes = []
        self.may_use_syslog = True  # syslog(2), by which a program turns the machine's console off and on

        def prepare():
            _check(_libc.unshare(CLONE_NEWNET | CLONE_NEWNS))
            own_directories.prepare(scratch, kept_paths)

        self._holder = Process(["env", "--ignore-signal=CHLD", "cat"], _new_processes, stdin=subprocess.PIPE,
                               environment={"PATH": os.environ["PATH"]}, prepare=prepare)
        self.pid = self._holder.pid
        for kind in _KINDS:
            self._descriptors[kind] = os.open(f"/proc/{self.pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)

    def use_machines_console(self, use):
        """Whether the host has the console level of the machine, and its programs may change it by syslog(2), too."""
        self.may_use_syslog = use
        self.call(own_directories.show_machines_console_level if use else own_directories.hide_machines_console_level)

    def close(self):
        """Kill everything inside and let the kernel remove the rest."""
        self._holder.signal(signal.SIGKILL)
        for process in self._processes:  # process 1 does not end before we have waited for all of them
            process.kill()
        self._holder.kill()
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors = {}
        self._processes = []

    def start(self, command, **options):
        """Start a program inside. Options as of Process."""
        if not self.may_use_syslog:
            options["prepare"] = functools.partial(_without_syslog, options.get("prepare"))
        process = Process(command, self._inside, **options)
        self._processes.append(process)
        return process

    def programs(self):
        """What start() has started."""
        return list(self._processes)

    def end_programs(self, but):
        """Kill what start() has started, but these."""
        for process in self.programs():
            if process not in but:
                process.kill()
                self._processes.remove(process)

    def has_programs(self):
        """Whether any program runs that start() has started."""
        return any(process.running() for process in self._processes)

    def run(self, command, timeout=20, **options):
        """Run a program inside to its end; its Result. Options as of Process."""
        process = self.start(command, **options)
        try:
            return process.finish(timeout)
        finally:
            process.kill()
            self._processes.remove(process)

    def check(self, command, **options):
        """Run a program inside; what it printed, as text. An exit status other than 0 is an exception."""
        result = self.run(command, **options)
        if result.status != 0:
            raise RuntimeError(f"{' '.join(command)}: status {result.status}\n{result.errors}")
        return result.output.decode()

    def network(self):
        """A context in which this program itself is in the network namespace: what it asks /proc/sys/net, the sockets that it makes
        and the programs that it starts are the host's.
        """
        return _switched({"net": self._descriptors["net"]})

    def _inside(self):
        """A context in which this program is in the network and mount namespaces, and what it starts in the PID namespace, too."""
        return _switched(self._descriptors)

    def outside(self, path):
        """A path that is the host's file for this program."""
        return f"/proc/{self.pid}/root{path}"

    def proc_net(self, name):
        """Lines of a file of the host's /proc/net, without the end of line."""
        with open(f"/proc/{self.pid}/net/{name}") as file:
            return file.read().splitlines()

    def join_network(self):
        """Move the calling process into the network namespace alone; for a preexec_fn."""
        _set_namespace(self._descriptors["net"], CLONE_NEWNET)

    def ip(self, *commands):
        """Run commands of ip(8), all by one program."""
        text = "".join(command + "\n" for command in commands)
        with self.network():
            result = subprocess.run(["ip", "-batch", "-"], input=text, text=True, capture_output=True)
        if result.returncode != 0:
            raise RuntimeError(f"ip {commands}: {result.stderr.strip()}")

    def call(self, function, *arguments):
        """Call a Python function inside, in a child process; its result, which must be expressible in JSON."""
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as answer:
            with self._inside():
                child = os.fork()
                if child == 0:
                    _become_child(lambda: _answer(writer, function, arguments))
            os.close(writer)
            text = answer.read()
            os.waitpid(child, 0)
        reply = json.loads(text) if text else {"error": "the child died"}
        if "error" in reply:
            raise RuntimeError(f"{function.__name__}: {reply['error']}")
        return reply["value"]


def _answer(writer, function, arguments):
    try:
        reply = {"value": function(*arguments)}
    except Exception as error:
        reply = {"error": repr(error)}
    with os.fdopen(writer, "wb") as stream:
        stream.write(json.dumps(reply).encode())


def _set_namespace(descriptor, kind):
    _check(_libc.setns(descriptor, kind))


_KINDS = {"net": CLONE_NEWNET, "pid": CLONE_NEWPID, "mnt": CLONE_NEWNS}


@functools.lru_cache(None)
def _own(kind):
    """A descriptor of the namespace that this program is in by itself."""
    return os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def _switched(descriptors):
    """A context in which this program is in other namespaces; as to "pid", what it starts is. It needs no process, unlike nsenter(1),
    and a program started so is our own child. Only where there is one thread (setns(2)).
    """
    directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for kind in descriptors:
        _own(kind)
    try:
        for kind, descriptor in descriptors.items():
            _set_namespace(descriptor, _KINDS[kind])
        yield
    finally:
        for kind in descriptors:
            _set_namespace(_own(kind), _KINDS[kind])
        os.fchdir(directory)
        os.close(directory)


@contextlib.contextmanager
def _new_processes():
    """A context in which what this program starts first is process 1 of a new PID namespace."""
    try:
        _own("pid")
        _check(_libc.unshare(CLONE_NEWPID))
        yield
    finally:
        _set_namespace(_own("pid"), CLONE_NEWPID)


def start_first(command, **options):
    """Start a program as process 1 of new network, mount and PID namespaces, which end with it; a Process. Options as there."""
    return Process(command, _new_processes, prepare=lambda: _check(_libc.unshare(CLONE_NEWNET | CLONE_NEWNS)), **options)


def _without_syslog(prepare):
    """In a new process: give up syslog(2), and then what else there is to prepare."""
    _check(_libc.prctl(PR_CAPBSET_DROP, CAP_SYSLOG, 0, 0, 0))
    if prepare:
        prepare()


def _become_child(function):
    """In a forked copy of this program: run the function and go, past every handler and buffer of the parent."""
    try:
        function()
    finally:
        os._exit(0)


class Result:
    """How a program ended: `status` (exit status, or minus the signal), `output` (bytes), `errors` (text), `seconds`."""

    def __init__(self, status, output, errors, seconds):
        self.status = status
        self.output = output
        self.errors = errors
        self.seconds = seconds

    def __str__(self):
        return f"status {self.status} after {self.seconds:.3f} s, printed {self.output!r}, standard error:\n{self.errors}"


class Process:
    """A program started within enter(), a context that has new processes in namespaces.

    Options: `stdin`, `stdout`: as of subprocess.Popen; standard output is a pipe by default. `environment`: all of it;
    by default this program's, less what could name a message bus. `ignored_signals`: ignored when the program starts.
    `prepare`: called last before the program starts, inside the namespaces. `log`: a file for standard error.
    """

    def __init__(self, command, enter, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, environment=None,
                 ignored_signals=(), prepare=None, log=None):
        self.command = list(command)
        self._errors = open(log, "ab+", buffering=0) if log else tempfile.TemporaryFile(buffering=0)
        self._errors_start = self._errors.seek(0, os.SEEK_END)
        self._output = b""
        self._ended = None

        def before_program():
            for number in ignored_signals:
                signal.signal(number, signal.SIG_IGN)
            if prepare:
                prepare()

        with enter():
            self.started_ns = time.monotonic_ns()
            self._popen = subprocess.Popen(self.command, stdin=stdin, stdout=stdout, stderr=self._errors, env=environment, cwd="/",
                                           bufsize=0, preexec_fn=before_program if ignored_signals or prepare else None)
        self.pid = self._popen.pid
        self.stdin = self._popen.stdin

    # -- what it printed

    def errors(self):
        """What the program has written to standard error so far, as text."""
        return self.error_bytes().decode(errors="backslashreplace")

    def error_bytes(self):
        """The same as bytes."""
        if self._errors.closed:
            return self._final_errors
        size = self._errors.seek(0, os.SEEK_END) - self._errors_start
        return os.pread(self._errors.fileno(), size, self._errors_start)

    def wait_for_error(self, pattern, timeout=10):
        """Wait until standard error has a match of the regular expression; the match."""
        deadline = time.monotonic() + timeout
        searched = -1
        while True:
            running = self._popen.poll() is None
            size = len(self._final_errors) if self._errors.closed else os.fstat(self._errors.fileno()).st_size
            if size != searched:
                searched = size
                match = re.search(pattern, self.errors(), re.MULTILINE)
                if match:
                    return match
            if not running or time.monotonic() > deadline:
                why = "did not say" if running else f"ended with {self._popen.returncode} without saying"
                raise AssertionError(f"{self.command[0]} {why} {pattern!r}; it said:\n{self.errors()}")
            time.sleep(0.005)

    def read_line(self, timeout=10):
        """The next line of standard output; shorter if the output ends or time is up."""
        return self._read(lambda data: data.endswith(b"\n"), timeout, 1)

    def read_output(self, size, timeout=10):
        """Wait for at least `size` bytes of standard output in all; (all bytes so far, seconds since the start)."""
        self._output += self._read(lambda data: len(self._output) + len(data) >= size, timeout, 65536)
        return self._output, (time.monotonic_ns() - self.started_ns) / 1e9

    def _read(self, enough, timeout, step):
        descriptor = self._popen.stdout.fileno()
        deadline = time.monotonic() + timeout
        data = b""
        while not enough(data):
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not select.select([descriptor], [], [], remaining)[0]:
                break
            piece = os.read(descriptor, step)
            if not piece:
                break
            data += piece
        return data

    def close_output(self):
        """Close our end of the pipe that is the program's standard output."""
        self._popen.stdout.close()

    # -- its end

    def running(self):
        return self._popen.poll() is None

    def signal(self, number):
        """Send a signal to the program."""
        with contextlib.suppress(ProcessLookupError):  # it may end at any moment
            if self.running():
                os.kill(self.pid, number)

    def wait(self, timeout):
        """Wait for the end; subprocess.TimeoutExpired if it does not come in time."""
        if self._popen.poll() is None:
            descriptor = os.pidfd_open(self._popen.pid)
            try:
                waiting = select.poll()
                waiting.register(descriptor, select.POLLIN)
                waiting.poll(max(0, timeout) * 1000)
            finally:
                os.close(descriptor)
        return self._popen.wait(0)

    def finish(self, timeout=20):
        """Wait for the end; the Result. A program that does not end in time is killed, and that is an exception."""
        deadline = time.monotonic() + timeout
        if self._popen.stdout and not self._popen.stdout.closed:
            self._output += self._read(lambda data: False, timeout, 65536)
        try:
            status = self.wait(max(0.05, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{' '.join(self.command)} still ran after {timeout} s; it had printed "
                                 f"{self._output!r} and said:\n{self.errors()}") from None
        if self._ended is None:
            self._ended = time.monotonic_ns()
        return Result(status, self._output, self.errors(), (self._ended - self.started_ns) / 1e9)

    def terminate(self, timeout=5):
        """SIGTERM, then SIGKILL if that is not enough."""
        self.signal(signal.SIGTERM)
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    def kill(self):
        """SIGKILL if it still runs, wait for the end and let go of everything but what was said on standard error."""
        self.signal(signal.SIGKILL)
        self._popen.wait()
        self._final_errors = self.error_bytes()
        for stream in (self._popen.stdin, self._popen.stdout, self._errors):
            if stream:
                stream.close()
