// SPDX-License-Identifier: GPL-3.0-or-later
//
// Changes to a real kernel that several instances share: the last one undoes them, whoever is killed; and what one
// without root may do.

#include <sys/stat.h>
#include <unistd.h>

#include "bootkey/base/text.hpp"
#include "catch.hpp"
#include "sandbox_machine.hpp"

using namespace bootkey;
using namespace bootkey::changes;
using namespace bootkey::changes::fixture;

TEST_CASE("of two instances the last one takes the interface down, in both orders") {
    CHECK(in_namespace([] {
              for (const bool first_ends_first : {true, false}) {
                  SandboxMachine machine;
                  const auto begin = [&] {
                      Changes changes = machine.changes();
                      expect_ok(changes.bring_up(index_of("one")));
                      expect_ok(changes.lower_console_level());
                  };
                  const auto end = [&] { expect_ok(machine.changes().undo_ours()); };
                  Peer first(begin, end);
                  Peer second(begin, end);
                  (first_ends_first ? first : second).finish();
                  EXPECT(is_up("one") && accept_dad("one") == "0");
                  EXPECT(content_of(machine.paths.printk).substr(0, 1) == "5");
                  (first_ends_first ? second : first).finish();
                  EXPECT(!is_up("one") && accept_dad("one") == "1");
                  EXPECT(content_of(machine.paths.printk).substr(0, 1) == "7");
                  EXPECT(machine.clean());
              }
          }) == "");
}

TEST_CASE("what a killed instance left is undone by the next one") {
    CHECK(in_namespace([] {
              SandboxMachine machine;
              std::string home;
              const auto begin = [&] {
                  Changes changes = machine.changes();
                  expect_ok(changes.bring_up(index_of("one")));
                  expect_ok(changes.lower_console_level());
                  run("ip link set two up");
                  run("ip addr add 2001:db8::1/64 dev two nodad");
                  expect_ok(changes.add_host_route(ip("2001:db8:1::1"), index_of("one")));
                  write_text(expect(changes.make_home()) + "/key", "secret");
              };
              Peer killed(begin, [] {});
              Changes next = machine.changes();
              EXPECT(expect(next.undo_left_over()) == 0);  // it still runs
              EXPECT(is_up("one"));
              killed.kill();
              EXPECT(is_up("one"));
              EXPECT(expect(next.undo_left_over()) == 5);
              EXPECT(!is_up("one") && accept_dad("one") == "1");
              EXPECT(content_of(machine.paths.printk).substr(0, 1) == "7");
              EXPECT(!expect(expect(network::NetlinkRequests::open()).has_route(ip("2001:db8:1::1"))));
              EXPECT(machine.clean());
              EXPECT(expect(next.undo_left_over()) == 0);
          }) == "");
}

TEST_CASE("a killed instance does not keep an interface from being taken down, nor one that lives from using it") {
    CHECK(in_namespace([] {
              SandboxMachine machine;
              const auto begin = [&] { expect_ok(machine.changes().bring_up(index_of("one"))); };
              const auto end = [&] { expect_ok(machine.changes().undo_ours()); };
              Peer killed(begin, end);
              Peer living(begin, end);
              killed.kill();
              EXPECT(expect(machine.changes().undo_left_over()) == 0);
              EXPECT(is_up("one"));
              living.finish();
              EXPECT(!is_up("one"));
              EXPECT(machine.clean());
          }) == "");
}

TEST_CASE("an interface over which another instance has a route goes down when that one ends") {
    CHECK(in_namespace([] {
              SandboxMachine machine;
              run("ip link set two up && ip link set one up");
              const auto add_route = [&](Changes& changes) {
                  expect_ok(changes.add_host_route(ip("2001:db8:1::1"), index_of("one")));
              };
              Changes other = machine.changes();
              add_route(other);
              run("ip link set one down");
              Peer first(
                  [&] {
                      Changes changes = machine.changes();
                      expect_ok(changes.bring_up(index_of("one")));
                      add_route(changes);
                  },
                  [&] { expect_ok(machine.changes().undo_ours()); });
              first.finish();
              EXPECT(is_up("one") && expect(expect(network::NetlinkRequests::open()).has_route(ip("2001:db8:1::1"))));
              expect_ok(other.undo_ours());
              EXPECT(!is_up("one") && accept_dad("one") == "1");
              EXPECT(machine.clean());
          }) == "");
}

