# SPDX-License-Identifier: GPL-3.0-or-later
#
# What makes builds fast: a compiler cache, several files compiled as one, and a fast linker. A package has none of it unless its builder
# asks for it (tools/package).

# ccache, if it is installed, for builds with tests, unless another launcher is named (an empty one: none). A clone in another directory
# finds what this one has compiled: ccache makes paths below the source directory relative, and debug information has such paths.
if((BOOTKEY_TESTS OR BOOTKEY_FUZZ) AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    find_program(BOOTKEY_CCACHE ccache)
    if(BOOTKEY_CCACHE)
        set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
            CCACHE_SLOPPINESS=time_macros ${BOOTKEY_CCACHE})
    endif()
endif()
if(CMAKE_CXX_COMPILER_LAUNCHER)
    target_compile_options(bootkey_settings INTERFACE -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
endif()

# Where CMAKE_UNITY_BUILD is on, so many files of a room are compiled as one: few enough for an edit to be tried in seconds. Names of one
# file may hide those of another then. The preset `separate` shows that every file stands alone.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 6)
if(CMAKE_UNITY_BUILD)
    target_compile_options(bootkey_settings INTERFACE -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()

# mold, if it is installed, links the programs of the tests; the program itself keeps the linker of what ships.
find_program(BOOTKEY_MOLD mold)

# bootkey_quick_to_build(TARGET) : the target's own files, which are tests and not what is tested, are built fast rather than well.
function(bootkey_quick_to_build target)
    if(BOOTKEY_SANITIZE)
        target_compile_options(${target} PRIVATE -O0 -g1)
    else()
        target_compile_options(${target} PRIVATE -O1 -g1)  # the C library's checks of buffers need that
    endif()
    if(BOOTKEY_MOLD)
        target_link_options(${target} PRIVATE -fuse-ld=mold)
    endif()
endfunction()
