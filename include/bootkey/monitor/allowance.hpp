// SPDX-License-Identifier: GPL-3.0-or-later
//
// How much of something another process may have: a token bucket. Pure.
#pragma once

#include <algorithm>
#include <optional>

#include "bootkey/base/time.hpp"

namespace bootkey::monitor {

class Allowance {
public:
    /// At most `burst` at once, and `per_second` more as time goes by.
    constexpr Allowance(double burst, double per_second) : burst_(burst), per_second_(per_second), left_(burst) {}

    /// Takes so much of it, or, where there is not enough, nothing. Whether there was enough.
    [[nodiscard]] bool take(base::Time now, double amount = 1) {
        if (last_) left_ = std::min(burst_, left_ + per_second_ * base::to_seconds(now - *last_));
        last_ = now;
        if (amount > left_) return false;
        left_ -= amount;
        return true;
    }

private:
    double burst_;
    double per_second_;
    double left_;
    std::optional<base::Time> last_;
};

}  // namespace bootkey::monitor
