// SPDX-License-Identifier: GPL-3.0-or-later
//
// The words of a command line, by the rules of OpenVPN's configuration files: blanks and TABs separate; "…" and '…'
// enclose, if they begin a word; \\, \", \BLANK and \TAB stand for the second character, but not inside '…'; # or ; at
// a word's start begins a comment. Pure. A word may be a password: the words exist in a Secret only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::management {

class Words {
public:
    static constexpr std::size_t longest_word = 256;  ///< bytes
    static constexpr std::size_t most_words = 16;     ///< further ones are ignored

    /// Room for the words of one line of at most `longest_line` bytes. Fails (os_error) for want of memory.
    [[nodiscard]] static base::Result<Words> create(std::size_t longest_line);

    /// Takes the words of `line` in the place of those from before. Returns what is wrong with the line, to be shown
    /// after "ERROR: ", or nothing; then there are no words.
    [[nodiscard]] std::string_view parse(std::string_view line);
    /// Wipes the words.
    void clear();

    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] bool empty() const { return count_ == 0; }
    /// Whether a comment follows the words.
    [[nodiscard]] bool has_comment() const { return has_comment_; }
    /// Word number `index`, until the next parse() or clear(); empty if there are not so many.
    [[nodiscard]] std::string_view operator[](std::size_t index) const;

private:
    explicit Words(base::Secret text) : text_(std::move(text)) {}
    [[nodiscard]] std::string_view take_word(std::string_view& rest);
    [[nodiscard]] bool add(char character);

    base::Secret text_;                                 // one word after the other
    std::array<std::uint16_t, most_words + 1> ends_{};  // where the one before ends each begins
    std::size_t count_ = 0;
    bool has_comment_ = false;
};

}  // namespace bootkey::management
