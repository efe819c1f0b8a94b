// SPDX-License-Identifier: GPL-3.0-or-later
//
// Changes to a real kernel, in network namespaces made for each test: interfaces brought up, host routes, the console
// level; undone, and left alone where somebody else has come to rely on them.

#include "bootkey/base/text.hpp"
#include "catch.hpp"
#include "sandbox_machine.hpp"

using namespace bootkey;
using namespace bootkey::changes;
using namespace bootkey::changes::fixture;

TEST_CASE("an interface is brought up without duplicate address detection, and taken down again") {
    CHECK(in_namespace([] {
              SandboxMachine machine;
              Changes changes = machine.changes();
              EXPECT(!is_up("one") && accept_dad("one") == "1");
              expect_ok(changes.bring_up(index_of("one")));
              EXPECT(is_up("one") && accept_dad("one") == "0");
              EXPECT(!is_up("two"));
              run("ip link set two up");  // gives "one" a carrier, and the kernel makes addresses and routes
              EXPECT(soon([] {
                  return expect(expect(network::NetlinkRequests::open()).addresses(index_of("one"))).size() == 1;
              }));
              expect_ok(changes.undo_ours());
              EXPECT(!is_up("one") && accept_dad("one") == "1");
              EXPECT(is_up("two") && accept_dad("two") == "1");
              EXPECT(machine.clean());
              expect_ok(changes.undo_ours());
          }) == "");
}

TEST_CASE("an interface that is up, or gone, is nothing to undo") {
    CHECK(in_namespace([] {
              SandboxMachine machine;
              run("ip link set one up");
              Changes changes = machine.changes();
              expect_ok(changes.bring_up(index_of("one")));
              EXPECT(machine.clean());
              expect_ok(changes.undo_ours());
              EXPECT(is_up("one") && accept_dad("one") == "1");

              const auto missing = changes.bring_up(4711);
              EXPECT(!missing && missing.error().code == base::ExitCode::unavailable);
              EXPECT(machine.clean());

              expect_ok(changes.bring_up(index_of("two")));
              EXPECT(!machine.clean());
              run("ip link del one");
              expect_ok(changes.undo_ours());
              EXPECT(machine.clean());
          }) == "");
}

TEST_CASE("a renamed interface is followed by its index") {
    CHECK(in_namespace([] {
              SandboxMachine machine;
              Changes changes = machine.changes();
              const std::uint32_t index = index_of("one");
              expect_ok(changes.bring_up(index));
              run("ip link set one down; ip link set one name enp1s0; ip link set enp1s0 up; ip link set two name one");
              expect_ok(changes.undo_ours());
              EXPECT(!is_up("enp1s0") && index_of("enp1s0") == index);
              EXPECT(accept_dad("enp1s0") == "1");
              EXPECT(machine.clean());
          }) == "");
}

TEST_CASE("an interface that somebody else has come to use is left up, and the log says why") {
    struct Row {
        const char* what;
        std::string command;
        const char* said;
    };
    const Row rows[] = {
        {"IPv4 address", "ip addr add 192.0.2.1/24 dev one", "the address 192.0.2.1 was added"},
        {"IPv6 address", "ip addr add 2001:db8::1/64 dev one nodad", "the address 2001:db8::1 was added"},
        {"a link-local address of one's own", "ip addr add fe80::4711/64 dev one nodad",
         "the address fe80::4711 was added"},
        {"IPv4 route", "ip route add 198.51.100.0/24 dev one", "a route over it was added"},
        {"IPv6 route", "ip -6 route add 2001:db8:1::/64 dev one", "a route over it was added"},
        {"multipath route",
         "ip addr add 198.51.100.1/24 dev two && ip link set dev two up && ip route add 192.0.2.0/24 nexthop dev two "
         "nexthop dev one",
         "a route over it was added"},
        {"enslaved", "ip link add br0 type bridge && ip link set one master br0", "it now belongs to interface number"},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        CHECK(in_namespace([&row] {
                  SandboxMachine machine;
                  Changes changes = machine.changes();
                  expect_ok(changes.bring_up(index_of("one")));
                  run("ip link set two up");
                  run(row.command);
                  expect_ok(changes.undo_ours());
                  EXPECT(is_up("one"));
                  EXPECT(machine.log.has("interface one is left up: "));
                  EXPECT(machine.log.has(row.said));
                  EXPECT(accept_dad("one") == "1");
                  EXPECT(machine.clean());
              }) == "");
    }
    CHECK(in_namespace([] {
              SandboxMachine machine;
              Changes changes = machine.changes();
              expect_ok(changes.bring_up(index_of("one")));
              write_text(machine.directory / "net-one.conf", "DEVICE='one'\n");
              expect_ok(changes.undo_ours());
              EXPECT(is_up("one"));
              EXPECT(machine.log.has("net-one.conf was written for it"));
          }) == "");
}

