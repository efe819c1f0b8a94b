// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/options/management_address.hpp"

#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::options;

TEST_CASE("management addresses that are accepted") {
    CHECK(parse_management_address("unix:/run/bootkey/management")->path == "/run/bootkey/management");
    struct Row {
        const char* text;
        const char* endpoint;
        bool reached_by_others;
    };
    const auto row = GENERATE(values<Row>({
        {"127.0.0.1:7505", "127.0.0.1:7505", false},
        {"7505", "127.0.0.1:7505", false},
        {"[::1]:1", "[::1]:1", false},
        {"192.0.2.1:65535", "192.0.2.1:65535", true},
        {"0.0.0.0:7505", "0.0.0.0:7505", true},
        {"[::]:7505", "[::]:7505", true},
    }));
    CAPTURE(row.text);
    const auto parsed = parse_management_address(row.text);
    REQUIRE(parsed);
    CHECK(parsed->endpoint.text() == row.endpoint);
    CHECK(is_reached_by_others(*parsed) == row.reached_by_others);
}

TEST_CASE("management addresses that are refused, with the reason") {
    struct Row {
        const char* text;
        const char* why;
    };
    const auto row = GENERATE(values<Row>({
        {"", "'' is not a port"},
        {"unix:", "absolute path"},
        {"unix:run/x", "absolute path"},
        {"unix:/run/", "absolute path"},
        {"/run/x", "'/run/x' is not a port"},
        {"localhost:7505", "'localhost' is not an IP address"},
        {"::1:7505", "'::1' is not an IP address"},
        {"[127.0.0.1]:7505", "'127.0.0.1' is not an IP address"},
        {"fe80::1%eth0:7505", "is not an IP address"},
        {"[fe80::1]:7505", "no address to listen at"},
        {"127.0.0.1:0", "'0' is not a port"},
        {"127.0.0.1:65536", "'65536' is not a port"},
        {"127.0.0.1:", "'' is not a port"},
        {"127.0.0.1:1\n", "is not a port"},
    }));
    CAPTURE(row.text);
    const auto parsed = parse_management_address(row.text);
    REQUIRE_FALSE(parsed);
    CHECK_THAT(parsed.error().why, Catch::Contains(row.why));
    CHECK(!parsed.error().advice.empty());
    CHECK_FALSE(parse_management_address("unix:/" + std::string(107, 'x')));
}
