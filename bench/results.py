# SPDX-License-Identifier: GPL-3.0-or-later
"""RESULTS.md, of which each command here writes its own section. Imported by them."""

import datetime
import os
import platform
import re
import subprocess

from programs import REPOSITORY

RESULTS = os.path.join(REPOSITORY, "bench/RESULTS.md")


def machine():
    """Where and when this was measured."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown processor")
    commit = subprocess.run(["git", "-C", REPOSITORY, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout
    return (f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC · {model}, {os.cpu_count()} cores · "
            f"Linux {platform.release()} · bootkey {commit.strip() or 'of unknown version'}\nload when it began: {os.getloadavg()[0]:.1f}")


def markdown(rows):
    """A table whose first row is the head, with columns of even width."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows = [rows[0], ["-" * width for width in widths], *rows[1:]]
    return "".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |\n" for row in rows)


def write_section(title, text):
    """Put the text under this heading, in the place of what was there; a new section goes to the end."""
    with open(RESULTS) as file:
        before = file.read()
    section = f"## {title}\n\n{text.strip()}\n"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.M | re.S)
    after, found = pattern.subn(lambda _: f"{section}\n", before)
    with open(RESULTS, "w") as file:
        file.write((after if found else f"{before.rstrip()}\n\n{section}").rstrip() + "\n")
