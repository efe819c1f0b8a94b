#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-3.0-or-later
"""meter.py FILE PROGRAM [ARGUMENT...]: run a program and write into the file, a line each,

    the moment of its exec (CLOCK_MONOTONIC, nanoseconds);
    when all is over, the processor time of it and all that it started, daemons included, in seconds.

What the program leaves behind is given two seconds to end, then killed and counted.
"""

import ctypes
import os
import resource
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36  # <sys/prctl.h>
PATIENCE = 2.0


def left_behind():
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(word) for word in file.read().split()]


def wait_for_all(program):
    """Reap every descendant; the program's exit status."""
    status, deadline = None, None
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG if deadline else 0)
        except ChildProcessError:
            return status
        if pid == program:
            status, deadline = os.waitstatus_to_exitcode(ended), time.monotonic() + PATIENCE
        elif pid == 0:
            if time.monotonic() > deadline:
                for child in left_behind():
                    os.kill(child, signal.SIGKILL)
            time.sleep(0.01)


def main():
    file, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    report = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    program = os.fork()
    if program == 0:
        os.write(report, f"{time.monotonic_ns()}\n".encode())
        os.execv(command[0], command)
    status = wait_for_all(program)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    os.write(report, f"{usage.ru_utime + usage.ru_stime:.6f}\n".encode())
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
