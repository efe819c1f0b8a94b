// SPDX-License-Identifier: GPL-3.0-or-later
//
// A chart as text, for terminals: one row a line, bars of block characters, or of letters where there is only ASCII.
// Pure.
#pragma once

#include <cstddef>
#include <string>

#include "bootkey/timeline/timeline_chart.hpp"

namespace bootkey::timeline {

struct TextStyle {
    std::size_t columns = 80;  ///< of the terminal; 40 are used at least, 200 at most
    bool utf8 = false;
    bool colour = false;
    bool screen = false;  ///< the terminal can be redrawn
};

/// The chart in whole lines. Nothing in them but colours does more on a terminal than be seen.
[[nodiscard]] std::string text_chart(const Chart& chart, const TextStyle& style);

/// What `environment`, as environ(7), says about the terminal, if there is one: UTF-8 by the first of LC_ALL, LC_CTYPE
/// and LANG that is set and not empty (locale(7)); a screen where TERM is set and not "dumb" (term(7)), and colours
/// where NO_COLOR is not set or empty, too.
[[nodiscard]] TextStyle text_style(const char* const* environment);

}  // namespace bootkey::timeline
