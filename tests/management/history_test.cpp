// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/history.hpp"

#include <string>

#include "catch.hpp"

using bootkey::management::History;

TEST_CASE("a history keeps the newest lines, under the numbers they came with") {
    History history(3, 1 << 20);
    CHECK(history.begin() == 0);
    CHECK(history.end() == 0);
    CHECK(history.newest(5) == 0);
    for (const char* line : {"a", "b", "c", "d", "e"}) history.add(line);
    CHECK(history.begin() == 2);
    CHECK(history.end() == 5);
    CHECK(history.line(2) == "c");
    CHECK(history.line(4) == "e");
    CHECK(history.newest(1) == 4);
    CHECK(history.newest(3) == 2);
    CHECK(history.newest(UINT64_MAX) == 2);
}

TEST_CASE("a history of no lines stays empty") {
    History history(0, 1 << 20);
    history.add("a");
    CHECK(history.begin() == history.end());
    CHECK(history.newest(1) == history.end());
}

TEST_CASE("long lines make a history shorter, so that it keeps within its memory") {
    History history(100, 3 * (1000 + History::overhead));
    for (int i = 0; i < 50; ++i) history.add(std::string(1000, 'x'));
    CHECK(history.end() - history.begin() == 3);
    history.add(std::string(5000, 'y'));
    CHECK(history.end() - history.begin() == 0);
    history.add("z");
    CHECK(history.line(51) == "z");
}
