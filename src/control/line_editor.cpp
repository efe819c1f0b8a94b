// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/control/line_editor.hpp"

namespace bootkey::control {

bool EscapeSequence::takes(char byte) {
    final_.reset();
    if (byte == keys::escape) {
        state_ = State::begun;
    } else if (state_ == State::begun) {
        state_ = byte == '[' || byte == 'O' ? State::inside : State::none;
    } else if (state_ == State::inside) {
        if (byte < '@' || byte > '~') return true;
        state_ = State::none;
        final_ = byte;
    } else {
        return false;
    }
    return true;
}

base::Result<LineEditor> LineEditor::create(std::size_t longest) {
    auto line = base::Secret::with_capacity(longest + 1);
    if (!line) return std::move(line).error();
    return LineEditor(*std::move(line), longest);
}

LineEditor::Event LineEditor::take() {
    const auto byte = static_cast<char>(*place());
    if (sequence_.takes(byte)) return Event::nothing;
    switch (byte) {
        case '\n':
        case '\r':
            return Event::entered;
        case keys::ctrl_c:
            return Event::cancelled;
        case keys::ctrl_d:
            return line_.empty() && !too_long_ ? Event::ended : Event::nothing;
        case keys::backspace:
        case keys::del:
            return remove(last_character());
        case keys::ctrl_w:
            return remove(last_word());
        case keys::ctrl_u:
            clear();
            return Event::removed;
        default:
            return static_cast<unsigned char>(byte) >= ' ' || byte == keys::tab ? add() : Event::nothing;
    }
}

LineEditor::Event LineEditor::add() {
    if (line_.size() == longest_) {
        too_long_ = true;
        return Event::nothing;
    }
    line_.grow(1);
    return Event::added;
}

LineEditor::Event LineEditor::remove(std::size_t count) {
    line_.shrink(count);
    return count > 0 ? Event::removed : Event::nothing;
}

std::string_view LineEditor::text() const {
    return {reinterpret_cast<const char*>(line_.bytes().data()), line_.size()};
}

void LineEditor::clear() {
    line_.clear();
    too_long_ = false;
}

// Bytes of the last character: in UTF-8 all but the first begin with the bits 10.
std::size_t LineEditor::last_character() const {
    const std::string_view typed = text();
    std::size_t begin = typed.size();
    while (begin > 0 && (static_cast<unsigned char>(typed[--begin]) & 0xc0) == 0x80) {
    }
    return typed.size() - begin;
}

// Bytes of the last word and of the blanks behind it.
std::size_t LineEditor::last_word() const {
    constexpr std::string_view blanks = " \t";
    const std::string_view typed = text();
    const auto end = typed.find_last_not_of(blanks);
    if (end == typed.npos) return typed.size();
    const auto blank = typed.find_last_of(blanks, end);
    return typed.size() - (blank == typed.npos ? 0 : blank + 1);
}

}  // namespace bootkey::control
