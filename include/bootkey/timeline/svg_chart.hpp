// SPDX-License-Identifier: GPL-3.0-or-later
//
// A chart as a picture: SVG (W3C, version 1.1, and CSS that follows the reader's preference for light or dark). Pure.
#pragma once

#include <string>
#include <string_view>

#include "bootkey/timeline/timeline_chart.hpp"

namespace bootkey::timeline {

/// The chart as a whole file, well formed whatever texts are in it. Each bar tells its times when it is pointed at.
[[nodiscard]] std::string svg_chart(const Chart& chart);

/// `text` as XML wants it in content and in attributes (XML 1.0, 2.4), without what may not be in a document at all
/// (2.2).
[[nodiscard]] std::string xml_escaped(std::string_view text);

}  // namespace bootkey::timeline
