// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/changes/instance.hpp"

#include <string>

#include "catch.hpp"
#include "network/sandbox_fixture.hpp"

using namespace bootkey::changes;
using namespace bootkey::network::fixture;

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
