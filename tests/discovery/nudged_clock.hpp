// SPDX-License-Identifier: GPL-3.0-or-later
//
// Setting the wall clock without harm, for tests: one nanosecond forth and back (adjtimex(2)).
#pragma once

#include <sys/timex.h>

#include "catch.hpp"

namespace bootkey::discovery::test {

/// Sets the clock by `nanoseconds`. Returns whether that is permitted.
inline bool shift_clock(long nanoseconds) {
    timex change{};
    change.modes = ADJ_SETOFFSET | ADJ_NANO;
    change.time.tv_sec = nanoseconds < 0 ? -1 : 0;
    change.time.tv_usec = nanoseconds < 0 ? 1'000'000'000 + nanoseconds : nanoseconds;
    return ::adjtimex(&change) >= 0;
}

inline void nudge_clock() {
    REQUIRE(shift_clock(1));
    REQUIRE(shift_clock(-1));
}

}  // namespace bootkey::discovery::test

/// Leaves the test case, visibly, where the clock may not be set.
#define NEEDS_A_CLOCK_TO_SET()                                                                     \
    if (!bootkey::discovery::test::shift_clock(1) || !bootkey::discovery::test::shift_clock(-1)) { \
        WARN("SKIPPED: the wall clock may not be set here (no CAP_SYS_TIME)");                     \
        return;                                                                                    \
    }
