// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/state.hpp"

#include <algorithm>

#include "catch.hpp"

using namespace bootkey;
using management::State;
using management::state_line;
using management::StateChange;

namespace {

base::IpAddress address(const char* text) {
    const auto parsed = base::IpAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

}  // namespace

TEST_CASE("a state's line has eight fields") {
    struct Case {
        StateChange change;
        std::string line;
    };
    const auto four = base::Endpoint{address("192.0.2.1"), 4711, 0};
    const auto six = base::Endpoint{address("fe80::1"), 4712, 3};
    const auto [change, line] = GENERATE_COPY(values<Case>({
        {{.state = State::connecting}, "17,CONNECTING,,,,,,"},
        {{.state = State::assign_ip, .local = address("192.0.2.7")}, "17,ASSIGN_IP,,192.0.2.7,,,,"},
        {{.state = State::add_routes, .server = six}, "17,ADD_ROUTES,,,fe80::1,4712,,"},
        {{.state = State::resolve}, "17,RESOLVE,,,,,,"},
        {{.state = State::wait, .description = "12:00:00"}, "17,WAIT,12:00:00,,,,,"},
        {{.state = State::tcp_connect, .server = four}, "17,TCP_CONNECT,,,192.0.2.1,4711,,"},
        {{.state = State::auth, .server = four}, "17,AUTH,,,192.0.2.1,4711,,"},
        {{.state = State::get_config, .description = "approval", .server = four},
         "17,GET_CONFIG,approval,,192.0.2.1,4711,,"},
        {{.state = State::connected,
          .description = "SUCCESS",
          .server = four,
          .from = base::Endpoint{address("192.0.2.7"), 5, 0}},
         "17,CONNECTED,SUCCESS,,192.0.2.1,4711,192.0.2.7,5"},
        {{.state = State::connected, .description = "SUCCESS", .by = "console"}, "17,CONNECTED,SUCCESS,console,,,,"},
        {{.state = State::reconnecting, .description = "server_closed", .server = six},
         "17,RECONNECTING,server_closed,,fe80::1,4712,,"},
        {{.state = State::exiting, .description = "SIGTERM,\r\nEND"}, "17,EXITING,SIGTERM\\x2c\\x0d\\x0aEND,,,,,"},
    }));
    CHECK(state_line(17, change) == line);
    CHECK(std::count(line.begin(), line.end(), ',') == 7);
}
