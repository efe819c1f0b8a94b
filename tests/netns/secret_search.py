# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for secrets where they may have been left: in the memory of processes, in files, in text. Needs root.

A secret is found by any of several pieces of 16 bytes, so that a copy whose beginning has been overwritten (by free(3),
say) is found, too; and, if it is a number, in either order of its bytes: libraries keep numbers as arrays of machine
words, the least significant one first.
"""

import array
import base64
import collections
import contextlib
import functools
import os
import re
import stat

PIECE = 16
_PAGE = os.sysconf("SC_PAGESIZE")
# What /proc/PID/pagemap says of a page.
_PRESENT, _SWAPPED, _OF_A_FILE = 1 << 63, 1 << 62, 1 << 61

# Memory of a process that holds a secret: the name of the mapping as in /proc/PID/maps, and its flags as in smaps (proc(5)).
Mapping = collections.namedtuple("Mapping", "name flags")


class Secret:
    """Something to look for. `value`: bytes. `number`: it may also be stored in the order of machine words."""

    def __init__(self, name, value, number=False):
        if len(value) < PIECE:
            raise ValueError(f"{name} is too short to be told from chance")
        self.name = name
        self.value = value
        self.number = number
        self.needles = _pieces(value) + (_pieces(value[::-1]) if number else [])

    def in_bytes(self, data):
        return any(needle in data for needle in self.needles)

    def in_text(self, data):
        """Whether it is there in any form in which text (bytes) holds binary data."""
        lowered = data.lower()
        return self.in_bytes(data) or any(form in lowered for form in self._written_forms)

    @functools.cached_property
    def _written_forms(self):
        """All pieces in hexadecimal, base64 and percent encoding and in escapes, in small letters."""
        forms = []
        for needle in self.needles:
            forms += [needle.lower(), *(needle.hex(*separator).encode() for separator in ((), (" ",), (":",)))]
            forms += [b"".join(form % byte for byte in needle) for form in (b"%%%02x", b"\\x%02x")]
            for shift in range(3):  # somewhere in a longer text; without the letters that depend on what is around it
                forms.append(base64.b64encode(bytes(shift) + needle)[shift + 1:-4].lower())
        return forms


def _pieces(value):
    """Pieces from the first to the last, evenly spread."""
    count = min(len(value) // PIECE, max(4, len(value) // 128))
    last = len(value) - PIECE
    return [value[place:place + PIECE] for place in sorted({last * number // max(1, count - 1) for number in range(count)})]


def processes_of(host):
    """The processes of a lab host: {pid: name}."""
    inside = os.readlink(f"/proc/{host.space.pid}/ns/pid")
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/ns/pid") == inside:
                with open(f"/proc/{pid}/comm") as name:
                    found[int(pid)] = name.read().strip()
    return found


def in_memory(pid, secrets):
    """Which secrets are in the memory of a process: {name: {Mapping}}. None if it has ended."""
    found = collections.defaultdict(set)
    flags = {}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, shared, name in _readable_mappings(pid):
            rest = set(secrets)
            for first, last in [(start, end)] if shared else _own_pages(pid, start, end):
                data = os.pread(memory.fileno(), last - first, first)
                hits = {secret for secret in rest if secret.in_bytes(data)}
                found.update({secret.name: found[secret.name] | {(start, name)} for secret in hits})
                rest -= hits
        flags = _flags(pid) if found else {}
    return {secret: {Mapping(name, flags.get(start, frozenset())) for start, name in places} for secret, places in found.items()}


def _readable_mappings(pid):
    """(start, end, shared, name) of all memory of a process but devices and what the kernel shows of its clock."""
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            bounds, permissions, _offset, _device, _inode, *name = line.split(maxsplit=5)
            name = name[0].strip() if name else "[anonymous]"
            if permissions[0] == "r" and not name.startswith(("[vvar", "[vsyscall", "/dev/")):
                start, end = (int(bound, 16) for bound in bounds.split("-"))
                yield start, end, permissions[3] == "s", name


def _own_pages(pid, start, end):
    """(start, end) of the parts of a private mapping that are more than a file's content or untouched (zero) memory.

    See pagemap in the kernel's Documentation/admin-guide/mm.
    """
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as file:
        entries = array.array("Q", os.pread(file.fileno(), (end - start) // _PAGE * 8, start // _PAGE * 8))
    first = None
    for number, entry in enumerate([*entries, 0]):
        there = bool(entry & (_PRESENT | _SWAPPED)) and not entry & _OF_A_FILE
        place = start + number * _PAGE
        if there and first is None:
            first = place
        elif not there and first is not None:
            yield first, place
            first = None


def _flags(pid):
    """The flags of all mappings of a process: {start: {flag}}."""
    flags = {}
    start = None
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps") as maps:
        for line in maps:
            bounds = re.match("([0-9a-f]+)-[0-9a-f]+ ", line)
            if bounds:
                start = int(bounds[1], 16)
            elif line.startswith("VmFlags:"):
                flags[start] = frozenset(line.split()[1:])
    return flags


def in_words(pid, secrets):
    """Which secrets are in the arguments or the environment of a process."""
    found = set()
    for part in ("cmdline", "environ", "comm"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/{part}", "rb") as file:
            data = file.read()
            found |= {secret.name for secret in secrets if secret.in_text(data)}
    return found


def in_open_files(pid, secrets):
    """Which secrets are in regular files that a process holds open, also in removed ones: {name: [paths]}."""
    found = collections.defaultdict(list)
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for number in os.listdir(folder):
            path = os.path.join(folder, number)
            with contextlib.suppress(OSError):
                if stat.S_ISREG(os.stat(path).st_mode):
                    _search_file(path, os.readlink(path), secrets, found)
    return dict(found)


def in_files(secrets, since):
    """Which secrets are in files of the host that this runs on: {name: [paths]}. Of /var, which the lab's hosts share with
    the machine, only in files that were changed after `since` (time.time()). For Namespaces.call.
    """
    found = collections.defaultdict(list)
    for top in ("/run", "/tmp", "/dev/shm", "/var"):
        device = os.stat(top).st_dev
        for folder, folders, names in os.walk(top):
            folders[:] = [name for name in folders if os.lstat(os.path.join(folder, name)).st_dev == device]
            for name in names:
                path = os.path.join(folder, name)
                with contextlib.suppress(FileNotFoundError):  # it may go at any moment
                    status = os.lstat(path)
                    if stat.S_ISREG(status.st_mode) and (top != "/var" or status.st_ctime >= since):
                        _search_file(path, path, secrets, found)
    return dict(found)


def _search_file(path, name, secrets, found):
    with open(path, "rb") as file:
        data = file.read()
    for secret in secrets:
        if secret.in_text(data):
            found[secret.name].append(name)
