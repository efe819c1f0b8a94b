# SPDX-License-Identifier: GPL-3.0-or-later
#
# What compiler and linker can do so that a defect in handling memory ends the program instead of giving its say to
# somebody else. Goes into everything through bootkey_settings; tests/build/elf_test.py looks for it in what was built.

include(CheckCXXCompilerFlag)
include(CheckCXXSourceCompiles)

# Loaded at an address that nobody can foretell; every address of a function is looked up before the program begins,
# and read-only from then on; code neither writable nor in one page with data; no executable stack; no library that is
# not used.
target_compile_options(bootkey_settings INTERFACE -fPIE)
target_link_options(bootkey_settings INTERFACE -pie -Wl,-z,relro,-z,now,-z,text,-z,noexecstack,-z,separate-code,--as-needed)

# Where the compiler has them: a stack that is written past a buffer's end, or grown past its guard page, is noticed;
# what is not initialised is zero; returns and calls go where they may (arm64).
set(CMAKE_REQUIRED_FLAGS -Werror)  # clang only warns of flags that are for another architecture
foreach(flag -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero -mbranch-protection=standard)
    string(MAKE_C_IDENTIFIER "BOOTKEY_COMPILER_HAS${flag}" has_flag)
    check_cxx_compiler_flag(${flag} ${has_flag})
    if(${has_flag})
        target_compile_options(bootkey_settings INTERFACE ${flag})
    endif()
endforeach()
unset(CMAKE_REQUIRED_FLAGS)

# The same for returns and calls on x86-64 (CET). The processor is told to look after them only if all that is linked is
# made for it. Where the C library's start files are not (Debian 12), it would only be 12 kB of code without effect.
set(CMAKE_REQUIRED_FLAGS -fcf-protection)
set(CMAKE_REQUIRED_LINK_OPTIONS -Wl,-z,cet-report=error)
check_cxx_source_compiles("int main() {}" BOOTKEY_CET_TAKES_EFFECT)
unset(CMAKE_REQUIRED_FLAGS)
unset(CMAKE_REQUIRED_LINK_OPTIONS)
if(BOOTKEY_CET_TAKES_EFFECT)
    target_compile_options(bootkey_settings INTERFACE -fcf-protection)
endif()

# The C library's functions check the sizes of buffers that the compiler knows: at level 3 also sizes known at run time
# only. Needs an optimising compiler; the sanitizers check more, and cannot see into these functions.
if(NOT BOOTKEY_SANITIZE)
    set(CMAKE_REQUIRED_FLAGS "-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
    check_cxx_source_compiles("
        #include <cstring>
        #if __USE_FORTIFY_LEVEL < 3
        #error
        #endif
        int main() {}" BOOTKEY_FORTIFY_LEVEL_3)
    unset(CMAKE_REQUIRED_FLAGS)
    set(level $<IF:$<BOOL:${BOOTKEY_FORTIFY_LEVEL_3}>,3,2>)
    target_compile_options(bootkey_settings INTERFACE
        $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=${level}>)
endif()
