// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/tcp_owner.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "bootkey/base/text.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "catch.hpp"

using namespace bootkey;
using management::parse_tcp_socket;
using management::tcp_owner;
using management::TcpSearch;

namespace {

base::Endpoint endpoint(const char* address, std::uint16_t port) {
    return {*base::IpAddress::parse(address), port, 0};
}

// The address as the kernel prints it on this machine: 32 bits at a time as a number.
std::string printed(const base::Endpoint& endpoint) {
    std::string text;
    const auto bytes = endpoint.address.bytes();
    for (std::size_t at = 0; at < bytes.size(); at += 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, bytes.data() + at, sizeof word);
        text += base::format("%08X", word);
    }
    return text + base::format(":%04X", unsigned{endpoint.port});
}

std::string row(const base::Endpoint& local, const base::Endpoint& remote, const char* user, const char* inode) {
    return "   3: " + printed(local) + " " + printed(remote) + " 01 00000000:00000000 02:000AF5C2 00000000  " + user +
           "        0 " + inode + " 2 ffff9d2f84a3c000 20 4 30 10 -1";
}

// A connection to a listening socket here.
struct Connected {
    base::UniqueFd listening, peer, ours;
    base::Endpoint peer_name, our_name;

    Connected(const char* listen_at, const char* connect_to) {
        sockaddr_storage storage{};
        socklen_t size = endpoint(listen_at, 0).to_socket_address(storage);
        listening.reset(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(::bind(listening.get(), reinterpret_cast<sockaddr*>(&storage), size) == 0);
        REQUIRE(::listen(listening.get(), 1) == 0);
        size = endpoint(connect_to, named(listening.get(), getsockname).port).to_socket_address(storage);
        peer.reset(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(::connect(peer.get(), reinterpret_cast<sockaddr*>(&storage), size) == 0);
        ours.reset(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
        REQUIRE(ours);
        peer_name = named(ours.get(), getpeername);
        our_name = named(ours.get(), getsockname);
    }
    static base::Endpoint named(int fd, int (*name_of)(int, sockaddr*, socklen_t*)) {
        sockaddr_storage storage{};
        socklen_t size = sizeof storage;
        REQUIRE(name_of(fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0);
        return *base::Endpoint::from_socket_address(storage);
    }
};

}  // namespace

TEST_CASE("a line of /proc/net/tcp says whose a socket is") {
    const auto here = endpoint("127.0.0.1", 40123), there = endpoint("127.0.0.1", 7505);
    const auto socket = parse_tcp_socket(row(here, there, "65520", "123456789"));
    REQUIRE(socket);
    CHECK(socket->local == here);
    CHECK(socket->remote == there);
    CHECK(socket->user == 65520);
    CHECK(socket->inode == 123456789);
    const auto six = parse_tcp_socket(row(endpoint("::1", 1), endpoint("2001:db8::1:2", 65535), "0", "7"));
    REQUIRE(six);
    CHECK(six->local == endpoint("::1", 1));
    CHECK(six->remote == endpoint("2001:db8::1:2", 65535));
    CHECK(parse_tcp_socket(row(here, there, "4294967295", "18446744073709551615")));
}

TEST_CASE("what is no line of the table is nothing") {
    const auto here = endpoint("127.0.0.1", 40123), there = endpoint("127.0.0.1", 7505);
    CHECK_FALSE(parse_tcp_socket(""));
    CHECK_FALSE(
        parse_tcp_socket("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
                         "timeout inode"));
    CHECK_FALSE(parse_tcp_socket(row(here, endpoint("::1", 7505), "0", "1")));
    for (const char* number : {"-1", "x", "4294967296", "0x1"})
        CHECK_FALSE(parse_tcp_socket(row(here, there, number, "1")));
    for (const char* number : {"-1", "18446744073709551616"})
        CHECK_FALSE(parse_tcp_socket(row(here, there, "0", number)));
    for (const char* address : {"0100007F", "0100007F:", "0100007:1D51", "0100007F:11D51", "0100007G:1D51", ":1D51",
                                "0100007F0100007F:1D51", "+100007F:1D51", "0x00007F:1D51"})
        CHECK_FALSE(parse_tcp_socket(std::string("0: ") + address + " 0100007F:1D51 01 0:0 0:0 0 0 0 1"));
}

TEST_CASE("a socket is found in a table that comes in any pieces") {
    const auto here = endpoint("127.0.0.1", 40123), there = endpoint("127.0.0.1", 7505);
    const std::string table = "heading\n" + row(there, here, "0", "1") + "\n" +
                              row(here, endpoint("127.0.0.1", 1), "1", "2") + "\n" + row(here, there, "1000", "3") +
                              "\n" + row(here, there, "0", "4") + "\n";
    const std::size_t piece = GENERATE(1u, 7u, 150u, 10'000u);
    TcpSearch search(here, there);
    for (std::string_view rest = table; !rest.empty() && search.take(rest.substr(0, piece));)
        rest.remove_prefix(std::min(piece, rest.size()));
    REQUIRE(search.found());
    CHECK(search.found()->user == 1000);
    TcpSearch other(here, endpoint("127.0.0.2", 7505));
    CHECK(other.take(table));
    CHECK_FALSE(other.found());
    TcpSearch endless(here, there);
    CHECK_FALSE(endless.take(std::string(TcpSearch::max_line + 1, ' ')));
}

TEST_CASE("the kernel says whose a connection is, until it is closed") {
    const auto [listen_at, connect_to] = GENERATE(table<const char*, const char*>(
        {{"127.0.0.1", "127.0.0.1"}, {"127.0.0.1", "::ffff:127.0.0.1"}, {"::1", "::1"}, {"127.0.0.2", "127.0.0.2"}}));
    Connected connected(listen_at, connect_to);
    CHECK(tcp_owner(connected.peer_name, connected.our_name) == geteuid());
    ::shutdown(connected.peer.get(), SHUT_WR);  // it still waits for what we say
    CHECK(tcp_owner(connected.peer_name, connected.our_name) == geteuid());
    connected.peer.reset();
    CHECK_FALSE(tcp_owner(connected.peer_name, connected.our_name));
    CHECK_FALSE(tcp_owner(endpoint("127.0.0.1", 1), connected.our_name));
    CHECK_FALSE(tcp_owner(endpoint("::1", 1), connected.our_name));  // nor does it mind two families
}

TEST_CASE("a connection is its maker's, not of whoever has it now") {
    if (geteuid() != 0) {
        WARN("SKIPPED: only root can be another user for a while");
        return;
    }
    REQUIRE(seteuid(65520) == 0);
    Connected connected("127.0.0.1", "127.0.0.1");
    REQUIRE(seteuid(0) == 0);
    CHECK(tcp_owner(connected.peer_name, connected.our_name) == 65520u);
}
