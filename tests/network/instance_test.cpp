// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/network/instance.hpp"

#include <string>

#include "catch.hpp"
#include "sandbox_fixture.hpp"

using namespace bootkey::network;
using namespace bootkey::network::fixture;

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
        CHECK(stat->start_time == 98765);
    }
}

TEST_CASE("an instance runs until it has ended, whoever has its number then") {
    const auto self = this_instance();
    REQUIRE(self.ok());
    CHECK(self->pid == getpid());
    CHECK(is_running(*self));
    CHECK_FALSE(is_running({self->pid, self->start_time + 1}));
    CHECK_FALSE(is_running({0, 0}));
    CHECK_FALSE(is_running({-1, 0}));
    CHECK_FALSE(is_running({1 << 30, 0}));

    TemporaryDirectory directory;
    Peer other(
        [&] {
            write_text(directory / "start", std::to_string(expect(this_instance()).pid) + ' ' +
                                                std::to_string(expect(this_instance()).start_time));
        },
        [] {});
    Instance instance;
    std::ifstream(directory / "start") >> instance.pid >> instance.start_time;
    CHECK(is_running(instance));
    other.kill();  // a zombie from here on
    CHECK_FALSE(is_running(instance));
}

TEST_CASE("network namespaces have numbers of their own") {
    CHECK(own_network_namespace() != 0);
    CHECK(own_network_namespace() == own_network_namespace());
    const auto here = own_network_namespace();
    CHECK(in_namespace([here] { EXPECT(own_network_namespace() != here); }) == "");
    if (access("/proc/1/ns/net", R_OK) != 0) {
        WARN("SKIPPED: may not see the network namespace of process 1");
        return;
    }
    CHECK(in_namespace([] { EXPECT(!in_first_network_namespace()); }) == "");
}
