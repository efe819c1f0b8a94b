// SPDX-License-Identifier: GPL-3.0-or-later
//
// Small pure functions on text: splitting, numbers, and making hostile bytes fit to be shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bootkey::base {

/// The text without the byte order mark that some editors put at its beginning (U+FEFF in UTF-8).
[[nodiscard]] std::string_view without_byte_order_mark(std::string_view text);
/// The same for bytes.
[[nodiscard]] std::span<const std::byte> without_byte_order_mark(std::span<const std::byte> bytes);
/// `text` without white space (blank, TAB, CR, LF) at either end.
[[nodiscard]] std::string_view trim(std::string_view text);
/// The parts of `text` between `separator`s; N separators make N+1 parts, which may be empty.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
/// The decimal number that is all of `text`, if it is one within [least, most]. No sign, no blanks.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t least, std::uint64_t most);
/// Seconds with an optional fraction ("10", "2.5", ".5"); no sign, exponent, infinity or NaN; at most `most`.
[[nodiscard]] std::optional<double> parse_seconds(std::string_view text, double most);
/// Whether `text` is well-formed UTF-8 (RFC 3629) without control characters (C0, DEL, C1).
[[nodiscard]] bool is_printable_utf8(std::string_view text);
/// `text` fit for a log line: control and invisible characters, those that change the direction of text, backslashes
/// and malformed UTF-8 as \xNN; cut after `most` bytes of input with "..." in the place of the rest.
[[nodiscard]] std::string escaped(std::string_view text, std::size_t most = 256);
/// The same, but backslashes stay: for text that has been made fit once before, or should have been.
[[nodiscard]] std::string printable(std::string_view text, std::size_t most);
/// `text` as one word of a command for sh(1), in quotes if it needs them. For people to copy: what is not printable is
/// escaped().
[[nodiscard]] std::string shell_word(std::string_view text);
/// Lower-case or upper-case hexadecimal digits of `bytes`.
[[nodiscard]] std::string hex(const void* bytes, std::size_t size, bool upper_case = false);
/// printf into a std::string.
[[nodiscard]] std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

}  // namespace bootkey::base
