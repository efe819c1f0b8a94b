// SPDX-License-Identifier: GPL-3.0-or-later
//
// What strangers can make happen as often as they like is logged when it happens first, and then by counts that come
// more and more rarely. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "bootkey/base/time.hpp"

namespace bootkey::management {

class Repeats {
public:
    static constexpr base::Duration min_period = std::chrono::seconds(60);  ///< that a count is of; doubled each time
    static constexpr base::Duration max_period = std::chrono::hours(1);
    static constexpr std::size_t max_addresses = 64;  ///< that are told apart in a count

    /// A client from `address` did something; `what` is the predicate of a sentence, one of a fixed few. Returns what
    /// is to be logged now, if anything: "a management client from ADDRESS WHAT".
    [[nodiscard]] std::optional<std::string> happened(std::string_view what, std::string_view address, base::Time now);
    /// Counts that are due now, a line each. What has not happened any more is forgotten.
    [[nodiscard]] std::vector<std::string> due(base::Time now);
    /// All counts so far, for the end.
    [[nodiscard]] std::vector<std::string> rest(base::Time now);
    [[nodiscard]] std::optional<base::Time> next_deadline() const;

private:
    struct Count {
        std::size_t times = 0;  // since it was logged last
        std::set<std::string, std::less<>> addresses;
        bool has_more_addresses = false;
        base::Time since;
        base::Duration period = min_period;
    };
    [[nodiscard]] static std::string line(std::string_view what, const Count& count, base::Time now);

    std::map<std::string, Count, std::less<>> counts_;  // by what
};

}  // namespace bootkey::management
