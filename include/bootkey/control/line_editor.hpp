// SPDX-License-Identifier: GPL-3.0-or-later
//
// What keys do to one line that a person types, on a terminal that gives each key at once. Pure, but for its memory,
// which is a secret's, since the line may hold a password. It keeps no history, for the same reason.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::control {

/// The bytes of control keys (ASCII).
namespace keys {
inline constexpr char ctrl_c = 3, ctrl_d = 4, backspace = 8, tab = 9, ctrl_u = 21, ctrl_w = 23, escape = 27, del = 127;
}

/// Tells cursor and function keys from what is typed: ESC [ A, or ESC O A (ECMA-48: CUU; xterm's application mode).
class EscapeSequence {
public:
    /// Whether the byte is part of one.
    bool takes(char byte);
    /// The last byte of the sequence that has just ended, such as the 'A' of the cursor key upwards; nothing otherwise.
    [[nodiscard]] std::optional<char> ended() const { return final_; }

private:
    enum class State { none, begun, inside } state_ = State::none;
    std::optional<char> final_;
};

class LineEditor {
public:
    enum class Event {
        nothing,    ///< the key does nothing here
        added,      ///< a byte stands at the end of the line
        removed,    ///< bytes were removed from its end, or all of them
        entered,    ///< the line is complete: Enter
        cancelled,  ///< Ctrl-C
        ended,      ///< Ctrl-D on an empty line
    };

    /// An empty line of at most `longest` bytes. Errors: os_error (no memory).
    [[nodiscard]] static base::Result<LineEditor> create(std::size_t longest);

    /// Where the next byte from the terminal is to be read to, so that it is nowhere else.
    [[nodiscard]] std::byte* place() { return line_.spare().data(); }
    /// Takes the byte that was read to place().
    Event take();
    /// What has been typed, UTF-8 or not; without bytes for which there was no room.
    [[nodiscard]] std::string_view text() const;
    /// The same, to be sent.
    [[nodiscard]] const base::Secret& line() const { return line_; }
    /// Whether more was typed than the line can hold.
    [[nodiscard]] bool too_long() const { return too_long_; }
    /// Wipes the line.
    void clear();

private:
    explicit LineEditor(base::Secret line, std::size_t longest) : line_(std::move(line)), longest_(longest) {}
    Event add();
    Event remove(std::size_t count);
    [[nodiscard]] std::size_t last_character() const;
    [[nodiscard]] std::size_t last_word() const;

    base::Secret line_;  // with room for one byte more than the line may have: place()
    std::size_t longest_;
    bool too_long_ = false;
    EscapeSequence sequence_;
};

}  // namespace bootkey::control
