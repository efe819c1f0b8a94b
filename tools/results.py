# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of test runs: counts, skipped cases with their reasons, and where the time went. See tools/results --help.

Read are the reports that a run leaves in build/PRESET: tests.xml of ctest or of tools/fuzz, cases/NAME.xml of those tests of ctest that run
several cases, .ninja_log of the build, and seconds, in which tools/suite.sh notes how long each part took.
"""

import argparse
import collections
import pathlib
import platform
import re
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
ALLOWED_SKIPS = ROOT / "tests/skips.txt"
SLOWEST = 30
REASON = re.compile(r"skipped:? '?(.*?)'?$", re.IGNORECASE | re.MULTILINE)

LAST_LINES = 25

# outcome: passed, failed or skipped; reason: why it was skipped, or the end of what a failed one has printed
Case = collections.namedtuple("Case", "name seconds outcome reason")


def read_cases(preset):
    """All cases of the last run of a preset; where one test of ctest ran several, those."""
    cases = []
    if not (BUILD / preset / "tests.xml").exists():  # the build has failed, or what should have run the tests
        return [Case(f"{preset}: nothing was run", 0.0, "failed", "")]
    for element in read_xml(BUILD / preset / "tests.xml"):
        parts = BUILD / preset / "cases" / f"{element.get('name')}.xml"
        whole = case_of(element)
        within = [case_of(part) for part in read_xml(parts)] if parts.exists() else [whole]
        # A test that ends badly without saying so of a case has failed all the same: a crash, or ctest's time limit.
        if whole.outcome == "failed" and all(case.outcome != "failed" for case in within):
            within.append(whole)
        cases += within
    return cases


def read_xml(path):
    try:
        return list(xml.etree.ElementTree.parse(path).iter("testcase"))
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        sys.exit(f"tools/results: cannot read {path}: {error}; run tools/test or tools/fuzz again")


def case_of(element):
    """The <testcase> of a JUnit report."""
    said = element.findtext("system-out") or ""
    skipped = element.find("skipped")
    outcome, reason = "passed", ""
    if element.find("failure") is not None or element.find("error") is not None or element.get("status") == "fail":
        outcome = "failed"
        reason = said or "\n".join(problem.text or problem.get("message") or "" for problem in element.findall("failure") + element.findall("error"))
    elif skipped is not None or element.get("status") in ("notrun", "disabled"):
        reasons = REASON.findall(said)
        outcome = "skipped"
        reason = reasons[-1] if reasons else (skipped.get("message") if skipped is not None else "") or "no reason given"
    return Case(element.get("name"), float(element.get("time") or 0), outcome, reason)


def release():
    """The code name of the release of Debian that this is, such as bookworm."""
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    except OSError:
        return ""


def allowed_skips(preset):
    """[(pattern, reason)] of the list in the tree, as far as it is about this preset and release: this machine's, or RELEASE/PRESET.
    A line there is: PRESET|RELEASE|* PATTERN REASON…"""
    allowed = []
    for number, line in enumerate(ALLOWED_SKIPS.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split(None, 2)
        if len(words) < 3:
            sys.exit(f"tools/results: {ALLOWED_SKIPS}:{number}: wanted are a preset or release, a pattern and a reason: {line}")
        if words[0] in ("*", preset.rpartition("/")[2], preset.rpartition("/")[0] or release()):
            allowed.append((re.compile(words[1]), words[2]))
    return allowed


def print_skips(preset, cases):
    """Print the skipped cases with their reasons; the names of those that the list does not allow."""
    allowed = allowed_skips(preset)
    forbidden = []
    for case in cases:
        if case.outcome != "skipped":
            continue
        known = any(pattern.fullmatch(case.name) for pattern, _ in allowed)
        print(f"skipped: {case.name} ({preset}): {case.reason}" + ("" if known else "  <- not in tests/skips.txt"))
        if not known:
            forbidden.append(f"{case.name} ({preset})")
    return forbidden


def print_failures(cases):
    """The failed cases, each with the end of what it has printed."""
    for case in cases:
        if case.outcome != "failed":
            continue
        print(f"failed: {case.name}")
        for line in case.reason.strip().splitlines()[-LAST_LINES:]:
            print(f"    {line}")


def print_counts(cases):
    """The line that sums up."""
    count = collections.Counter(case.outcome for case in cases)
    line = f"{count['passed']} passed, {count['failed']} failed"
    print(line + (f", {count['skipped']} skipped" if count["skipped"] else ""))


def group_of(name):
    """What a case belongs to: a room, or a file of tests/netns and the like."""
    words = name.split(".")
    return ".".join(words[:2]) if words[0] in ("netns", "boot", "package", "interop") and len(words) > 2 else words[0]


def print_times(presets):
    """Where the time of the last runs went."""
    cases = {preset: read_cases(preset) for preset in presets}
    print("| part | seconds |\n|---|---:|")
    folders = [BUILD, *sorted({(BUILD / preset).parent for preset in presets} - {BUILD}), *(BUILD / preset for preset in presets)]
    for path in (folder / "seconds" for folder in folders):
        for line in path.read_text().splitlines() if path.exists() else ():
            seconds, part = line.split(None, 1)
            print(f"| {part} | {float(seconds):.0f} |")
    print("\n| compiled and linked, several at once | steps | seconds |\n|---|---:|---:|")
    for preset in presets:
        for what, (steps, seconds) in sorted(build_steps(preset).items()):
            print(f"| {preset}: {what} | {steps} | {seconds:.0f} |")
    print("\n| cases of | " + " | ".join(f"{preset}: cases | seconds" for preset in presets) + " |")
    print("|---" + "|---:|---:" * len(presets) + "|")
    groups = {preset: group(cases[preset]) for preset in presets}
    for name in sorted(set().union(*groups.values())):
        cells = [groups[preset].get(name, (0, 0.0)) for preset in presets]
        print(f"| {name} | " + " | ".join(f"{number} | {seconds:.1f}" if number else "|" for number, seconds in cells) + " |")
    slowest = sorted(((case, preset) for preset in presets for case in cases[preset]), key=lambda pair: -pair[0].seconds)
    print(f"\n| the {SLOWEST} slowest cases | preset | seconds |\n|---|---|---:|")
    for case, preset in slowest[:SLOWEST]:
        print(f"| {case.name} | {preset} | {case.seconds:.1f} |")


def group(cases):
    """{group: (number of cases, their seconds)}."""
    sums = {}
    for case in cases:
        number, seconds = sums.get(group_of(case.name), (0, 0.0))
        sums[group_of(case.name)] = (number + 1, seconds + case.seconds)
    return sums


def build_steps(preset):
    """{kind: (steps, seconds)} of the build's log, each output as it was made last; several are made at once."""
    log = BUILD / preset / ".ninja_log"
    last = {}
    for line in log.read_text().splitlines()[1:] if log.exists() else ():
        begun, ended, _, output, _ = line.split("\t")
        last[output] = (int(ended) - int(begun)) / 1000
    steps = {}
    for output, seconds in last.items():
        kind = ("compiled " if output.endswith(".o") else "linked ") + output.split("/")[0]
        number, total = steps.get(kind, (0, 0.0))
        steps[kind] = (number + 1, total + seconds)
    return steps


