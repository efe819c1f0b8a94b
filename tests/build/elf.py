# SPDX-License-Identifier: GPL-3.0-or-later
"""What an ELF file says about itself (elf(5)): segments, the dynamic section, imported symbols, GNU properties."""

import struct
from collections import namedtuple

ET_DYN = 3
EM_X86_64 = 62
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
PT_GNU_STACK, PT_GNU_RELRO, PT_GNU_PROPERTY = 0x6474E551, 0x6474E552, 0x6474E553
PF_X, PF_W = 1, 2
DT_NEEDED, DT_RPATH, DT_TEXTREL, DT_BIND_NOW, DT_RUNPATH, DT_FLAGS, DT_FLAGS_1 = 1, 15, 22, 24, 29, 30, 0x6FFFFFFB
DF_TEXTREL, DF_BIND_NOW = 4, 8
DF_1_NOW, DF_1_PIE = 1, 0x08000000
GNU_PROPERTY_X86_FEATURE_1_AND = 0xC0000002
FEATURE_IBT, FEATURE_SHSTK = 1, 2

_SHT_DYNSYM = 11
_SHT_NOTE = 7
_SHN_UNDEF = 0

Header = namedtuple("Header", "type machine version entry phoff shoff flags ehsize phentsize phnum shentsize shnum shstrndx")
Segment = namedtuple("Segment", "type flags offset address physical size memory_size alignment")
Section = namedtuple("Section", "name type flags address offset size link info alignment entry_size")

# By the class of the file, 32 or 64 bits.
_HEADER = {32: "HHIIIIIHHHHHH", 64: "HHIQQQIHHHHHH"}
_SECTION = {32: "10I", 64: "IIQQQQIIQQ"}
_DYNAMIC = {32: "iI", 64: "qQ"}


class Elf:
    """One file. `type`, `machine`: of its header. `segments`: a list. `sections`: by name."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self._data = file.read()
        if self._data[:4] != b"\x7fELF":
            raise ValueError(f"{path} is no ELF file")
        self._bits = {1: 32, 2: 64}[self._data[4]]
        self._order = {1: "<", 2: ">"}[self._data[5]]
        header = Header(*self._unpack(_HEADER[self._bits], 16))
        self.type, self.machine = header.type, header.machine
        self.segments = [self._segment(header.phoff + i * header.phentsize) for i in range(header.phnum)]
        sections = [Section(*self._unpack(_SECTION[self._bits], header.shoff + i * header.shentsize))
                    for i in range(header.shnum)]
        self._sections = [each._replace(name=self._string(sections[header.shstrndx].offset + each.name)) for each in sections]
        self.sections = {each.name: each for each in self._sections}

    def _unpack(self, layout, offset):
        return struct.unpack_from(self._order + layout, self._data, offset)

    def _string(self, offset):
        return self._data[offset:self._data.index(b"\0", offset)].decode()

    def _segment(self, offset):
        if self._bits == 64:
            return Segment(*self._unpack("IIQQQQQQ", offset))
        kind, start, address, physical, size, memory_size, flags, alignment = self._unpack("8I", offset)
        return Segment(kind, flags, start, address, physical, size, memory_size, alignment)

    def segments_of(self, kind):
        """The segments of one type."""
        return [segment for segment in self.segments if segment.type == kind]

    def dynamic(self, wanted):
        """The values of all entries of the dynamic section with this tag."""
        values = []
        layout = _DYNAMIC[self._bits]
        for segment in self.segments_of(PT_DYNAMIC):
            for offset in range(segment.offset, segment.offset + segment.size, struct.calcsize("<" + layout)):
                tag, value = self._unpack(layout, offset)
                if tag == 0:
                    break
                if tag == wanted:
                    values.append(value)
        return values

    def needed(self):
        """The names of the libraries that the dynamic linker loads for it."""
        return [self._string(self.sections[".dynstr"].offset + value) for value in self.dynamic(DT_NEEDED)]

    def imports(self):
        """The names of the symbols that it has from libraries."""
        names = set()
        layout = {32: "IIIBBH", 64: "IBBHQQ"}[self._bits]
        place = {32: 5, 64: 3}[self._bits]
        for table in (section for section in self._sections if section.type == _SHT_DYNSYM):
            for offset in range(table.offset, table.offset + table.size, table.entry_size):
                symbol = self._unpack(layout, offset)
                if symbol[place] == _SHN_UNDEF:
                    names.add(self._string(self._sections[table.link].offset + symbol[0]))
        return names

    def x86_features(self):
        """The bits of GNU_PROPERTY_X86_FEATURE_1_AND; 0 if there is no such note. Also of object files."""
        section = self.sections.get(".note.gnu.property")
        if section is None or section.type != _SHT_NOTE:
            return 0
        name_size, size, _ = self._unpack("III", section.offset)
        offset = section.offset + 12 + (name_size + 3) // 4 * 4
        end = offset + size
        while offset < end:
            kind, length = self._unpack("II", offset)
            if kind == GNU_PROPERTY_X86_FEATURE_1_AND:
                return self._unpack("I", offset + 8)[0]
            offset += 8 + (length + 7) // 8 * 8
        return 0