TEST_CASE("what others did to an interface before bootkey brought it up again is no reason to leave it up") {
    CHECK(
        in_namespace([] {
            SandboxMachine machine;
            Changes changes = machine.changes();
            expect_ok(changes.bring_up(index_of("one")));
            run("ip addr add 192.0.2.1/24 dev one && ip link set one down && sysctl -q net.ipv6.conf.one.accept_dad=2");
            expect_ok(changes.bring_up(index_of("one")));
            EXPECT(is_up("one") && accept_dad("one") == "0");
            expect_ok(changes.undo_ours());
            EXPECT(!is_up("one") && accept_dad("one") == "2");
            EXPECT(machine.clean());
        }) == "");
}

TEST_CASE("what was on an interface before is no reason to leave it up") {
    CHECK(in_namespace([] {
              SandboxMachine machine;
              run("ip addr add 192.0.2.1/24 dev one");
              run("ip link add br0 type bridge && ip link set two master br0");
              Changes changes = machine.changes();
              expect_ok(changes.bring_up(index_of("one")));
              expect_ok(changes.bring_up(index_of("two")));
              expect_ok(changes.undo_ours());
              EXPECT(!is_up("one") && !is_up("two"));
              EXPECT(machine.clean());
          }) == "");
}

TEST_CASE("host routes are added where the kernel knows no way, and deleted again") {
    struct Row {
        const char* what;
        const char* before;
        const char* destination;
        bool added;
    };
    const Row rows[] = {
        {"IPv6 without a route", "true", "2001:db8:1::1", true},
        {"IPv4 without a route", "ip addr add 169.254.3.1/16 dev one", "192.0.2.1", true},
        {"IPv6 that is unreachable", "ip -6 route add unreachable 2001:db8::/32", "2001:db8:1::1", true},
        {"IPv4 that is unreachable", "ip addr add 169.254.3.1/16 dev one; ip route add unreachable 192.0.2.0/24",
         "192.0.2.1", true},
        {"IPv6 on the link", "ip addr add 2001:db8:1::2/64 dev one nodad", "2001:db8:1::1", false},
        {"IPv4 by a default route", "ip addr add 198.51.100.1/24 dev one; ip route add default via 198.51.100.2",
         "192.0.2.1", false},
        {"IPv6 by another interface", "ip -6 route add 2001:db8::/32 dev two", "2001:db8:1::1", false},
        {"forbidden by the administrator", "ip route add prohibit 192.0.2.0/24", "192.0.2.1", false},
        {"IPv4 blackhole", "ip route add blackhole 192.0.2.0/24", "192.0.2.1", false},
        {"IPv6 blackhole", "ip -6 route add blackhole 2001:db8::/32", "2001:db8:1::1", false},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        CHECK(in_namespace([&row] {
                  SandboxMachine machine;
                  run("ip link set one up; ip link set two up");
                  run(row.before);
                  Changes changes = machine.changes();
                  expect_ok(changes.add_host_route(ip(row.destination), index_of("one")));
                  EXPECT(machine.clean() == !row.added);
                  auto requests = expect(network::NetlinkRequests::open());
                  if (row.added) EXPECT(expect(requests.has_route(ip(row.destination))));
                  expect_ok(changes.add_host_route(ip(row.destination), index_of("one")));  // is there now
                  expect_ok(changes.undo_ours());
                  if (row.added) EXPECT(!expect(requests.has_route(ip(row.destination))));
                  EXPECT(machine.clean());
              }) == "");
    }
}

TEST_CASE("an interface that was brought up for a host route goes down with it") {
    CHECK(in_namespace([] {
              SandboxMachine machine;
              run("ip link set two up");
              Changes changes = machine.changes();
              expect_ok(changes.bring_up(index_of("one")));
              expect_ok(changes.add_host_route(ip("2001:db8:1::1"), index_of("one")));
              expect_ok(changes.undo_ours());
              EXPECT(!is_up("one"));
          }) == "");
}

TEST_CASE("an interface that had a host route before it was brought up goes down with it") {
    CHECK(in_namespace([] {
              SandboxMachine machine;
              run("ip link set two up && ip link set one up");
              Changes changes = machine.changes();
              expect_ok(changes.add_host_route(ip("2001:db8:1::1"), index_of("one")));
              run("ip link set one down");
              expect_ok(changes.bring_up(index_of("one")));
              expect_ok(changes.add_host_route(ip("2001:db8:1::1"), index_of("one")));
              expect_ok(changes.undo_ours());
              EXPECT(!is_up("one"));
          }) == "");
}

