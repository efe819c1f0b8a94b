# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the fuzz targets that are built in build/fuzz, several at once, and prints a table. See tools/fuzz --help."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEEDS = ROOT / "fuzz/corpus"
DICTIONARIES = ROOT / "fuzz/dictionaries"
CORPUS = ROOT / "build/fuzz-corpus"
FINDINGS = ROOT / "build/fuzz-findings"
PROGRAMS = ROOT / "build/fuzz/fuzz"
COUNTING_PROGRAMS = ROOT / "build/fuzz-coverage/fuzz"

SLOWEST = 20  # seconds for one input, before it counts as a hang
MEMORY = 2048  # MiB
INTERRUPTED = 72  # libFuzzer's exit status
COLUMNS = "{:<16} {:>12} {:>8} {:>7} {:>9} {:>7}  {}"


class Outcome:
    """What a target's run came to, read from libFuzzer's output."""

    def __init__(self, target, status, output, findings):
        def number(pattern):
            found = re.findall(pattern, output)
            return int(found[-1]) if found else 0

        self.target = target
        self.output = output
        self.findings = findings
        self.executions = number(r"stat::number_of_executed_units: (\d+)")
        self.speed = number(r"stat::average_exec_per_sec: +(\d+)")
        self.edges = number(r" cov: (\d+) ")
        self.features = number(r" ft: (\d+) ")
        self.inputs = number(r" corp: (\d+)/")
        self.cut_short = status == INTERRUPTED
        self.failed = not self.cut_short and (status != 0 or self.executions == 0)

    def row(self):
        return COLUMNS.format(self.target, self.executions, self.speed, self.edges, self.features, self.inputs,
                              "FAILED" if self.failed else "cut short" if self.cut_short else "")

    def explanation(self):
        telling = re.compile(r"Broken promise|ERROR: |SUMMARY: |runtime error|terminate called|what\(\)|"
                             r" was accepted$| was refused$| accepted, \d+ otherwise")
        lines = [line for line in self.output.splitlines() if telling.search(line)] or self.output.splitlines()[-10:]
        for finding in self.findings:
            lines.append(f"Again: {program(self.target).relative_to(ROOT)} {finding.relative_to(ROOT)}")
        return "\n".join([f"{self.target} failed:", *lines])


def program(target, directory=PROGRAMS):
    return directory / f"fuzz_{target}"


def fuzz(target, seconds, running):
    """Runs the seeds of one target, then fuzzes it for so long; its corpus grows, its findings are kept."""
    seeds = subprocess.run([program(target), "--seeds", SEEDS / target], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, errors="replace")
    if seeds.returncode != 0:
        return Outcome(target, seeds.returncode, seeds.stdout, [])
    corpus = CORPUS / target
    corpus.mkdir(parents=True, exist_ok=True)
    FINDINGS.mkdir(parents=True, exist_ok=True)
    before = set(FINDINGS.iterdir())
    command = [program(target), f"-max_total_time={seconds}", "-print_final_stats=1", f"-timeout={SLOWEST}",
               f"-rss_limit_mb={MEMORY}", f"-artifact_prefix={FINDINGS}/{target}-"]
    dictionary = DICTIONARIES / f"{target}.dict"
    if dictionary.exists():
        command.append(f"-dict={dictionary}")
    process = subprocess.Popen([*command, corpus, SEEDS / target], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    running.add(process)
    output = process.communicate()[0]
    running.discard(process)
    (CORPUS / f"{target}.log").write_text(output)
    findings = [path for path in set(FINDINGS.iterdir()) - before if path.name.startswith(f"{target}-")]
    return Outcome(target, process.returncode, output, sorted(findings))


def fuzz_all(targets, seconds, jobs):
    """Runs the targets and prints their rows. Control-C ends those that run and leaves the others out."""
    running = set()
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        tasks = [pool.submit(fuzz, target, seconds, running) for target in targets]

        def stop(*_):
            for task in tasks:
                task.cancel()
            for process in list(running):
                process.send_signal(signal.SIGINT)  # libFuzzer then prints its numbers

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        print(COLUMNS.format("target", "executions", "per s", "edges", "features", "corpus", ""))
        for task in concurrent.futures.as_completed(tasks):
            if not task.cancelled():
                outcomes.append(task.result())
                print(outcomes[-1].row(), flush=True)
    for outcome in outcomes:
        if outcome.failed:
            print(outcome.explanation())
    return outcomes


def write_report(path, outcomes):
    """In the form of ctest's report, as far as tools/suite.sh reads it."""
    def count(which):
        return str(len([outcome for outcome in outcomes if which(outcome)]))

    suite = xml.etree.ElementTree.Element("testsuite", name="fuzz", tests=str(len(outcomes)), disabled="0",
                                          failures=count(lambda outcome: outcome.failed),
                                          skipped=count(lambda outcome: outcome.cut_short))
    for outcome in outcomes:
        case = xml.etree.ElementTree.SubElement(suite, "testcase", name=f"fuzz.{outcome.target}")
        if outcome.failed:
            xml.etree.ElementTree.SubElement(case, "failure").text = outcome.explanation()
    xml.etree.ElementTree.ElementTree(suite).write(path)


def print_coverage(targets):
    """Runs the seeds and what was found through each target and prints what share of the lines of each file was reached."""
    profile = CORPUS / "coverage"
    CORPUS.mkdir(parents=True, exist_ok=True)
    for target in targets:
        inputs = [path for folder in (SEEDS / target, CORPUS / target) if folder.is_dir() for path in folder.iterdir()]
        run = subprocess.run([program(target, COUNTING_PROGRAMS), *inputs], stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, env={**os.environ, "LLVM_PROFILE_FILE": f"{profile}.raw"})
        if run.returncode != 0:
            sys.exit(f"{target} failed:\n{run.stderr.decode(errors='replace')[-2000:]}")
        subprocess.run(["llvm-profdata", "merge", "-o", f"{profile}.data", f"{profile}.raw"], check=True)
        counted = subprocess.run(["llvm-cov", "export", "-summary-only", program(target, COUNTING_PROGRAMS),
                                  f"-instr-profile={profile}.data"], check=True, stdout=subprocess.PIPE).stdout
        files = {pathlib.Path(file["filename"]).resolve().relative_to(ROOT): file["summary"]["lines"]
                 for file in json.loads(counted)["data"][0]["files"]}
        reached = {path: lines for path, lines in files.items() if path.match("src/*/*.cpp") and lines["covered"] > 0}
        # The room that all others stand on is of interest only where there is nothing else.
        for path, lines in sorted({path: reached[path] for path in reached if path.parent.name != "base"}.items()
                                  or reached.items()):
            print(f"{target:<16} {path!s:<40} {lines['covered']:>4} of {lines['count']:>4} lines {lines['percent']:6.1f} %")


def main():
    parser = argparse.ArgumentParser(prog="tools/fuzz")
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("target", nargs="*")
    options = parser.parse_args()
    known = sorted(path.name for path in SEEDS.iterdir())
    if unknown := set(options.target) - set(known):
        parser.error(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    targets = options.target or known
    if options.coverage:
        print_coverage(targets)
        return 0
    outcomes = fuzz_all(targets, options.seconds, options.jobs)
    if options.report:
        write_report(options.report, outcomes)
    whole = len(outcomes) == len(targets) and not any(outcome.failed or outcome.cut_short for outcome in outcomes)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
