# SPDX-License-Identifier: GPL-3.0-or-later
"""How the test files of this directory are run: `tests/package/install_test.py [-k NAME]`, or case by case by ctest."""

import sys
import unittest

SKIPPED = 77


def main(reason):
    """Run the cases of the calling file; skipped, with `reason`, if there is one."""
    if reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    result = unittest.main(exit=False, verbosity=2).result
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)
