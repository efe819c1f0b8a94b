// SPDX-License-Identifier: GPL-3.0-or-later
//
// A Timeline as the text of its file, and back. It is JSON, for whoever wants to see it with other programs: an array
// of flat objects, one a line, each with its members in a fixed order. That is also why it is read here and not by one
// of the JSON libraries: what has to be understood is this one form of a line, and whatever else a JSON text may be is
// refused as nothing that bootkey has written; a library would bring the whole language into a program that runs as
// root, and leave the checking of members, of their order and of their values to us all the same. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "bootkey/base/result.hpp"
#include "bootkey/timeline/timeline.hpp"

namespace bootkey::timeline {

/// Where the file of the last run is.
inline constexpr const char* timeline_path = "/run/bootkey/timeline.json";
/// Bytes of the longest file: every record there is room for, with every text as long as it may be.
inline constexpr std::size_t longest_timeline = 4 * 1024 * 1024;

/// The file's text. Times are milliseconds since the boot, rounded down to the microsecond. The texts in `timeline`
/// must be fit to be shown (base::printable()) and no longer than longest_record_text.
[[nodiscard]] std::string to_json(const Timeline& timeline);
/// The timeline that is all of `text`, which to_json() must have made: with the same records in the same order, no more
/// of them than there is room for, and texts without control characters. Error (no_input): it did not; the number of
/// the line is named.
[[nodiscard]] base::Result<Timeline> from_json(std::string_view text);

}  // namespace bootkey::timeline
