# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a program may change on a machine, as a value that can be compared with a later one."""

import contextlib
import json
import os
import stat
import subprocess

TIMELINE = "/run/bootkey/timeline.json"  # which every unlock as root leaves, in a directory of its own
_CONSOLE_LEVEL = "/proc/sys/kernel/printk"
# Values that change by themselves, or for good when an interface is up for the first time in its life (qdisc).
_IDLE_FIELDS = {"stats64", "stats", "valid_life_time", "preferred_life_time", "expires", "age", "qdisc"}


def machine_state(root):
    """Links, addresses, routes, rules and their settings where we are, and files and processes as seen from a root directory (a path),
    as {section: {entry: value}}.
    """
    state = {"link": {}, "address": {}, "route": {}, "setting": {}, "file": {}, "process": {}}
    answers = _ask_ip()
    for link in next(answers):
        addresses = link.pop("addr_info", ())
        state["link"][link["ifname"]] = _text(link)
        for address in addresses:
            state["address"][f"{link['ifname']} {address['local']}/{address['prefixlen']}"] = _text(address)
    for family in ("-4", "-6"):
        for route in next(answers):
            key = " ".join(str(route.get(name, "")) for name in ("type", "dst", "dev", "gateway", "table")).strip()
            state["route"][key] = _text(route)
        for rule in next(answers):
            state["route"][f"rule {family} {rule.get('priority')}"] = _text(rule)
    _add_settings(root, state["setting"])
    _add_files(root, state["file"])
    _add_processes(root, state["process"])
    return state


def _ask_ip():
    """What there is of addresses, then routes and rules of IPv4, then of IPv6; three programs at the same time."""
    questions = {"": "address show", "-4": "route show table all\nrule show", "-6": "route show table all\nrule show"}
    running = []
    for family, commands in questions.items():
        command = ["ip", "-json", "-details", *filter(None, [family]), "-batch", "-"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write(commands.encode() + b"\n")
        process.stdin.close()
        running.append((process, commands.count("\n") + 1))
    for process, count in running:
        text = process.stdout.read().decode()
        process.stdout.close()
        if process.wait() != 0:
            raise RuntimeError(f"ip ended with {process.returncode}")
        decoder = json.JSONDecoder()
        for _ in range(count):
            text = text.lstrip()
            value, end = decoder.raw_decode(text)
            text = text[end:]
            yield value


def _text(value):
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value):
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items() if name not in _IDLE_FIELDS}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value


def _add_settings(root, settings):
    with open(root + _CONSOLE_LEVEL) as file:
        settings[_CONSOLE_LEVEL.removeprefix("/proc/sys/")] = file.read().split()[0]
    for family in ("ipv4", "ipv6"):
        for folder, _, names in os.walk(f"/proc/sys/net/{family}/conf"):
            for name in names:
                with contextlib.suppress(OSError), open(os.path.join(folder, name)) as file:
                    settings[os.path.join(folder.removeprefix("/proc/sys/"), name)] = file.read().strip()


def _add_files(root, files):
    pending = ["/run", "/tmp"]
    devices = {top: os.lstat(root + top).st_dev for top in pending}
    while pending:
        folder = pending.pop()
        device = devices["/" + folder.split("/")[1]]
        with contextlib.suppress(FileNotFoundError), os.scandir(root + folder) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                path = f"{folder}/{entry.name}"
                if stat.S_ISDIR(status.st_mode):
                    if status.st_dev != device:
                        continue
                    pending.append(path)
                size = "" if stat.S_ISDIR(status.st_mode) else f" {status.st_size} bytes"
                files[path] = f"mode {status.st_mode:o}{size}"
    _leave_timeline_out(files)


def _leave_timeline_out(files):
    """What an unlock leaves for good is no difference: that one file, readable for all, and its directory as bootkey makes it."""
    if files.get(TIMELINE, "").startswith("mode 100644 "):
        del files[TIMELINE]
        if files[os.path.dirname(TIMELINE)] == "mode 41711":
            del files[os.path.dirname(TIMELINE)]


def _add_processes(root, processes):
    for pid in filter(str.isdigit, os.listdir(root + "/proc")):
        with contextlib.suppress(OSError), open(f"{root}/proc/{pid}/stat") as file:
            words = file.read().rsplit(")", 1)
            if pid != "1" and words[1].split()[0] != "Z":
                with open(f"{root}/proc/{pid}/cmdline") as command:
                    processes[pid] = command.read().replace("\0", " ").strip() or words[0]


def compare_states(before, after):
    """Differences between two states in words, one a line."""
    lines = []
    for section in before:
        old, new = before[section], after[section]
        lines += [f"{section} is gone: {key}: {old[key]}" for key in sorted(old.keys() - new.keys())]
        lines += [f"{section} is new: {key}: {new[key]}" for key in sorted(new.keys() - old.keys())]
        for key in sorted(old.keys() & new.keys()):
            if old[key] != new[key]:
                lines.append(f"{section} {key}: {_difference(old[key], new[key])}")
    return lines


def _difference(old, new):
    """Two values; of two JSON objects only the members that differ."""
    if not old.startswith("{"):
        return f"was {old}, is {new}"
    old, new = json.loads(old), json.loads(new)
    parts = [f"{name} was {old.get(name)}, is {new.get(name)}" for name in sorted(old.keys() | new.keys())
             if old.get(name) != new.get(name)]
    return "; ".join(parts)
