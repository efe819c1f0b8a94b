# SPDX-License-Identifier: GPL-3.0-or-later
#
# One static library a room. A room links only the rooms it may depend on, so an arrow that points the wrong way
# ends as a link error.

add_library(bootkey_settings INTERFACE)
target_include_directories(bootkey_settings INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(bootkey_settings INTERFACE _GNU_SOURCE BOOTKEY_VERSION="${PROJECT_VERSION}")
target_compile_options(bootkey_settings INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow $<$<BOOL:${BOOTKEY_WERROR}>:-Werror>)
# All symbols are bound at the start, and their table is read-only from then on. Bound one by one when they are first called, they
# leave secrets behind: the dynamic loader saves the vector registers on the stack, with what memcpy(3) moved last.
target_link_options(bootkey_settings INTERFACE -Wl,-z,relro,-z,now)
if(BOOTKEY_SANITIZE)
    target_compile_options(bootkey_settings INTERFACE -fsanitize=${BOOTKEY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    # Under its sanitizers g++ sees uninitialised memory in its own <regex>, which Catch2 includes.
    target_compile_options(bootkey_settings INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    target_link_options(bootkey_settings INTERFACE -fsanitize=${BOOTKEY_SANITIZE})
endif()
if(BOOTKEY_FUZZ)
    # What libFuzzer learns from; its runtime, which brings main(), comes in with the fuzz targets alone.
    target_compile_options(bootkey_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(BOOTKEY_STATIC_LIBSTDCXX)
    target_link_options(bootkey_settings INTERFACE -static-libstdc++ -static-libgcc -Wl,--gc-sections)
    target_compile_options(bootkey_settings INTERFACE -ffunction-sections -fdata-sections)
endif()
include(Hardening)
include(Building)

# bootkey_room(NAME SOURCES file… [ROOMS room…] [LIBRARIES target…])
# Makes the library bootkey_NAME from files in the current folder. LIBRARIES stay private to the room: their headers
# are for its adapters only.
function(bootkey_room name)
    cmake_parse_arguments(ROOM "" "" "SOURCES;ROOMS;LIBRARIES" ${ARGN})
    add_library(bootkey_${name} STATIC ${ROOM_SOURCES})
    list(TRANSFORM ROOM_ROOMS PREPEND bootkey_)
    target_link_libraries(bootkey_${name} PUBLIC bootkey_settings ${ROOM_ROOMS} PRIVATE ${ROOM_LIBRARIES})
endfunction()

# bootkey_test(ROOM SOURCES file… [ROOMS room…] [LIBRARIES target…])
# Makes the Catch2 program test_ROOM; each test case is a CTest test named ROOM.CASE. One that prints "SKIPPED: why" counts as skipped.
function(bootkey_test room)
    cmake_parse_arguments(TEST "" "" "SOURCES;ROOMS;LIBRARIES" ${ARGN})
    # A file that is forgotten here would never be built, and nobody would miss it.
    file(GLOB there CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *_test.cpp)
    list(REMOVE_ITEM there ${TEST_SOURCES})
    if(there)
        message(FATAL_ERROR "${CMAKE_CURRENT_LIST_FILE} does not name these tests: ${there}")
    endif()
    add_executable(test_${room} ${TEST_SOURCES})
    list(TRANSFORM TEST_ROOMS PREPEND bootkey_)
    target_link_libraries(test_${room} PRIVATE bootkey_${room} ${TEST_ROOMS} ${TEST_LIBRARIES} bootkey_catch_main Catch2::Catch2)
    target_include_directories(test_${room} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    bootkey_quick_to_build(test_${room})
    # Models that play thousands of sequences take long where tests are not optimised (bootkey_quick_to_build).
    set(limit 120)
    if(BOOTKEY_SANITIZE)
        set(limit 900)
    endif()
    # Catch2 2 succeeds even if no case has the name that it is given, and CMake takes a name with a semicolon for two names.
    catch_discover_tests(test_${room} TEST_PREFIX "${room}." PROPERTIES TIMEOUT ${limit} SKIP_REGULAR_EXPRESSION "SKIPPED: "
        FAIL_REGULAR_EXPRESSION "No tests ran")
endfunction()
