// SPDX-License-Identifier: GPL-3.0-or-later
//
// Text of any origin made fit for lines of the protocol, and the time as OpenVPN writes it. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bootkey::management {

/// `text` as one field of a line: printable, without `separator`, which becomes \xNN, and cut after 256 bytes.
[[nodiscard]] std::string field(std::string_view text, char separator);
/// The same for a text that has been made fit to be shown before: its backslashes stay.
[[nodiscard]] std::string shown_field(std::string_view text, char separator);
/// A word that a client sent, as a reply shows it: as it is, with quotes and backslashes, but printable. Up to 256
/// bytes.
[[nodiscard]] std::string shown_word(std::string_view word);
constexpr std::size_t longest_rest = 1024;  ///< bytes of the rest of a line, without the "..." where it is cut
/// `text` as the rest of a line: printable, and cut where more than `longest_rest` bytes came of it.
[[nodiscard]] std::string rest_of_line(std::string_view text);
/// "2026-11-22 07:06:31", UTC. `when`: seconds since 1970.
[[nodiscard]] std::string date_and_time(std::int64_t when);

}  // namespace bootkey::management
