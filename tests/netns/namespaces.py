# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes in private Linux namespaces: the floor that lab.py stands on.

A Namespaces object is one set of network, mount and PID namespace, held open by a process that is its process 1. That
process ends when its standard input does, so when the Python program that made it ends, however it ends, the kernel
kills everything inside, and with the last process the interfaces and mounts go too. Nothing has to be cleaned up by name.

A Process is a program running inside; its `pid` is the real one, seen from outside, so signals go to the program itself.
"""

import contextlib
import ctypes
import json
import os
import re
import resource
import select
import signal
import struct
import subprocess
import tempfile
import time

_libc = ctypes.CDLL(None, use_errno=True)

# <sched.h>
CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
# <sys/prctl.h>
PR_SET_PDEATHSIG = 1


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
        os._exit(0 if _libc.unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) == 0 else 1)
    if os.waitpid(child, 0)[1] != 0:
        return "the kernel does not let us make network namespaces here (in a container?)"
    return None


# Makes /proc, /run, /tmp and /dev private; directories given as arguments that would be hidden by that stay visible.
# /dev keeps what every program expects; its log socket is the lab's, so that the machine's own log stays clean.
_PROCESS_ONE = r"""
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=0700 scratch "$SCRATCH"
mkdir "$SCRATCH/dev" "$SCRATCH/dev/shm"
for node in null zero full random urandom tty; do
    : >"$SCRATCH/dev/$node"
    mount --bind "/dev/$node" "$SCRATCH/dev/$node"
done
ln -s /proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 "$SCRATCH/dev/"
mv "$SCRATCH/dev/0" "$SCRATCH/dev/stdin"
mv "$SCRATCH/dev/1" "$SCRATCH/dev/stdout"
mv "$SCRATCH/dev/2" "$SCRATCH/dev/stderr"
chmod 755 "$SCRATCH/dev"
chmod 1777 "$SCRATCH/dev/shm"
count=0
for kept in "$@"; do
    mkdir "$SCRATCH/$count"
    mount --bind "$kept" "$SCRATCH/$count"
    count=$((count + 1))
