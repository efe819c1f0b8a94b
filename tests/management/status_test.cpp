// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/status.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace bootkey;
using Lines = std::vector<std::string>;

TEST_CASE("statistics have the layout of an OpenVPN client's") {
    CHECK(management::statistics(1795331191, {.connections = 2, .bytes_in = 1234, .bytes_out = 56}) ==
          Lines{"OpenVPN STATISTICS", "Updated,2026-11-22 07:06:31", "TUN/TAP read bytes,0", "TUN/TAP write bytes,0",
                "TCP/UDP read bytes,1234", "TCP/UDP write bytes,56", "Auth read bytes,1234"});
}

TEST_CASE("each server is a row of the list of servers") {
    const auto address = base::IpAddress::parse("192.0.2.1");
    REQUIRE(address);
    const std::vector<management::ServerRow> servers{
        {"Mandos", *address, 4711, "eth0", "waiting", 3, "connection refused", 77, 1795331000},
        {"a, b\tc\n\xff", {}, 0, "", "resting", 0, "", 0, 5},
        {"back\\slash\xe2\x80\xae", {}, 0, "e\\0", "failed", 1, "no \"\\x1b\", said it", 0, 5}};
    const char separator = GENERATE(',', '\t');
    const Lines lines = management::server_list(1795331191, servers, separator);
    REQUIRE(lines.size() == 6);
    const auto with = [&](std::string text) {
        std::replace(text.begin(), text.end(), '|', separator);
        return text;
    };
    CHECK(lines[0] == with("TITLE|bootkey " BOOTKEY_VERSION));
    CHECK(lines[1] == with("TIME|2026-11-22 07:06:31|1795331191"));
    CHECK(lines[2] ==
          with("HEADER|SERVER_LIST|Name|Address|Port|Interface|Phase|Tries|Last Error|Bytes Received|Since (time_t)"));
    CHECK(lines[3] == with("SERVER_LIST|Mandos|192.0.2.1|4711|eth0|waiting|3|connection refused|77|1795331000"));
    const std::string name = separator == ',' ? "a\\x2c b\\x09c\\x0a\\xff" : "a, b\\x09c\\x0a\\xff";
    CHECK(lines[4] == with("SERVER_LIST|" + name + "||||resting|0||0|5"));
    // Names are escaped once, and an error is text that was made fit before.
    const std::string error = separator == ',' ? "no \"\\x1b\"\\x2c said it" : "no \"\\x1b\", said it";
    CHECK(lines[5] == with("SERVER_LIST|back\\x5cslash\\xe2\\x80\\xae|||e\\x5c0|failed|1|" + error + "|0|5"));
}
