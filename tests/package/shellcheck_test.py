#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell scripts have none of the mistakes that ShellCheck knows: all files of the repository that a shell reads."""

import os
import re
import shutil
import subprocess
import unittest

import package_case

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Files of other packages, and of the admin, are sourced, too, which are not here.
NOT_FOLLOWED = "SC1090,SC1091"


def shell_files():
    """All files that begin as shell scripts do, or that say to be sourced by one."""
    for directory, directories, files in os.walk(REPOSITORY):
        if directory == REPOSITORY:
            directories[:] = [name for name in directories if name not in (".git", "build")]
        for name in files:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                start = file.read(200)
            if re.match(rb"#! ?/bin/(ba)?sh\b", start) or re.search(rb"^# shellcheck shell=", start, re.M):
                yield path


class ShellcheckTest(unittest.TestCase):
    def test_no_complaints(self):
        files = sorted(shell_files())
        self.assertGreater(len(files), 10)
        command = ["shellcheck", "--external-sources", f"--source-path={REPOSITORY}", f"--exclude={NOT_FOLLOWED}", *files]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    package_case.main(None if shutil.which("shellcheck") else "not installed: shellcheck")
