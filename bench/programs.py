# SPDX-License-Identifier: GPL-3.0-or-later
"""The two programs that are compared, ready to run, and how their times are written down. Imported by the commands here."""

import os
import statistics
import subprocess
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(REPOSITORY, "tests/netns"))
import lab  # noqa: E402
import netns_case  # noqa: E402
import peers  # noqa: E402,F401

PASSWORD = b"correct horse battery staple"
KEY_CACHE = os.path.join(REPOSITORY, "build/bench-keys")
# A responder does not multicast the same record twice within a second (RFC 6762, section 6): wait that long, and more,
# between two runs, except where the point is not to.
PAUSE = 1.3


def prepare(bootkey=None, extra=""):
    """Build and fetch what is not given; the two programs' paths, by name. `extra`: one more package, and its reason."""
    ours = prepare_bootkey(bootkey, extra)
    _run_shell('. tools/packages.sh && fetch_mandos_client "$PWD/build/peers/mandos-client"')
    return {"bootkey": ours, "mandos-client": netns_case.mandos_client()}


def prepare_bootkey(bootkey=None, extra=""):
    """Install what the lab needs and build bootkey if it is not given; its path. `extra`: one more package, and its reason."""
    _run_shell('. tools/packages.sh && install_packages "$build_packages" "$test_packages" "$network_packages" "$1"', extra)
    if not bootkey:
        for command in (["cmake", "--preset", "release"], ["cmake", "--build", "--preset", "release"]):
            subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
        bootkey = os.path.join(REPOSITORY, "build/release/src/bootkey")
    return os.path.abspath(bootkey)


def _run_shell(script, *arguments):
    subprocess.run(["sh", "-c", script, "sh", *arguments], cwd=REPOSITORY, check=True)


def spread(values):
    """Median (min-max) in milliseconds."""
    low, middle, high = (1000 * value for value in (min(values), statistics.median(values), max(values)))
    return f"{middle:7.1f} ({low:.1f}-{high:.1f})"
