// SPDX-License-Identifier: GPL-3.0-or-later
//
// Changes to a real kernel, in network namespaces made for each test: made, shared by instances, undone on every way
// out, and left alone where somebody else has come to rely on them.
#include "bootkey/network/changes.hpp"

#include <net/if.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "bootkey/base/text.hpp"
#include "sandbox_fixture.hpp"

using namespace bootkey;
using namespace bootkey::network;
using namespace bootkey::network::fixture;

namespace {

base::IpAddress ip(const std::string& text) {
    return base::IpAddress::parse(text).value();
}

// A machine's files of which the tests have their own, and the kernel's own view of the rest.
struct Machine {
    TemporaryDirectory directory;
    RememberingLog log;
    Paths paths;

    Machine() {
        paths = Paths::with_journal_in(directory / "run");
        paths.home_parents = {directory / "run", directory.path()};
        paths.boot_configuration = directory.path();
        paths.printk = directory / "printk";
        write_text(paths.printk, "7\t4\t1\t7\n");
    }
    Changes changes() { return expect(Changes::open(log.log, paths)); }
    std::string journal() const { return content_of(paths.journal_directory + "/journal"); }
    bool clean() const { return !std::filesystem::exists(paths.journal_directory); }
};

std::uint32_t index_of(const char* name) {
    return if_nametoindex(name);
}

Link find(const char* name) {
    return expect(expect(NetlinkRequests::open()).link(index_of(name))).value();
}
bool is_up(const char* name) {
    return (find(name).flags & IFF_UP) != 0;
}

std::string accept_dad(const std::string& name) {
    const std::string text = content_of("/proc/sys/net/ipv6/conf/" + name + "/accept_dad");
    return text.substr(0, text.find('\n'));
}

void expect_ok(const base::Result<void>& result) {
    if (!result) throw std::runtime_error(result.error().message());
}

// Whether `condition` comes true within five seconds.
template <typename Condition>
bool soon(Condition condition) {
    for (int i = 0; i < 500; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

}  // namespace

TEST_CASE("an interface is brought up without duplicate address detection, and taken down again") {
    CHECK(in_namespace([] {
              Machine machine;
              Changes changes = machine.changes();
              EXPECT(!is_up("one") && accept_dad("one") == "1");
              expect_ok(changes.bring_up(index_of("one")));
              EXPECT(is_up("one") && accept_dad("one") == "0");
              EXPECT(!is_up("two"));
              run("ip link set two up");  // gives "one" a carrier, and the kernel makes addresses and routes
              EXPECT(soon([] { return expect(expect(NetlinkRequests::open()).addresses(index_of("one"))).size() == 1; }));
              expect_ok(changes.undo_ours());
              EXPECT(!is_up("one") && accept_dad("one") == "1");
              EXPECT(is_up("two") && accept_dad("two") == "1");
              EXPECT(machine.clean());
              expect_ok(changes.undo_ours());
          }) == "");
}

TEST_CASE("an interface that is up, or gone, is nothing to undo") {
    CHECK(in_namespace([] {
              Machine machine;
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
              Machine machine;
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
                  Machine machine;
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
              Machine machine;
              Changes changes = machine.changes();
              expect_ok(changes.bring_up(index_of("one")));
              write_text(machine.directory / "net-one.conf", "DEVICE='one'\n");
              expect_ok(changes.undo_ours());
              EXPECT(is_up("one"));
              EXPECT(machine.log.has("net-one.conf was written for it"));
          }) == "");
}

TEST_CASE("what was on an interface before is no reason to leave it up") {
    CHECK(in_namespace([] {
              Machine machine;
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

TEST_CASE("of two instances the last one takes the interface down, in both orders") {
    CHECK(in_namespace([] {
              for (const bool first_ends_first : {true, false}) {
                  Machine machine;
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
              Machine machine;
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
              EXPECT(!expect(expect(NetlinkRequests::open()).has_route(ip("2001:db8:1::1"))));
              EXPECT(machine.clean());
              EXPECT(expect(next.undo_left_over()) == 0);
          }) == "");
}

TEST_CASE("a killed instance does not keep an interface from being taken down, nor one that lives from using it") {
    CHECK(in_namespace([] {
              Machine machine;
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

TEST_CASE("an instance in another network namespace leaves the journal's other entries alone") {
    CHECK(in_namespace([] {
              Machine machine;
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
    Machine machine;  // goes away with its owner's rights
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
    Machine machine;
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
    Machine machine;  // goes away with its owner's rights
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
                  Machine machine;
                  run("ip link set one up; ip link set two up");
                  run(row.before);
                  Changes changes = machine.changes();
                  expect_ok(changes.add_host_route(ip(row.destination), index_of("one")));
                  EXPECT(machine.clean() == !row.added);
                  auto requests = expect(NetlinkRequests::open());
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
              Machine machine;
              run("ip link set two up");
              Changes changes = machine.changes();
              expect_ok(changes.bring_up(index_of("one")));
              expect_ok(changes.add_host_route(ip("2001:db8:1::1"), index_of("one")));
              expect_ok(changes.undo_ours());
              EXPECT(!is_up("one"));
          }) == "");
}

TEST_CASE("sixteen host routes and no more; two instances share one") {
    CHECK(in_namespace([] {
              Machine machine;
              run("ip link set one up; ip link set two up");
              Changes changes = machine.changes();
              for (int i = 1; i <= 16; ++i)
                  expect_ok(changes.add_host_route(ip(base::format("2001:db8::%d", i)), index_of("one")));
              const auto refused = changes.add_host_route(ip("2001:db8::99"), index_of("one"));
              EXPECT(!refused && refused.error().code == base::ExitCode::unavailable);
              EXPECT(!expect(expect(NetlinkRequests::open()).has_route(ip("2001:db8::99"))));
              Peer other([&] { expect_ok(machine.changes().add_host_route(ip("2001:db8::1"), index_of("one"))); },
                         [&] { expect_ok(machine.changes().undo_ours()); });
              expect_ok(changes.undo_ours());
              auto requests = expect(NetlinkRequests::open());
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
                  Machine machine;
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
    CHECK(in_child([] {
              Machine machine;
              machine.paths.printk = machine.directory / "missing";
              const auto refused = machine.changes().lower_console_level();
              EXPECT(!refused && refused.error().message().find("cannot keep kernel messages off the console") == 0);
              EXPECT(machine.clean());
          }) == "");
}

TEST_CASE("homes are made in memory only, are private, and go with what is in them") {
    Machine machine;
    if (machine.directory.path().rfind("/dev/shm", 0) != 0) {
        WARN("SKIPPED: needs a /dev/shm to write to");
        return;
    }
    Changes changes = machine.changes();
    const std::string home = expect(changes.make_home());
    struct stat status {};
    REQUIRE(stat(home.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0700);
    CHECK(home.rfind(machine.paths.journal_directory + "/bootkey-home-", 0) == 0);
    CHECK(machine.journal().find(home) != std::string::npos);
    const std::string outside = machine.directory / "outside";
    std::filesystem::create_directories(home + "/private-keys-v1.d/deeper");
    std::filesystem::create_directories(outside);
    write_text(outside + "/precious", "kept");
    write_text(home + "/private-keys-v1.d/deeper/key", "secret");
    std::filesystem::create_symlink(outside, home + "/link-to-directory");
    std::filesystem::create_symlink(outside + "/precious", home + "/private-keys-v1.d/link-to-file");
    std::filesystem::create_symlink("nowhere", home + "/broken");
    const std::string second = expect(changes.make_home());
    CHECK(second != home);
    CHECK(changes.undo_ours().ok());
    CHECK_FALSE(std::filesystem::exists(home));
    CHECK_FALSE(std::filesystem::exists(second));
    CHECK(content_of(outside + "/precious") == "kept");
    CHECK(machine.clean());

    machine.paths.home_parents = {"/proc", "/nowhere"};
    const auto refused = machine.changes().make_home();
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == base::ExitCode::cannot_create);
}

TEST_CASE("an agent that runs in a home is ended") {
    Machine machine;
    if (access("/usr/bin/gpg-agent", X_OK) != 0 || machine.directory.path().rfind("/dev/shm", 0) != 0) {
        WARN("SKIPPED: needs gpg-agent and a /dev/shm to write to");
        return;
    }
    Changes changes = machine.changes();
    const std::string home = expect(changes.make_home());
    run("/usr/bin/gpg-agent --quiet --homedir " + home + " --daemon >/dev/null 2>&1");
    const auto is_running = [&home] {
        for (const auto& process : std::filesystem::directory_iterator("/proc"))
            if (content_of(process.path() / "comm") == "gpg-agent\n" &&
                content_of(process.path() / "cmdline").find(home) != std::string::npos)
                return true;
        return false;
    };
    REQUIRE(std::filesystem::exists(home + "/S.gpg-agent"));
    REQUIRE(is_running());
    CHECK(changes.undo_ours().ok());
    CHECK_FALSE(std::filesystem::exists(home));
    bool running = true;
    for (int i = 0; i < 200 && (running = is_running()); ++i)
        usleep(5000);  // the last part of its exit is the kernel's
    CHECK_FALSE(running);
    CHECK(machine.clean());
}

TEST_CASE("an agent that does not answer, and a socket that nobody serves, hold nothing up for long") {
    Machine machine;
    if (machine.directory.path().rfind("/dev/shm", 0) != 0) {
        WARN("SKIPPED: needs a /dev/shm to write to");
        return;
    }
    for (const bool listening : {true, false}) {
        Changes changes = machine.changes();
        const std::string home = expect(changes.make_home());
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        home.copy(address.sun_path, sizeof address.sun_path - 1);
        std::string(address.sun_path).append("/S.gpg-agent").copy(address.sun_path, sizeof address.sun_path - 1);
        const base::UniqueFd mute(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(bind(mute.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        if (listening) REQUIRE(listen(mute.get(), 1) == 0);
        const auto before = base::Clock::now();
        CHECK(changes.undo_ours().ok());
        CHECK(base::Clock::now() - before < std::chrono::milliseconds(900));
        CHECK_FALSE(std::filesystem::exists(home));
    }
}

TEST_CASE("directories that bootkey cannot have made are never removed") {
    Machine machine;
    const std::string precious = machine.directory / "precious";
    std::filesystem::create_directories(precious);
    std::filesystem::create_directories(machine.paths.journal_directory);
    write_text(machine.paths.journal_directory + "/journal",
               "directory 0 - " + precious + "\n" + "directory 0 - " + precious + "/bootkey-home-0123456789abcdef\n" +
                   "directory 0 - " + machine.directory.path() + "/bootkey-home-0123456789abcdef/../precious\n" +
                   "directory 0 - /etc\n");
    const auto undone = machine.changes().undo_left_over();
    REQUIRE(undone.ok());
    CHECK(*undone == 0);
    CHECK(std::filesystem::exists(precious));
    CHECK_FALSE(std::filesystem::exists(machine.paths.journal_directory + "/journal"));
    CHECK(std::filesystem::exists(machine.paths.journal_directory));  // that, bootkey did not make
}

TEST_CASE("every kind of nonsense in the journal is survived") {
    const char* const texts[] = {
        "",
        "\n\n\n",
        "link",
        "link 0 - 1",
        "link 0 - 1 lo 0 -\n",
        "garbage\xff\xfe\x01 \n\x80",
        "console 0 - 99\nconsole 0 - -1\nconsole 0 -\n",
        "route 0 - 4000000000 ::1\nroute 0 1:2 1 nonsense\n",
        "accept_dad 0 - 77 9\n",
    };
    for (const char* text : texts) {
        INFO(text);
        Machine machine;
        std::filesystem::create_directories(machine.paths.journal_directory);
        write_text(machine.paths.journal_directory + "/journal", text);
        Changes changes = machine.changes();
        CHECK(changes.undo_left_over().ok());
        CHECK(changes.lower_console_level().ok());
        CHECK(changes.undo_ours().ok());
        CHECK(content_of(machine.paths.printk).substr(0, 1) == "7");
        CHECK_FALSE(std::filesystem::exists(machine.paths.journal_directory + "/journal"));
    }
}
