// SPDX-License-Identifier: GPL-3.0-or-later
//
// The one clock that decisions are made by: CLOCK_MONOTONIC, which no jump of the wall clock touches.
#pragma once

#include <chrono>

namespace bootkey::base {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = Clock::duration;

/// Seconds as a person writes them ("2.5") to a Duration.
[[nodiscard]] constexpr Duration from_seconds(double seconds) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}
/// A Duration in seconds with its fraction.
[[nodiscard]] constexpr double to_seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace bootkey::base
