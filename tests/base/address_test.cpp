// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/address.hpp"

#include <arpa/inet.h>

#include <cstring>
#include <set>
#include <unordered_set>
#include <vector>

#include "catch.hpp"

using namespace bootkey::base;

namespace {

IpAddress address_of(const std::string& text) {
    const auto address = IpAddress::parse(text);
    INFO("address " << text);
    REQUIRE(address);
    return *address;
}

}  // namespace

TEST_CASE("addresses are read and written in their canonical text form") {
    struct Row {
        std::string text;
        int family;
        std::string written;
    };
    const Row row = GENERATE(values<Row>({
        {"192.0.2.1", AF_INET, "192.0.2.1"},
        {"0.0.0.0", AF_INET, "0.0.0.0"},
        {"255.255.255.255", AF_INET, "255.255.255.255"},
        {"::", AF_INET6, "::"},
        {"2001:DB8:0:0:0:0:0:1", AF_INET6, "2001:db8::1"},
        {"fe80::1", AF_INET6, "fe80::1"},
        {"::ffff:192.0.2.1", AF_INET6, "::ffff:192.0.2.1"},
    }));
    const auto address = IpAddress::parse(row.text);
    CAPTURE(row.text);
    REQUIRE(address);
    CHECK(address->family() == row.family);
    CHECK(address->is_v6() == (row.family == AF_INET6));
    CHECK(address->bytes().size() == (row.family == AF_INET6 ? 16U : 4U));
    CHECK(address->text() == row.written);
    CHECK(IpAddress::parse(address->text()) == address);
    CHECK(IpAddress::from_bytes(address->bytes()) == address);
}

TEST_CASE("what is not just an address is refused") {
    using namespace std::string_literals;
    const auto text = GENERATE(values<std::string>({"", " ", "192.0.2", "192.0.2.256", "192.0.2.1 ", " 192.0.2.1",
                                                    "192.0.2.1:80", "192.0.2.01", "1", "0x7f.0.0.1", "fe80::1%eth0",
                                                    "[::1]", "::1::", "12345::", ":::", "server.local", "192.0.2.1\0"s,
                                                    "::1\0x"s, std::string(100'000, ':')}));
    CHECK_FALSE(IpAddress::parse(text));
}

TEST_CASE("only 4 or 16 bytes make an address") {
    const std::vector<std::byte> bytes(32, std::byte{1});
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
        CAPTURE(size);
        CHECK(IpAddress::from_bytes(std::span(bytes).first(size)).has_value() == (size == 4 || size == 16));
    }
}

TEST_CASE("addresses know what kind they are") {
    struct Row {
        std::string text;
        std::string kinds;  // L = link-local, o = loopback, u = unspecified, m = multicast
    };
    const Row row = GENERATE(values<Row>({
        {"192.0.2.1", ""},
        {"169.254.0.1", "L"},
        {"169.255.0.1", ""},
        {"127.0.0.1", "o"},
        {"127.255.255.255", "o"},
        {"128.0.0.1", ""},
        {"0.0.0.0", "u"},
        {"0.1.2.3", "u"},
        {"224.0.0.251", "m"},
        {"239.255.255.255", "m"},
        {"240.0.0.1", ""},
        {"223.255.255.255", ""},
        {"255.255.255.255", "m"},
        {"2001:db8::1", ""},
        {"fe80::1", "L"},
        {"febf:ffff::1", "L"},
        {"fec0::1", ""},
        {"::1", "o"},
        {"::2", ""},
        {"::", "u"},
        {"ff02::fb", "m"},
        {"fe00::", ""},
        {"::ffff:127.0.0.1", "o"},
        {"::ffff:0.0.0.0", "u"},
        {"::ffff:224.0.0.1", "m"},
        {"::ffff:192.0.2.1", ""},
    }));
    const IpAddress address = address_of(row.text);
    CAPTURE(row.text);
    std::string kinds;
    if (address.is_link_local()) kinds += 'L';
    if (address.is_loopback()) kinds += 'o';
    if (address.is_unspecified()) kinds += 'u';
    if (address.is_multicast()) kinds += 'm';
    CHECK(kinds == row.kinds);
}

TEST_CASE("addresses compare, order and hash as values") {
    const IpAddress four = address_of("0.0.0.0");
    const IpAddress six = address_of("::");
    CHECK(four == IpAddress());
    CHECK(four != six);
    CHECK(std::hash<IpAddress>{}(four) != std::hash<IpAddress>{}(six));
    CHECK(std::hash<IpAddress>{}(six) == std::hash<IpAddress>{}(address_of("0::0")));
    CHECK(address_of("192.0.2.1") < address_of("192.0.2.2"));
    const std::unordered_set<IpAddress> hashed{four, six, address_of("0.0.0.0")};
    CHECK(hashed.size() == 2);
    const std::set<Endpoint> ordered{{four, 1, 0}, {four, 2, 0}, {four, 1, 1}, {four, 1, 0}};
    CHECK(ordered.size() == 3);
}

TEST_CASE("endpoints are written as a person gives them") {
    struct Row {
        std::string address;
        std::uint16_t port;
        std::uint32_t interface;
        std::string text;
    };
    const Row row = GENERATE(values<Row>({
        {"192.0.2.1", 4711, 0, "192.0.2.1:4711"},
        {"192.0.2.1", 65535, 3, "192.0.2.1:65535"},
        {"fe80::1", 1, 3, "[fe80::1%3]:1"},
        {"fe80::1", 1, 0, "[fe80::1]:1"},
        {"2001:db8::1", 80, 3, "[2001:db8::1]:80"},
    }));
    CHECK(Endpoint{address_of(row.address), row.port, row.interface}.text() == row.text);
}

TEST_CASE("endpoints become socket addresses") {
    sockaddr_storage storage;
    std::memset(&storage, 0xff, sizeof storage);  // what was there before must not show through

    SECTION("IPv4") {
        const Endpoint endpoint{address_of("192.0.2.1"), 4711, 5};
        REQUIRE(endpoint.to_socket_address(storage) == sizeof(sockaddr_in));
        sockaddr_in four;
        std::memcpy(&four, &storage, sizeof four);
        CHECK(four.sin_family == AF_INET);
        CHECK(ntohs(four.sin_port) == 4711);
        CHECK(IpAddress::v4(four.sin_addr) == endpoint.address);
    }
    SECTION("IPv6, whose scope is the interface where the address is link-local") {
        const auto [text, scope] = GENERATE(table<std::string, std::uint32_t>({{"fe80::1", 5U}, {"2001:db8::1", 0U}}));
        const Endpoint endpoint{address_of(text), 4711, 5};
        REQUIRE(endpoint.to_socket_address(storage) == sizeof(sockaddr_in6));
        sockaddr_in6 six;
        std::memcpy(&six, &storage, sizeof six);
        CHECK(six.sin6_family == AF_INET6);
        CHECK(ntohs(six.sin6_port) == 4711);
        CHECK(six.sin6_flowinfo == 0);
        CHECK(six.sin6_scope_id == scope);
        CHECK(IpAddress::v6(six.sin6_addr) == endpoint.address);
    }
}
