// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/time.hpp"

#include "catch.hpp"

using namespace bootkey::base;
using namespace std::chrono_literals;

TEST_CASE("seconds become durations and come back") {
    CHECK(from_seconds(2.5) == 2500ms);
    CHECK(from_seconds(0) == 0s);
    CHECK(from_seconds(0.001) == 1ms);
    CHECK(to_seconds(2500ms) == 2.5);
    CHECK(to_seconds(from_seconds(86400.25)) == 86400.25);
    CHECK(to_seconds(-1s) == -1.0);
}
