// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/allowance.hpp"

#include "catch.hpp"

using bootkey::monitor::Allowance;
using namespace std::chrono_literals;

namespace {

const bootkey::base::Time begin{1000s};

int taken(Allowance& allowance, bootkey::base::Time now, int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += allowance.take(now) ? 1 : 0;
    return count;
}

}  // namespace

TEST_CASE("an allowance is a burst and then so much a second") {
    Allowance allowance(10, 4);
    CHECK(taken(allowance, begin, 100) == 10);
    CHECK(taken(allowance, begin + 250ms, 100) == 1);
    CHECK(taken(allowance, begin + 500ms, 100) == 1);
    CHECK(taken(allowance, begin + 1500ms, 100) == 4);
}

TEST_CASE("an allowance that is not used does not grow beyond the burst") {
    Allowance allowance(10, 4);
    CHECK(allowance.take(begin));
    CHECK(taken(allowance, begin + 1h, 100) == 10);
}

TEST_CASE("what is more than is left is not taken in part") {
    Allowance allowance(10, 4);
    CHECK_FALSE(allowance.take(begin, 11));
    CHECK(allowance.take(begin, 10));
    CHECK_FALSE(allowance.take(begin, 1));
}
