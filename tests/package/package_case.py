# SPDX-License-Identifier: GPL-3.0-or-later
"""How the test files of this directory are run: `tests/package/install_test.py [--class=CLASS] [-k NAME]`, or class by class by ctest.

tests/netns/case_groups.py says what else there is.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "netns"))

import case_groups  # noqa: E402


def main(reason):
    """Run the cases of the calling file; skipped, with `reason`, if there is one."""
    sys.exit(case_groups.run(reason))
