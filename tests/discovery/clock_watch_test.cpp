// SPDX-License-Identifier: GPL-3.0-or-later
//
// The only way to see a clock being set is to set it: forth and back by one nanosecond.
#include "bootkey/discovery/clock_watch.hpp"

#include "catch.hpp"
#include "discovery/nudged_clock.hpp"
#include "discovery/two_machines.hpp"

using namespace bootkey;
using namespace bootkey::discovery;
using namespace bootkey::discovery::test;
using namespace std::chrono_literals;

TEST_CASE("every setting of the clock is told") {
    auto loop = std::move(*base::EventLoop::create());
    int jumps = 0;
    auto watch = ClockWatch::create(*loop, [&] { ++jumps; });
    REQUIRE(watch);
    run_for(*loop, 20ms);
    NEEDS_A_CLOCK_TO_SET();
    for (int expected = 1; expected <= 3; ++expected) {
        nudge_clock();
        REQUIRE(run_until(
            *loop, [&] { return jumps >= expected; }, 1s));
    }
    const int before = jumps;
    run_for(*loop, 50ms);
    CHECK(jumps == before);  // told once a time, not for ever
}
