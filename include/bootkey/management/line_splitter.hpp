// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lines out of the bytes that one client sends, in whatever pieces they come. Pure. A line may hold a password: it
// exists in a Secret only, which is wiped when it has been used, at the latest when the next one begins.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::management {

class LineSplitter {
public:
    static constexpr std::size_t longest_line = 1024;  ///< bytes, without its end and what is dropped

    enum class Found {
        nothing,   ///< the line goes on in the next bytes
        line,      ///< text() is a line
        too_long,  ///< a line ended that is longer than `longest_line`; text() is empty
    };
    struct Taken {
        std::size_t used = 0;  ///< of the bytes, from their start
        Found found = Found::nothing;
    };

    /// Fails (os_error) for want of memory.
    [[nodiscard]] static base::Result<LineSplitter> create();
    /// Whether `byte` is never part of a line: control bytes, but for TAB.
    [[nodiscard]] static bool drops(std::byte byte);

    /// Takes bytes up to the end of a line (LF), or all.
    [[nodiscard]] Taken take(std::span<const std::byte> bytes);
    /// The line that take() found, until it or wipe() is called.
    [[nodiscard]] std::string_view text() const;
    void wipe() { line_.clear(); }

private:
    explicit LineSplitter(base::Secret line) : line_(std::move(line)) {}
    void add(std::byte byte);

    base::Secret line_;
    bool ended_ = false;
    bool too_long_ = false;
};

}  // namespace bootkey::management
