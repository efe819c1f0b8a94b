# SPDX-License-Identifier: GPL-3.0-or-later
"""What the test cases of this directory have in common: a lab, the programs under test, and main().

A file is run as `BOOTKEY=build/dev/src/bootkey tests/netns/zeroconf_test.py [-k NAME]`, and by ctest in groups of cases
(case_groups.py). Where namespaces cannot be made it says why and ends with 77, which ctest lists as skipped.

Each case has a lab of its own, with new hosts. The Mandos servers in it may have served earlier cases of the same run. Whoever
leaves one of them in another state than before fails for that, and no later case sees that server.
"""

import contextlib
import functools
import glob
import os
import signal
import subprocess
import sys
import unittest

import case_groups
import lab
from case_groups import SKIPPED  # noqa: F401 (for programs that run no case)

# Seconds that a sanitizer or a machine with some load may add to a time that is asserted; more where more programs want to run than
# there are processors, since each of them then waits for the others.
SLACK = 2.0 * min(6.0, max(1.0, os.getloadavg()[0] / os.cpu_count()))
PASSWORD = b"correct horse battery staple"
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# One case must be over well before this; ctest's own limit, which leaves no time to tidy up, is longer. A case that consists of
# dozens of runs, each of which has a limit, or of much work has a longer one of its own.
CASE_SECONDS = 100
# Servers that may wait for a later case; each takes some 50 MiB.
RESTING = 3


def mandos_client():
    """Debian's mandos-client, if tools/packages.sh has unpacked it; else None."""
    found = glob.glob(os.path.join(REPOSITORY, "build/peers/mandos-client/usr/lib/*/mandos/plugins.d/mandos-client"))
    return found[0] if found else None


def below(pid):
    """All processes below one: {pid: name}."""
    found = {}
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children") as file:
        for child in map(int, file.read().split()):
            with contextlib.suppress(OSError), open(f"/proc/{child}/comm") as name:
                found[child] = name.read().strip()
            found.update(below(child))
    return found


def gone(pid):
    """Whether a process has ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


class NetnsCase(unittest.TestCase):
    """A case with a lab, which is gone when the case ends, however it ends."""

    seconds = CASE_SECONDS

    def setUp(self):
        signal.signal(signal.SIGALRM, self._time_is_up)
        signal.alarm(self.seconds)
        self.addCleanup(signal.alarm, 0)
        self.lab = lab.Lab(lan=_lan())
        self.lab.__enter__()
        self.addCleanup(self._close_lab)

    def _close_lab(self):
        result = self._outcome.result
        if any(self in (case, getattr(case, "test_case", None)) for case, _ in result.failures + result.errors):
            self.lab.print_logs()
        self.lab.__exit__(None, None, None)

    def _time_is_up(self, _number, _frame):
        raise TimeoutError(f"this case took longer than {self.seconds} s")

    @property
    def bootkey(self):
        """The program under test."""
        program = os.environ.get("BOOTKEY")
        if not program:
            self.fail("name the program in the environment: BOOTKEY=build/dev/src/bootkey")
        return os.path.abspath(program)

    def start(self, host, *options, **process_options):
        """Start bootkey on a host, saying what it does; a namespaces.Process."""
        process = host.start([self.bootkey, "--verb=4", *options], **process_options)
        self.addCleanup(process.kill)
        return process

    def run_bootkey(self, host, *options, timeout=30, **process_options):
        """Run bootkey on a host to its end; a namespaces.Result."""
        return self.start(host, *options, **process_options).finish(timeout)

    def wrap_program(self, host, program, script):
        """On this host alone, put a shell script in a program's place; $REAL is the program itself.

        It is below /usr, where a confined process may execute programs.
        """
        name = os.path.basename(program)
        real = f"/usr/games/real-{name}"
        wrapper = self.lab.file(f"wrapped-{name}", f"#!/bin/sh\nREAL={real}\n{script}\n", 0o755)
        host.check(["sh", "-c", f"mount -t tmpfs tmpfs /usr/games && : >{real} && mount --bind {program} {real} && "
                                f"mount --bind {wrapper} {program}"])

    def alive(self, process, seconds=0.0):
        """The program is still running, and goes on doing so for a time."""
        with self.assertRaises(subprocess.TimeoutExpired, msg=f"it ended, having said:\n{process.errors()}"):
            process.wait(seconds)

    def assert_password(self, result, password=PASSWORD):
        """The run was a success and printed exactly the password."""
        self.assertEqual((result.status, result.output), (0, password), result)

    def enroll(self, host, keys, *options, password=PASSWORD):
        """Run --enroll on a host; the clients.conf section that it printed."""
        file = self.lab.file("password-to-enroll", password)
        result = self.run_bootkey(host, "--enroll", f"--password-file={file}", *keys.options, *options)
        self.assertEqual(result.status, 0, result)
        return result.output.decode()

    def fetch(self, host, *options, password=PASSWORD, **process_options):
        """Run bootkey on a host, which must print the password and leave no trace; its Result."""
        before = host.state()
        result = self.run_bootkey(host, *options, **process_options)
        self.assert_password(result, password)
        host.check_unchanged(before)
        return result


_lans = contextlib.ExitStack()


@functools.lru_cache(None)
def _lan():
    """The LAN of all cases of this run."""
    return _lans.enter_context(lab.Lan(resting=RESTING))


def main(reason=None):
    """Run the cases of the calling file, or skip them: for `reason`, if there is one, or because the lab cannot be had."""
    reason = reason or lab.why_unavailable()
    if reason:
        print(f"skipped: {reason}")
    with _lans:
        sys.exit(case_groups.run(reason))
