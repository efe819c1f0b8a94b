# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a file's cases, or a part of them, in one program, and a report in which each case is listed by itself.

    FILE [--group=NUMBER/COUNT] [--class=CLASS] [--name=NAME] [--without=CASE|CASE...] [unittest's options, such as -k PATTERN]

A group is a part of the file: cases beside each other, about as many in each group, or those of a class. Some may be left out. In the
environment:

    BOOTKEY_CASES           regular expressions, separated by "|"; of a program with a name, in which several cases run, only those run
                            in whose own name, netns.FILE.CASE, one is found
    BOOTKEY_CASE_REPORTS    a directory for a report in JUnit's XML, NAME.xml, on all cases that have run
"""

import os
import re
import sys
import time
import unittest
from xml.etree import ElementTree

SKIPPED = 77


def run(reason):
    """Run what the command line and the environment ask for; the exit status. `reason`: why no case can run, if so."""
    options, own = [sys.argv[0]], {"group": "1/1", "class": None, "name": None, "without": ""}
    for argument in sys.argv[1:]:
        name, _, value = argument.removeprefix("--").partition("=")
        if name in own and argument.startswith("--"):
            own[name] = value
        else:
            options.append(argument)
    loader = _Loader(*map(int, own["group"].split("/")), own["class"], own["without"].split("|"), reason,
                     os.environ.get("BOOTKEY_CASES") if own["name"] else None)
    report = _report_path(own["name"])
    program = unittest.main(argv=options, exit=False, testLoader=loader,
                            testRunner=unittest.TextTestRunner(verbosity=2, resultclass=_Result))
    result = program.result
    if report:
        result.write(report)
    if not result.wasSuccessful():
        return 1
    return SKIPPED if result.testsRun == len(result.skipped) else 0


def _report_path(name):
    folder = os.environ.get("BOOTKEY_CASE_REPORTS")
    if not folder or not name:
        return None
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name + ".xml")
    if os.path.exists(path):  # one of an earlier run would speak for a run that does not reach its end
        os.remove(path)
    return path


def name_of(case):
    """How a case is called: DIRECTORY.FILE.CASE."""
    path = os.path.abspath(sys.modules[type(case).__module__].__file__)
    file = os.path.basename(path).removesuffix("_test.py")
    return f"{os.path.basename(os.path.dirname(path))}.{file}.{case._testMethodName.removeprefix('test_')}"


class _Loader(unittest.TestLoader):
    """Leaves out what is in other groups or not asked for."""

    def __init__(self, number, count, class_name, left_out, reason, pattern):
        super().__init__()
        self._class_name = class_name
        self._left_out = {f"test_{name}" for name in left_out}
        self._number = number
        self._count = count
        self._reason = reason
        self._pattern = pattern or ""

    def loadTestsFromModule(self, module, *arguments, **options):
        cases = sorted((case for case in _flat(super().loadTestsFromModule(module, *arguments, **options))
                        if case._testMethodName not in self._left_out
                        and self._class_name in (None, type(case).__name__)), key=_line)
        first, last = (len(cases) * number // self._count for number in (self._number - 1, self._number))
        chosen = [case for case in cases[first:last] if re.search(self._pattern, name_of(case))]
        if self._reason:
            for case in chosen:
                unittest.skip(self._reason)(type(case))  # what a class has in common is not made either
        return self.suiteClass(chosen)


def _flat(suite):
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from _flat(entry)
        else:
            yield entry


def _line(case):
    """Where in its file a case is."""
    return getattr(case, case._testMethodName).__code__.co_firstlineno


class _Result(unittest.TextTestResult):
    """Remembers each case: how long it took, and what went wrong or why it was skipped."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._cases = {}

    def startTest(self, test):
        self._cases[test.id()] = {"name": name_of(test), "began": time.monotonic(), "failure": [], "skipped": []}
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        case = self._cases[test.id()]
        case["seconds"] = time.monotonic() - case["began"]
        self.stream.writeln(f"    {case['name']} took {case['seconds']:.2f} s")

    def _note(self, test, kind, text):
        """A part of a case is not known itself, but the case that it is in."""
        case = self._cases.get(getattr(test, "test_case", test).id())
        if case:
            case[kind].append(text)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note(test, "failure", self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._note(test, "failure", self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note(test, "failure", f"{subtest}: {self._exc_info_to_string(err, test)}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._note(test, "skipped", reason)

    def write(self, path):
        """Write the report."""
        suite = ElementTree.Element("testsuite", name=os.path.basename(path).removesuffix(".xml"), tests=str(len(self._cases)),
                                    failures=str(sum(bool(case["failure"]) for case in self._cases.values())),
                                    skipped=str(sum(self._is_skipped(case) for case in self._cases.values())))
        for case in self._cases.values():
            element = ElementTree.SubElement(suite, "testcase", name=case["name"], classname=case["name"].rpartition(".")[0],
                                             time=f"{case.get('seconds', 0):.3f}")
            if case["failure"]:
                ElementTree.SubElement(element, "failure", message="failed").text = _printable("\n".join(case["failure"]))
            elif self._is_skipped(case):
                ElementTree.SubElement(element, "skipped", message=_printable("; ".join(case["skipped"])))
        with open(path + ".new", "wb") as file:
            ElementTree.ElementTree(suite).write(file, encoding="utf-8", xml_declaration=True)
        os.rename(path + ".new", path)

    @staticmethod
    def _is_skipped(case):
        return bool(case["skipped"]) and not case["failure"]


def _printable(text):
    """Without the characters that XML 1.0 does not have."""
    return re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)
