// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is left of the environment, before any library reads it. Libraries take orders from there that are made for
// developers: to write the keys of a TLS session into a file or the log, to use less safe algorithms, not to begin at
// all. Some read it in constructors, which run before main(), and the dynamic loader and the C library's allocator
// before everything else.
#pragma once

#include "bootkey/base/result.hpp"

namespace bootkey::base {

/// Takes all variables out of `environment` (as environ(7)), in place, but those that a mode of the program reads
/// (bootkey(8), ENVIRONMENT) and those by which the dynamic loader finds code (LD_PRELOAD, LD_LIBRARY_PATH, LD_AUDIT:
/// the same libraries have to be found again). Returns whether one was among them that the dynamic loader or the C
/// library has acted upon already (ld.so(8): GLIBC_TUNABLES, MALLOC_* and the other LD_*).
///
/// Made for DT_PREINIT_ARRAY (the ELF specification, "Initialization and Termination Functions"), which runs before the
/// constructors of libraries: it calls no function of a library, and is not instrumented by sanitizers.
bool reduce_environment(char** environment) noexcept;

/// Executes this program again, with the same arguments, identity and descriptors, and `environment`. Returns only if
/// that is not possible, with the reason. To be called once: only if reduce_environment() has taken something away that
/// had taken effect, which it then cannot do another time.
[[nodiscard]] Error execute_again(char** arguments, char** environment);

}  // namespace bootkey::base
