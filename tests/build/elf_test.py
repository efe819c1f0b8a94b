#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a built program has what cmake/Hardening.cmake asks for: PROGRAM=build/dev/src/bootkey CXX=g++ elf_test.py.

What cannot hold in a build with sanitizers is skipped. With OPTIONAL=1 in the environment, a program that is not built, or
was built before the flags were changed, is skipped as a whole (exit status 77): that of another preset.
"""

import os
import subprocess
import sys
import unittest

import elf

SKIPPED = 77
FLAGS_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../cmake/Hardening.cmake")
LIBRARIES = {"libavahi-common", "libavahi-core", "libevent_core-2.1", "libgnutls", "libgpgme", "libmnl", "libseccomp", "libcap-ng",
             "libc", "libm", "libresolv", "libstdc++", "libgcc_s", "ld-linux-x86-64", "ld-linux-aarch64", "ld-linux-armhf"}
SANITIZERS = {"libasan", "libubsan"}


class ElfTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = elf.Elf(os.environ["PROGRAM"])
        cls.libraries = {name.split(".so")[0] for name in cls.program.needed()}
        cls.imports = cls.program.imports()
        cls.sanitized = any(name.startswith(("__asan_", "__ubsan_")) for name in cls.imports)

    def flags(self, tag):
        """The bits of the dynamic section's entry with this tag; 0 if there is none."""
        return sum(self.program.dynamic(tag))

    def test_is_loaded_at_an_address_nobody_can_foretell(self):
        self.assertEqual(self.program.type, elf.ET_DYN)
        self.assertEqual(len(self.program.segments_of(elf.PT_INTERP)), 1)
        self.assertTrue(self.flags(elf.DT_FLAGS_1) & elf.DF_1_PIE)

    def test_looks_all_functions_up_at_the_start(self):
        bind_now = self.flags(elf.DT_FLAGS) & elf.DF_BIND_NOW or self.program.dynamic(elf.DT_BIND_NOW)
        self.assertTrue(bind_now)
        self.assertTrue(self.flags(elf.DT_FLAGS_1) & elf.DF_1_NOW)

    def test_tables_of_addresses_are_read_only(self):
        [protected] = self.program.segments_of(elf.PT_GNU_RELRO)
        for name in (".init_array", ".fini_array", ".dynamic", ".got", ".got.plt"):
            section = self.program.sections.get(name)
            if section is None and name == ".got.plt":
                continue  # is a part of .got then
            with self.subTest(name):
                self.assertGreaterEqual(section.address, protected.address)
                self.assertLessEqual(section.address + section.size, protected.address + protected.memory_size)

    def test_nothing_is_writable_and_executable(self):
        for segment in self.program.segments:
            self.assertNotEqual(segment.flags & (elf.PF_W | elf.PF_X), elf.PF_W | elf.PF_X, segment)
        [stack] = self.program.segments_of(elf.PT_GNU_STACK)
        self.assertFalse(stack.flags & elf.PF_X)

    def test_code_has_pages_of_its_own(self):
        loaded = self.program.segments_of(elf.PT_LOAD)
        code = [segment for segment in loaded if segment.flags & elf.PF_X]
        self.assertEqual(len(code), 1)
        for segment in loaded:
            if segment is not code[0]:
                apart = segment.offset + segment.size <= code[0].offset // 4096 * 4096 or \
                    segment.offset >= (code[0].offset + code[0].size + 4095) // 4096 * 4096
                self.assertTrue(apart, segment)

    def test_code_is_not_changed_when_it_is_loaded(self):
        self.assertEqual(self.program.dynamic(elf.DT_TEXTREL), [])
        self.assertFalse(self.flags(elf.DT_FLAGS) & elf.DF_TEXTREL)

    def test_notices_buffers_on_the_stack_that_overflow(self):
        self.assertIn("__stack_chk_fail", self.imports)

    def test_the_c_library_checks_the_sizes_of_buffers(self):
        checking = {name for name in self.imports if name.endswith("_chk")}
        if self.sanitized:
            self.assertEqual(checking, set(), "the sanitizers cannot see into these")
            self.skipTest("the sanitizers check instead")
        self.assertIn("__memcpy_chk", checking)
        self.assertIn("__vsnprintf_chk", checking)

    def test_returns_and_indirect_calls_are_marked(self):
        if self.program.machine != elf.EM_X86_64:
            self.skipTest("only on x86-64")
        wanted = elf.FEATURE_IBT | elf.FEATURE_SHSTK
        for name in ("Scrt1.o", "crti.o", "crtbeginS.o"):
            path = subprocess.run([os.environ["CXX"], f"-print-file-name={name}"], check=True, capture_output=True,
                                  text=True).stdout.strip()
            if elf.Elf(path).x86_features() & wanted != wanted:
                self.skipTest(f"the compiler's own {name} is not marked, so no program can be")
        self.assertEqual(self.program.x86_features() & wanted, wanted)

    def test_libraries_are_the_expected_ones_in_the_usual_places(self):
        self.assertEqual(self.libraries - LIBRARIES - (SANITIZERS if self.sanitized else set()), set())
        self.assertEqual(self.program.dynamic(elf.DT_RPATH) + self.program.dynamic(elf.DT_RUNPATH), [])


def why_not():
    """None if the program can be looked at, else the reason in words."""
    program = os.environ["PROGRAM"]
    if "OPTIONAL" not in os.environ:
        return None
    if not os.path.exists(program):
        return f"{program} is not built"
    if os.path.getmtime(program) < os.path.getmtime(FLAGS_FILE):
        return f"{program} was built before cmake/Hardening.cmake was changed"
    return None


def main():
    reason = why_not()
    if reason:
        print(f"SKIPPED: {reason}")
        sys.exit(SKIPPED)
    result = unittest.main(exit=False, verbosity=2).result
    if result.wasSuccessful() and result.testsRun == len(result.skipped):
        sys.exit(SKIPPED)
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