def main():
    parser = argparse.ArgumentParser(prog="tools/results", description="Tells what came of the last runs of these presets.")
    parser.add_argument("--times", action="store_true", help="where the time went: builds, groups of cases, the slowest cases")
    parser.add_argument("--strict", action="store_true", help="a skipped case that tests/skips.txt does not allow is a failure")
    parser.add_argument("preset", nargs="*", default=["dev"], help="dev, asan-ubsan or fuzz")
    options = parser.parse_args()
    if options.times:
        print_times(options.preset)
        return 0
    cases, forbidden = [], []
    for preset in options.preset:
        of_preset = read_cases(preset)
        cases += [case._replace(name=f"{case.name} ({preset})") for case in of_preset]
        forbidden += print_skips(preset, of_preset)
    if not cases:
        print("No test has such a name; ctest --preset dev -N lists those of the rooms, and tests/netns and tests/package have the others.")
        return 1
    if forbidden and options.strict:
        print(f"{len(forbidden)} skipped cases are not in tests/skips.txt, which says what may be skipped and why.")
        # Counted as failed, so that the line which sums up is true.
        cases = [case._replace(outcome="failed") if case.name in forbidden else case for case in cases]
    print_failures(cases)  # at the end: a reader may be shown no more than that
    failed = [case.name for case in cases if case.outcome == "failed"]
    if failed:
        print("failed, all: " + ", ".join(failed))
    print_counts(cases)
    return 1 if any(case.outcome == "failed" for case in cases) else 0


if __name__ == "__main__":
    sys.exit(main())
