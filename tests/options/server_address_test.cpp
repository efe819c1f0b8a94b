// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/options/server_address.hpp"

#include "catch.hpp"

using namespace bootkey::options;

TEST_CASE("server addresses that are accepted") {
    struct Row {
        const char* text;
        const char* address;
        unsigned port;
        const char* scope;
    };
    const auto row = GENERATE(values<Row>({
        {"192.0.2.1:4711", "192.0.2.1", 4711, ""},
        {"192.0.2.1:1", "192.0.2.1", 1, ""},
        {"192.0.2.1:65535", "192.0.2.1", 65535, ""},
        {"127.0.0.1:4711", "127.0.0.1", 4711, ""},
        {"169.254.7.7:4711", "169.254.7.7", 4711, ""},
        {"169.254.7.7%eth0:4711", "169.254.7.7", 4711, "eth0"},
        {"2001:db8::1:4711", "2001:db8::1", 4711, ""},
        {"2001:db8:1:2:3:4:5:6:4711", "2001:db8:1:2:3:4:5:6", 4711, ""},
        {"::1:4711", "::1", 4711, ""},
        {"[2001:db8::1]:4711", "2001:db8::1", 4711, ""},
        {"[::1]:4711", "::1", 4711, ""},
        {"fe80::1:4711", "fe80::1", 4711, ""},
        {"fe80::1%eth0:4711", "fe80::1", 4711, "eth0"},
        {"[fe80::1%eth0]:4711", "fe80::1", 4711, "eth0"},
        {"[fe80::1]:4711", "fe80::1", 4711, ""},
        {"fe80::1%br-lan.7@x:4711", "fe80::1", 4711, "br-lan.7@x"},
        {"febf::1%fifteen-bytes-5:4711", "febf::1", 4711, "fifteen-bytes-5"},
        {"fe80::1%eth0%eth1:4711", "fe80::1", 4711, "eth0%eth1"},  // the kernel allows '%' in names
    }));
    CAPTURE(row.text);
    const auto parsed = parse_server_address(row.text);
    REQUIRE(parsed);
    CHECK(parsed->address.text() == row.address);
    CHECK(parsed->port == row.port);
    CHECK(parsed->scope == row.scope);
    CHECK(parsed->text == row.text);
}

TEST_CASE("server addresses that are refused, and why") {
    struct Row {
        std::string text;
        const char* why;
    };
    const auto row = GENERATE(values<Row>({
        {"", "port is missing"},
        {":", "not an IP address"},
        {":4711", "not an IP address"},
        {"192.0.2.1", "port is missing"},
        {"192.0.2.1:", "not a port"},
        {"192.0.2.1:0", "not a port"},
        {"192.0.2.1:65536", "not a port"},
        {"192.0.2.1:-1", "not a port"},
        {"192.0.2.1:+1", "not a port"},
        {"192.0.2.1: 1", "not a port"},
        {"192.0.2.1:1 ", "not a port"},
        {"192.0.2.1:0x10", "not a port"},
        {"192.0.2.1:18446744073709551617", "not a port"},
        {"192.0.2.1:http", "not a port"},
        {" 192.0.2.1:1", "not an IP address"},
        {"192.0.2:1", "not an IP address"},
        {"192.0.2.256:1", "not an IP address"},
        {"192.0.2.1.5:1", "not an IP address"},
        {"0300.0.2.1:1", "not an IP address"},
        {"localhost:1", "names are not looked up"},
        {"password.example:4711", "names are not looked up"},
        {"2001:db8::1", "not an IP address"},
        {"fe80::1%eth0", "not an IP address"},
        {"2001:db8::1::4711", "not an IP address"},
        {"[2001:db8::1]", "no port follows"},
        {"[2001:db8::1]4711", "no port follows"},
        {"[2001:db8::1]:", "not a port"},
        {"[2001:db8::1]:1:2", "not a port"},
        {"[2001:db8::1:4711", "closing bracket"},
        {"[[2001:db8::1]]:4711", "no port follows"},
        {"[]:4711", "not an IP address"},
        {"[", "closing bracket"},
        {"]", "port is missing"},
        {"2001:db8::1]:4711", "not an IP address"},
        {"[192.0.2.1]:4711", "brackets are for IPv6"},
        {"[localhost]:4711", "names are not looked up"},
        {"2001:db8::1%eth0:4711", "only a link-local address"},
        {"192.0.2.1%eth0:4711", "only a link-local address"},
        {"fe80::1%:4711", "cannot be the name of an interface"},
        {"fe80::1%sixteen-bytes-16:4711", "cannot be the name of an interface"},
        {"fe80::1%eth/0:4711", "cannot be the name of an interface"},
        {"fe80::1%eth 0:4711", "cannot be the name of an interface"},
        {"fe80::1%..:4711", "cannot be the name of an interface"},
        {"fe80::1%eth0\n:4711", "cannot be the name of an interface"},
        {"fe80::1%a-much-too-long-name:4711", "cannot be the name of an interface"},
        {"[fe80::1%eth0:4711", "closing bracket"},
        {"0.0.0.0:4711", "unspecified"},
        {"[::]:4711", "unspecified"},
        {":::4711", "unspecified"},
        {"224.0.0.251:5353", "multicast"},
        {"255.255.255.255:4711", "broadcast"},
        {"[ff02::fb]:5353", "multicast"},
        {"ff02::fb%eth0:5353", "multicast"},
        {"[::ffff:192.0.2.1]:4711", "IPv4 address in IPv6 form"},
        {"[::ffff:224.0.0.1]:4711", "multicast"},
        {std::string("192.0.2.1\0:1", 12), "not an IP address"},
        {std::string("192.0.2.1:1\0", 12), "not a port"},
        {"\x1b[2J:1", "not an IP address"},
        {std::string(100'000, ':'), "not an IP address"},
        {std::string(100'000, '['), "closing bracket"},
        {"192.0.2.1:" + std::string(100'000, '1'), "not a port"},
    }));
    CAPTURE(row.text.substr(0, 100));
    const auto parsed = parse_server_address(row.text);
    REQUIRE_FALSE(parsed);
    const std::string message = parsed.error().message();
    CAPTURE(message.substr(0, 1000));
    CHECK(parsed.error().code == bootkey::base::ExitCode::usage);
    CHECK(message.find(row.why) != std::string::npos);
    CHECK(message.size() < 2000);
    CHECK(message.find_first_of("\n\x1b") == std::string::npos);
}
