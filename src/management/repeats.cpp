// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/repeats.hpp"

#include <algorithm>
#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::management {

std::optional<std::string> Repeats::happened(std::string_view what, std::string_view address, base::Time now) {
    const auto [found, is_first] = counts_.try_emplace(std::string(what));
    Count& count = found->second;
    if (is_first) {
        count.since = now;
        return "a management client from " + std::string(address) + " " + std::string(what);
    }
    ++count.times;
    if (count.addresses.size() < max_addresses)
        count.addresses.emplace(address);
    else if (!count.addresses.contains(address))
        count.has_more_addresses = true;
    return std::nullopt;
}

std::string Repeats::line(std::string_view what, const Count& count, base::Time now) {
    std::string text = base::format("%zu more times in the last %.0f s a management client from ", count.times,
                                    base::to_seconds(now - count.since));
    text += *count.addresses.begin();
    const std::size_t others = count.addresses.size() - 1;
    if (others > 0)
        text += base::format(" or %s%zu other address%s", count.has_more_addresses ? "more than " : "", others,
                             others == 1 ? "" : "es");
    return (text += ' ') += what;
}

std::vector<std::string> Repeats::due(base::Time now) {
    std::vector<std::string> lines;
    for (auto each = counts_.begin(); each != counts_.end();) {
        auto& [what, count] = *each;
        if (count.since + count.period > now) {
            ++each;
        } else if (count.times == 0) {
            each = counts_.erase(each);
        } else {
            lines.push_back(line(what, count, now));
            Count next;
            next.since = now;
            next.period = std::min(2 * count.period, max_period);
            count = std::move(next);
            ++each;
        }
    }
    return lines;
}

std::vector<std::string> Repeats::rest(base::Time now) {
    std::vector<std::string> lines;
    for (const auto& [what, count] : counts_)
        if (count.times > 0) lines.push_back(line(what, count, now));
    counts_.clear();
    return lines;
}

std::optional<base::Time> Repeats::next_deadline() const {
    std::optional<base::Time> earliest;
    for (const auto& [what, count] : counts_)
        if (!earliest || count.since + count.period < *earliest) earliest = count.since + count.period;
    return earliest;
}

}  // namespace bootkey::management