TEST_CASE("an instance in another network namespace leaves the journal's other entries alone") {
    CHECK(in_namespace([] {
              SandboxMachine machine;
              // The same index and name exist in both namespaces.
              Peer here([&] { expect_ok(machine.changes().bring_up(index_of("one"))); }, [] {});
              here.kill();
              const std::string before = machine.journal();
              const std::uint32_t index = index_of("one");
              EXPECT(in_child([&] {
                         EXPECT(unshare(CLONE_NEWNET) == 0);
                         run(base::format("ip link add name one index %u type veth peer name two", index));
                         run("ip link set one up");
                         EXPECT(expect(machine.changes().undo_left_over()) == 0);
                         Changes changes = machine.changes();
                         expect_ok(changes.bring_up(index_of("two")));
                         expect_ok(changes.undo_ours());
                         EXPECT(is_up("one") && !is_up("two"));
                     }) == "");
              EXPECT(machine.journal() == before);
              EXPECT(is_up("one"));
              EXPECT(expect(machine.changes().undo_left_over()) == 2);
              EXPECT(!is_up("one"));
              EXPECT(machine.clean());
          }) == "");
}

TEST_CASE("without root an interface that is up can be used, and one that is down is refused") {
    SandboxMachine machine;  // goes away with its owner's rights
    CHECK(in_namespace([&machine] {
              run("ip link set one up");
              EXPECT(chmod(machine.directory.path().c_str(), 0755) == 0);
              EXPECT(setgid(65534) == 0 && setuid(65534) == 0);
              Changes changes = machine.changes();
              EXPECT(expect(changes.undo_left_over()) == 0);
              expect_ok(changes.bring_up(index_of("one")));
              const auto refused = changes.bring_up(index_of("two"));
              EXPECT(!refused && refused.error().code == base::ExitCode::no_permission);
              EXPECT(refused.error().message().find("cannot bring up interface two") == 0);
              EXPECT(refused.error().message().find("run bootkey as root") != std::string::npos);
              const auto route = changes.add_host_route(ip("2001:db8::1"), index_of("one"));
              EXPECT(!route && route.error().code == base::ExitCode::no_permission);
              EXPECT(!changes.lower_console_level());
              expect_ok(changes.restore_console_level());
              expect_ok(changes.undo_ours());
          }) == "");
}

TEST_CASE("root's journal is no concern of a user without permission") {
    SandboxMachine machine;
    CHECK(in_namespace([&machine] {
              if (chmod(machine.directory.path().c_str(), 0755) != 0) throw std::runtime_error("chmod");
              expect_ok(machine.changes().bring_up(index_of("one")));
              const std::string journal = machine.journal();
              EXPECT(in_child([&machine] {
                         EXPECT(setgid(65534) == 0 && setuid(65534) == 0);
                         Changes changes = machine.changes();
                         expect_ok(changes.bring_up(index_of("one")));
                         EXPECT(!changes.lower_console_level());
                         expect_ok(changes.restore_console_level());
                         expect_ok(changes.undo_ours());
                         const auto refused = changes.undo_left_over();
                         EXPECT(!refused && refused.error().code == base::ExitCode::no_permission);
                     }) == "");
              EXPECT(machine.journal() == journal && is_up("one"));
              expect_ok(machine.changes().undo_ours());
          }) == "");
}

TEST_CASE("a user without capabilities but with a journal of his own is refused by the kernel, and nothing stays") {
    SandboxMachine machine;  // goes away with its owner's rights
    CHECK(in_namespace([&machine] {
              EXPECT(chmod(machine.directory.path().c_str(), 0777) == 0);
              EXPECT(setgid(65534) == 0 && setuid(65534) == 0);
              Changes changes = machine.changes();
              const auto refused = changes.bring_up(index_of("one"));
              EXPECT(!refused && refused.error().code == base::ExitCode::no_permission);
              EXPECT(machine.clean());
              const std::string home = expect(changes.make_home());
              EXPECT(std::filesystem::exists(home));
              expect_ok(changes.undo_ours());
              EXPECT(!std::filesystem::exists(home));
              EXPECT(machine.clean());
          }) == "");
}