TEST_CASE("a host route that others made is not deleted, though the kernel did not use it when it was wanted") {
    CHECK(in_namespace([] {
              SandboxMachine machine;
              run("sysctl -q net.ipv4.conf.all.ignore_routes_with_linkdown=1 && ip link set one up");  // without a
                                                                                                       // carrier
              run("ip route add 192.0.2.1/32 dev one proto static scope link");
              EXPECT(!expect(expect(network::NetlinkRequests::open()).has_route(ip("192.0.2.1"))));
              Changes changes = machine.changes();
              expect_ok(changes.add_host_route(ip("192.0.2.1"), index_of("one")));
              expect_ok(changes.undo_ours());
              run("ip route show 192.0.2.1 dev one | grep -q .");
              EXPECT(machine.clean());
          }) == "");
}

TEST_CASE("sixteen host routes and no more, and two instances share one") {
    CHECK(in_namespace([] {
              SandboxMachine machine;
              run("ip link set one up; ip link set two up");
              Changes changes = machine.changes();
              for (int i = 1; i <= 16; ++i)
                  expect_ok(changes.add_host_route(ip(base::format("2001:db8::%d", i)), index_of("one")));
              const auto refused = changes.add_host_route(ip("2001:db8::99"), index_of("one"));
              EXPECT(!refused && refused.error().code == base::ExitCode::unavailable);
              EXPECT(!expect(expect(network::NetlinkRequests::open()).has_route(ip("2001:db8::99"))));
              Peer other([&] { expect_ok(machine.changes().add_host_route(ip("2001:db8::1"), index_of("one"))); },
                         [&] { expect_ok(machine.changes().undo_ours()); });
              expect_ok(changes.undo_ours());
              auto requests = expect(network::NetlinkRequests::open());
              EXPECT(expect(requests.has_route(ip("2001:db8::1"))));
              EXPECT(!expect(requests.has_route(ip("2001:db8::2"))));
              other.finish();
              EXPECT(!expect(requests.has_route(ip("2001:db8::1"))));
              EXPECT(machine.clean());
          }) == "");
}

TEST_CASE("the console level is lowered, never raised, and put back unless somebody has changed it since") {
    struct Row {
        const char* before;
        const char* lowered;
        const char* meanwhile;  // what somebody else writes, or nullptr
        const char* after;
    };
    const Row rows[] = {
        {"7", "5", nullptr, "7"}, {"15", "5", nullptr, "15"}, {"6", "5", nullptr, "6"}, {"5", "5", nullptr, "5"},
        {"4", "4", nullptr, "4"}, {"1", "1", nullptr, "1"},   {"7", "5", "3", "3"},     {"7", "5", "8", "8"},
    };
    const auto first_number = [](const std::string& text) { return text.substr(0, text.find_first_of("\t\n")); };
    for (const Row& row : rows) {
        INFO(row.before);
        CHECK(in_child([&] {
                  SandboxMachine machine;
                  write_text(machine.paths.printk, std::string(row.before) + "\t4\t1\t7\n");
                  Changes changes = machine.changes();
                  expect_ok(changes.lower_console_level());
                  EXPECT(first_number(content_of(machine.paths.printk)) == row.lowered);
                  expect_ok(changes.lower_console_level());
                  if (row.meanwhile != nullptr)
                      write_text(machine.paths.printk, std::string(row.meanwhile) + "\t4\t1\t7\n");
                  expect_ok(changes.restore_console_level());
                  EXPECT(first_number(content_of(machine.paths.printk)) == row.after);
                  EXPECT(machine.clean());
                  expect_ok(changes.restore_console_level());
                  expect_ok(changes.undo_ours());
              }) == "");
    }
    CHECK(in_child([&] {  // by others while it was lowered
              SandboxMachine machine;
              Changes changes = machine.changes();
              expect_ok(changes.lower_console_level());
              write_text(machine.paths.printk, "8\t4\t1\t7\n");
              expect_ok(changes.lower_console_level());
              EXPECT(first_number(content_of(machine.paths.printk)) == "5");
              expect_ok(changes.restore_console_level());
              EXPECT(first_number(content_of(machine.paths.printk)) == "8");
          }) == "");
    CHECK(in_child([] {
              SandboxMachine machine;
              machine.paths.printk = machine.directory / "missing";
              const auto refused = machine.changes().lower_console_level();
              EXPECT(!refused && refused.error().message().find("cannot keep kernel messages off the console") == 0);
              EXPECT(machine.clean());
          }) == "");
}
