// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/servers/backoff.hpp"

#include <algorithm>
#include <cmath>

namespace bootkey::servers {

base::Duration retry_delay(base::Duration retry, const Random& random) {
    constexpr double spread = 0.1;
    return base::from_seconds(base::to_seconds(retry) * (1 - spread + 2 * spread * random()));
}

base::Duration connect_try(int number, const Random& random) {
    constexpr double first_seconds = 0.25;
    constexpr double growth = 1.5;
    constexpr double spread = 0.25;
    const double seconds = first_seconds * std::pow(growth, std::min(number, 10));
    return base::from_seconds(seconds * (1 + spread * random()));
}

}  // namespace bootkey::servers
