// SPDX-License-Identifier: GPL-3.0-or-later
//
// The columns that text takes on a terminal. Text is UTF-8 without control characters; what is none counts as one
// column a byte. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bootkey::control {

/// Two for each wide character, none for one that combines with the one before, as the C library knows them
/// (wcwidth(3)).
[[nodiscard]] std::size_t columns_of(std::string_view text);
/// The text, or, if it takes more than `most` columns, as much of it as leaves room for '~' behind it.
[[nodiscard]] std::string cut_to(std::string_view text, std::size_t most);
/// The same, with blanks behind it so that it takes exactly so many columns.
[[nodiscard]] std::string padded_to(std::string_view text, std::size_t columns);
/// All of the text in lines of at most so many columns, broken without regard to blanks, so that joined they are the
/// text. At least one column is used.
[[nodiscard]] std::vector<std::string> in_pieces(std::string_view text, std::size_t columns);
/// All of the text in lines of at most so many columns, broken at blanks, and within a word only where that alone is
/// longer. At least one column is used.
[[nodiscard]] std::vector<std::string> wrapped(std::string_view text, std::size_t columns);

}  // namespace bootkey::control
