// SPDX-License-Identifier: GPL-3.0-or-later
//
// What all fuzz targets share. A target is one source file that defines run(); libfuzzer.cpp hands it the bytes that
// libFuzzer makes up, replay.cpp the content of files.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::fuzz {

using namespace std::chrono_literals;
using Input = std::span<const std::byte>;

/// Hands `input` to the tested code and ends the process if that breaks a promise. Returns whether the code accepted
/// it: what that means says each target.
bool run(Input input);

/// Ends the process unless `holds`; `promise` says in a sentence what was promised.
inline void require(bool holds, const char* promise) {
    if (holds) return;
    std::fprintf(stderr, "Broken promise: %s\n", promise);
    std::abort();
}

/// What is promised of every message: a person can read it in one line, whatever made it.
inline void require_readable(std::string_view message) {
    require(!message.empty() && base::is_printable_utf8(message), "a message is one line of printable text");
}

inline std::string_view text_of(Input input) {
    return {reinterpret_cast<const char*>(input.data()), input.size()};
}

/// Makes decisions out of bytes. At their end every decision is 0 and every text empty.
class Script {
public:
    explicit Script(Input bytes) : rest_(text_of(bytes)) {}

    [[nodiscard]] bool ended() const { return rest_.empty(); }
    unsigned char byte() {
        const auto taken = bytes(1);
        return taken.empty() ? 0 : static_cast<unsigned char>(taken[0]);
    }
    /// A number below `end`, which is at least 1.
    unsigned below(unsigned end) { return byte() % end; }
    /// The next `size` bytes, or as many as there are.
    std::string_view bytes(std::size_t size) {
        const auto taken = rest_.substr(0, size);
        rest_.remove_prefix(taken.size());
        return taken;
    }
    /// What stands before the next `separator`, which is taken as well, or all the rest.
    std::string_view until(std::string_view separator) {
        const auto taken = bytes(std::min(rest_.find(separator), rest_.size()));
        bytes(separator.size());
        return taken;
    }

private:
    std::string_view rest_;
};

}  // namespace bootkey::fuzz
