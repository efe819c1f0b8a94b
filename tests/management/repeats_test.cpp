// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/repeats.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

using namespace bootkey;
using management::Repeats;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

namespace {

constexpr base::Time start{std::chrono::hours(1)};

}  // namespace

TEST_CASE("what happens again is counted") {
    Repeats repeats;
    CHECK_FALSE(repeats.next_deadline());
    CHECK(repeats.happened("laughed", "192.0.2.1", start) == "a management client from 192.0.2.1 laughed");
    CHECK(repeats.happened("cried", "192.0.2.1", start) == "a management client from 192.0.2.1 cried");
    CHECK_FALSE(repeats.happened("laughed", "192.0.2.1", start + 1s));
    CHECK_FALSE(repeats.happened("laughed", "192.0.2.1", start + 2s));
    CHECK(repeats.next_deadline() == start + 60s);
    CHECK(repeats.due(start + 59s).empty());
    CHECK(repeats.due(start + 60s) ==
          Lines{"2 more times in the last 60 s a management client from 192.0.2.1 laughed"});
    // One has not happened any more, the other is counted for longer.
    CHECK(repeats.happened("cried", "192.0.2.2", start + 61s) == "a management client from 192.0.2.2 cried");
    CHECK_FALSE(repeats.happened("laughed", "192.0.2.1", start + 61s));
    CHECK_FALSE(repeats.happened("laughed", "192.0.2.2", start + 61s));
    CHECK(repeats.due(start + 179s).empty());
    CHECK(repeats.due(start + 180s) ==
          Lines{"2 more times in the last 120 s a management client from 192.0.2.1 or 1 other address laughed"});
}

TEST_CASE("however much happens, the log grows by a few lines") {
    Repeats repeats;
    std::size_t lines = 0;
    auto now = start;
    for (int i = 0; i < 24 * 60 * 60; ++i, now += 1s) {
        lines += repeats.happened("guessed", "address " + std::to_string(i), now).has_value();
        for (const auto& line : repeats.due(now)) {
            ++lines;
            CHECK(line.size() < 150);
        }
    }
    CHECK(lines < 40);
    const auto rest = repeats.rest(now);
    REQUIRE(rest.size() == 1);
    CHECK(rest[0].find(" or more than 63 other addresses guessed") != std::string::npos);
    CHECK(repeats.rest(now).empty());
    CHECK_FALSE(repeats.next_deadline());
}
