// SPDX-License-Identifier: GPL-3.0-or-later
//
// How the tables of system calls are written, and which there are: one for each role and one that all share. What is in
// no table ends the process. Pure. Private to the room.
//
// Names are those of the kernel; a table has every name that a call goes by on some architecture or with some version
// of the C library, and what the running architecture does not have is left out. Registers have 64 bits, but of an int
// the kernel sees the lower 32 only, and callers may leave anything in the others: int_is() and int_has() compare what
// the kernel sees.
#pragma once

#include <cstdint>
#include <vector>

namespace bootkey::sandbox {

/// Holds if the bits `mask` of argument number `argument` (0 to 5) are exactly `value`.
struct Condition {
    unsigned argument;
    std::uint64_t mask;
    std::uint64_t value;
};

constexpr Condition int_is(unsigned argument, std::uint32_t value) {
    return {argument, 0xffff'ffff, value};
}
constexpr Condition int_is(unsigned argument, int value) {
    return int_is(argument, static_cast<std::uint32_t>(value));
}
/// Of the bits `mask`, exactly those of `value` are set.
constexpr Condition bits_are(unsigned argument, std::uint32_t mask, std::uint32_t value) {
    return {argument, mask, value};
}
constexpr Condition has_none_of(unsigned argument, std::uint32_t bits) {
    return bits_are(argument, bits, 0);
}
constexpr Condition is_null(unsigned argument) {
    return {argument, ~std::uint64_t{0}, 0};
}

/// One system call, or, where it has conditions (all must hold), some of its uses. A call may stand in several rows.
struct Call {
    const char* name;
    int error = 0;  ///< 0: the kernel carries it out; else it fails with this errno, which the caller takes calmly
    std::vector<Condition> conditions = {};
};

using CallTable = std::vector<Call>;

[[nodiscard]] inline Call allow(const char* name, std::vector<Condition> conditions = {}) {
    return {name, 0, std::move(conditions)};
}
[[nodiscard]] inline Call refuse(const char* name, int error, std::vector<Condition> conditions = {}) {
    return {name, error, std::move(conditions)};
}

/// What every process of ours goes on needing, whatever it is for.
[[nodiscard]] CallTable common_calls();
/// The worker's, in addition.
[[nodiscard]] CallTable worker_calls();
/// The decryptor's, gpg's and gpg-agent's, in addition.
[[nodiscard]] CallTable decryptor_calls();
/// What the run-time libraries of the sanitizers need, in addition; in such builds only. Whoever asks is about to be
/// confined, and is not searched for leaks any more.
[[nodiscard]] CallTable sanitizer_calls();

}  // namespace bootkey::sandbox
