// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/servers/backoff.hpp"

#include "catch.hpp"

using namespace std::chrono_literals;
using namespace bootkey;

namespace {

double in_seconds(base::Duration duration) {
    return base::to_seconds(duration);
}

}  // namespace

TEST_CASE("the rest between rounds is --retry, ten per cent more or less") {
    struct Case {
        double random, retry, expected;
    };
    const auto one = GENERATE(
        values<Case>({{0.0, 10, 9.0}, {0.5, 10, 10.0}, {0.999999, 10, 11.0}, {0.25, 2, 1.9}, {0.5, 0.3, 0.3}}));
    CHECK(in_seconds(servers::retry_delay(base::from_seconds(one.retry), [&] { return one.random; })) ==
          Approx(one.expected).epsilon(1e-5));
}

TEST_CASE("connection tries begin shorter than the kernel's retransmission and grow") {
    const auto least = [](int number) { return in_seconds(servers::connect_try(number, [] { return 0.0; })); };
    const auto most = [](int number) { return in_seconds(servers::connect_try(number, [] { return 0.999999; })); };
    CHECK(least(0) == Approx(0.25));
    CHECK(most(0) < 1.0);
    double sum = 0;
    for (int number = 0; number < 7; ++number) {
        CHECK(most(number) == Approx(least(number) * 1.25).epsilon(1e-4));
        CHECK(least(number + 1) == Approx(least(number) * 1.5));
        sum += least(number);
    }
    CHECK(sum > 8.0);                      // 7 tries fill the 10 s of an attempt
    CHECK(least(4) + least(5) > 3.0);      // the later ones bear a slow network
    CHECK(least(1'000'000) == least(10));  // and do not overflow
}
