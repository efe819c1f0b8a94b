# SPDX-License-Identifier: GPL-3.0-or-later
"""Small things that the lab and its tests need: waiting with a limit, ending programs, showing what was said."""

import contextlib
import os
import select
import signal
import sys
import time


def wait_until(condition, what, timeout=10, check=lambda: None):
    """Wait until condition() is true; its value. `check` may raise when waiting has become pointless. The condition should cost
    little, since it is asked often: no new process.
    """
    deadline = time.monotonic() + timeout
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        check()
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s for {what} in vain")
        time.sleep(pause)
        pause = min(0.02, pause * 1.5)


def readable(sockets, timeout):
    """Those of the sockets that something can be read from, as soon as there are any."""
    return select.select(sockets, [], [], max(0, timeout))[0]


def kill_program(path):
    """SIGKILL to every process of this host that has the path among its arguments, until there is none."""
    killed = True
    while killed:
        killed = False
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
                if path.encode() in file.read().split(b"\0"):
                    os.kill(int(pid), signal.SIGKILL)
                    killed = True


def print_lines(name, text):
    """Show the last lines of what a program said."""
    lines = text.splitlines()
    print(f"--- {name}, last {min(len(lines), 60)} of {len(lines)} lines", file=sys.stderr)
    print("\n".join(lines[-60:]), file=sys.stderr)
