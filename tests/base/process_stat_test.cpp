// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/process_stat.hpp"

#include <unistd.h>

#include <string>

#include "catch.hpp"

using namespace bootkey::base;

TEST_CASE("the content of /proc/PID/stat") {
    const std::string rest = " 1 2 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 200 18446744073709551615\n";
    struct Row {
        std::string line;
        bool understood;
        bool running;
    };
    const Row rows[] = {
        {"42 (bootkey) S" + rest, true, true},
        {"42 (bootkey) R" + rest, true, true},
        {"42 (bootkey) T" + rest, true, true},
        {"42 (bootkey) Z" + rest, true, false},
        {"42 (bootkey) X" + rest, true, false},
        {"42 (a b) S 1 (c) S" + rest, true, true},
        {"42 () Z 1 2) S" + rest, true, true},  // a name made to look dead
        {"", false, false},
        {"42 (bootkey)", false, false},
        {"42 (bootkey) S 1 2 3", false, false},
        {"42 (bootkey) SS" + rest, false, false},
        {"42 (bootkey) S 1 2 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 then 1000", false, false},
    };
    for (const Row& row : rows) {
        INFO(row.line);
        const auto stat = parse_process_stat(row.line);
        REQUIRE(stat.has_value() == row.understood);
        if (!stat) continue;
        CHECK(stat->running == row.running);
        CHECK(stat->parent == 1);
        CHECK(stat->start_time == 98765);
    }
}

TEST_CASE("the stat file of a process") {
    const auto self = read_process_stat(getpid());
    REQUIRE((self.ok() && *self));
    CHECK((*self)->running);
    CHECK((*self)->parent == getppid());
    CHECK_FALSE(read_process_stat(1 << 30).ok());
}
