// SPDX-License-Identifier: GPL-3.0-or-later
//
// The timeline of the last unlock, and what --report makes of it. Accepted: if it is one.
#include <algorithm>
#include <string>

#include "bootkey/timeline/svg_chart.hpp"
#include "bootkey/timeline/text_chart.hpp"
#include "bootkey/timeline/timeline_chart.hpp"
#include "bootkey/timeline/timeline_file.hpp"
#include "fuzz.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    const auto timeline = timeline::from_json(text_of(input));
    if (!timeline) {
        require_readable(timeline.error().message());
        return false;
    }
    require(timeline::to_json(*timeline) == text_of(input), "a timeline has one form only");
    const auto chart = timeline::chart_of(*timeline);
    require(chart.length > 0, "the axis has a length");
    for (const auto& row : chart.rows)
        for (const auto& bar : row.bars)
            require(0 <= bar.from && bar.from <= bar.to && bar.to <= chart.length, "a bar is on the axis");
    for (const std::size_t columns : {0U, 40U, 80U, 1000U}) {
        const std::string text =
            timeline::text_chart(chart, {.columns = columns, .utf8 = columns > 40, .colour = false});
        for (const std::string_view line : base::split(text, '\n'))
            require(base::is_printable_utf8(line), "only what can be seen is printed");
    }
    const std::string picture = timeline::svg_chart(chart);
    require(std::ranges::count(picture, '<') == std::ranges::count(picture, '>'), "no text is taken for a tag");
    return true;
}
