# SPDX-License-Identifier: GPL-3.0-or-later
"""How the test files of this directory are run: `tests/package/install_test.py [CLASS] [-k NAME]`, or class by class by ctest.

It is told of each case in $BOOTKEY_CASE_REPORTS/package.FILE.CLASS.xml (JUnit), if that is set. $BOOTKEY_CASES, a regular
expression, says which of the cases package.FILE.CASE are run.
"""

import os
import re
import sys
import time
import unittest
from xml.sax.saxutils import escape, quoteattr

SKIPPED = 77


def _group():
    return "package." + os.path.basename(sys.argv[0]).removesuffix("_test.py")


def _cases(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _cases(test)
        else:
            yield test


def _name(test):
    return f"{_group()}.{test.id().rsplit('.', 1)[1].removeprefix('test_')}"


def _failure(failures):
    """The element for the last of them; XML allows no control characters."""
    text = re.sub("[^\\n\\t -\\ud7ff\\ue000-\\ufffd]", "?", failures[-1][1])
    return f"<failure>{escape(text)}</failure>"


class _Loader(unittest.TestLoader):
    """Leaves out what $BOOTKEY_CASES does not match."""

    def loadTestsFromTestCase(self, case):
        wanted = os.environ.get("BOOTKEY_CASES", "")
        return self.suiteClass([test for test in super().loadTestsFromTestCase(case) if re.search(wanted, _name(test))])


class _Result(unittest.TextTestResult):
    """Keeps what became of each case: (name, seconds, element or "")."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.told = []
        self._what = ""

    def startTest(self, test):
        self._what, self._began = "", time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        self.told.append((_name(test), time.monotonic() - self._began, self._what))
        super().stopTest(test)

    def addError(self, test, error):
        super().addError(test, error)
        self._what = _failure(self.errors)
        if not isinstance(test, unittest.TestCase):  # what a class of cases has in common, none of which is run then
            self.told.append((f"{_group()}.{test.id()}", 0.0, self._what))

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._what = _failure(self.failures)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            self._what = _failure(self.failures if issubclass(error[0], test.failureException) else self.errors)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._what = f"<skipped message={quoteattr(reason)}/>"


def _report(told):
    directory = os.environ.get("BOOTKEY_CASE_REPORTS")
    if directory:
        os.makedirs(directory, exist_ok=True)
        name = ".".join([_group(), *[argument for argument in sys.argv[1:2] if argument[0] != "-"]])  # as ctest calls it
        lines = [f'<testcase name={quoteattr(case)} time="{seconds:.3f}">{what}</testcase>\n' for case, seconds, what in told]
        with open(os.path.join(directory, f"{name}.xml"), "w") as file:
            file.write(f'<testsuite name={quoteattr(name)} tests="{len(told)}">\n{"".join(lines)}</testsuite>\n')


def main(reason):
    """Run the cases of the calling file; skipped, with `reason`, if there is one."""
    loader = _Loader()
    if reason:
        print(f"skipped: {reason}")
        cases = _cases(loader.loadTestsFromModule(sys.modules["__main__"]))
        _report([(_name(test), 0.0, f"<skipped message={quoteattr(reason)}/>") for test in cases
                 if not sys.argv[1:] or type(test).__name__ in sys.argv])
        sys.exit(SKIPPED)
    runner = unittest.TextTestRunner(verbosity=2, resultclass=_Result)
    result = unittest.main(exit=False, testRunner=runner, testLoader=loader).result
    _report(result.told)
    if result.testsRun == 0 and result.wasSuccessful() and "BOOTKEY_CASES" in os.environ:
        print("skipped: none of these cases is asked for")
        sys.exit(SKIPPED)
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)