done
mkdir "$SCRATCH/run" "$SCRATCH/tmp"
mount -t tmpfs -o mode=0755 run "$SCRATCH/run"
mount -t tmpfs -o mode=1777 tmp "$SCRATCH/tmp"
count=0
for kept in "$@"; do
    case $kept in
        /tmp/*) mkdir -p "$SCRATCH$kept"; mount --bind "$SCRATCH/$count" "$SCRATCH$kept" ;;
        /run/*) mkdir -p "$SCRATCH$kept"; mount --bind "$SCRATCH/$count" "$SCRATCH$kept" ;;
    esac
    count=$((count + 1))
done
mount --rbind "$SCRATCH/dev" /dev
mount --rbind "$SCRATCH/run" /run
mount --rbind "$SCRATCH/tmp" /tmp
mount -t proc proc /proc
ip link set lo up
echo ready
exec env --ignore-signal=CHLD cat
"""


class Namespaces:
    """One set of private namespaces. `scratch`: an empty directory below /tmp, used as a mount point (only inside, and
    no longer visible there afterwards). `kept_paths`: directories below /tmp or /run that stay visible inside.
    """

    def __init__(self, scratch, kept_paths=()):
        kept_paths = [path for path in kept_paths if path.startswith(("/tmp/", "/run/"))]
        self._descriptors = {}
        self._processes = []
        self._holder = Process(
            ["/bin/sh", "-c", _PROCESS_ONE, "sh", *kept_paths], _unshare_all, stdin=subprocess.PIPE,
            environment={"PATH": os.environ["PATH"], "SCRATCH": scratch})
        self.pid = self._holder.pid
        if self._holder.read_line(10) != b"ready\n":
            self._holder.kill()
            raise RuntimeError("cannot set up namespaces: " + self._holder.errors())
        for kind in ("net", "mnt", "pid"):
            self._descriptors[kind] = os.open(f"/proc/{self.pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)

    def close(self):
        """Kill everything inside and let the kernel remove the rest."""
        self._holder.kill()
        for process in self._processes:
            process.kill()
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors = {}

    def start(self, command, **options):
        """Start a program inside. Options as of Process."""
        process = Process(command, self._enter, **options)
        self._processes.append(process)
        return process

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

    def join_network(self):
        """Move the calling process into the network namespace alone; for a preexec_fn."""
        _set_namespace(self._descriptors["net"], CLONE_NEWNET)

    def ip(self, *commands):
        """Run commands of ip(8), all by one program."""
        text = "".join(command + "\n" for command in commands)
        result = subprocess.run(["ip", "-batch", "-"], input=text, text=True, capture_output=True,
                                preexec_fn=self.join_network)
        if result.returncode != 0:
            raise RuntimeError(f"ip {commands}: {result.stderr.strip()}")

    def call(self, function, *arguments):
        """Call a Python function inside, in a child process; its result, which must be expressible in JSON."""
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as answer:
            child = os.fork()
            if child == 0:
                _become_child(lambda: self._enter_and_answer(writer, function, arguments))
            os.close(writer)
            text = answer.read()
            os.waitpid(child, 0)
        reply = json.loads(text) if text else {"error": "the child died"}
        if "error" in reply:
            raise RuntimeError(f"{function.__name__}: {reply['error']}")
        return reply["value"]

    def _enter_and_answer(self, writer, function, arguments):
        self._enter(None)
        try:
            reply = {"value": function(*arguments)}
        except Exception as error:
            reply = {"error": repr(error)}
        with os.fdopen(writer, "wb") as stream:
            stream.write(json.dumps(reply).encode())

    def _enter(self, report):
        """In a new process: go inside. Entering a PID namespace takes one more fork."""
        _set_namespace(self._descriptors["net"], CLONE_NEWNET)
        _set_namespace(self._descriptors["pid"], CLONE_NEWPID)
        _set_namespace(self._descriptors["mnt"], CLONE_NEWNS)
        _fork_and_wait(report)


def _set_namespace(descriptor, kind):
    _check(_libc.setns(descriptor, kind))


def _unshare_all(report):
    _check(_libc.unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID))
    _fork_and_wait(report)
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))


def _become_child(function):
    """In a forked copy of this program: run the function and go, past every handler and buffer of the parent."""
    try:
        function()
    finally:
        os._exit(0)


def _fork_and_wait(report):
    """Fork. The child returns from here; the parent tells its pid and the time to `report`, waits and ends as it did."""
    child = os.fork()
    if child == 0:
        return
    try:
        if report is not None:
            os.write(report, struct.pack("=iq", child, time.monotonic_ns()))
        os.closerange(0, 1 << 16)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            number = os.WTERMSIG(status)
            if number != signal.SIGKILL:
                signal.signal(number, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
            os.kill(os.getpid(), number)
        os._exit(os.waitstatus_to_exitcode(status))
    finally:
        os._exit(70)


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
    """A program started through `enter`, which moves a new process into namespaces.

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
        reader, writer = os.pipe()

        def before_program():
            enter(writer)
            for number in ignored_signals:
                signal.signal(number, signal.SIG_IGN)
            if prepare:
                prepare()

        with os.fdopen(reader, "rb", buffering=0) as report:
            try:
                self._popen = subprocess.Popen(
                    self.command, stdin=stdin, stdout=stdout, stderr=self._errors, env=environment, cwd="/",
                    bufsize=0, preexec_fn=before_program)
            finally:
                os.close(writer)
            self.pid, self.started_ns = struct.unpack("=iq", report.read(12))
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
        while True:
            running = self._popen.poll() is None
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
        return self._popen.wait(timeout)

    def finish(self, timeout=20):
        """Wait for the end; the Result. A program that does not end in time is killed, and that is an exception."""
        deadline = time.monotonic() + timeout
        if self._popen.stdout and not self._popen.stdout.closed:
            self._output += self._read(lambda data: False, timeout, 65536)
        try:
            status = self._popen.wait(max(0.05, deadline - time.monotonic()))
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
            self._popen.wait(timeout)
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
