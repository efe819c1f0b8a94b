// SPDX-License-Identifier: GPL-3.0-or-later
//
// The monitor against the real kernel, in a network namespace of its own.
#include "bootkey/network/rtnetlink.hpp"

#include <net/if.h>

#include "bootkey/base/text.hpp"
#include "bootkey/network/netlink_request.hpp"
#include "catch.hpp"
#include "sandbox_fixture.hpp"

using namespace bootkey;
using namespace bootkey::network;
using namespace bootkey::network::fixture;

namespace {

struct RtnetlinkFixture {
    RememberingLog log;
    std::unique_ptr<base::EventLoop> loop = expect(base::EventLoop::create());
    int dumps = 0;
    std::string told;
    std::unique_ptr<RtnetlinkMonitor> monitor = expect(RtnetlinkMonitor::open(
        *loop, log.log, [this](const Event& event) { note(event); }, [this] { ++dumps; }));

    void note(const Event& event) {
        if (const auto* e = std::get_if<LinkChanged>(&event))
            told += (e->is_new ? "new " : "changed ") + e->link.name + ";";
        if (const auto* e = std::get_if<LinkRemoved>(&event)) told += "removed " + e->link.name + ";";
        if (const auto* e = std::get_if<AddressUsable>(&event)) told += "usable " + e->address.address.text() + ";";
        if (const auto* e = std::get_if<AddressGone>(&event)) told += "gone " + e->address.address.text() + ";";
    }
    bool has(const std::string& part) const { return told.find(part) != std::string::npos; }
    bool wait(const std::function<bool()>& condition) { return run_until(*loop, condition); }
    bool wait_for(const std::string& part) {
        return wait([&] { return has(part); });
    }
};

}  // namespace

TEST_CASE("the first dump tells everything, from the loop") {
    CHECK(in_namespace([] {
              run("ip addr add 192.0.2.1/24 dev one");
              RtnetlinkFixture f;
              EXPECT(f.told.empty() && f.dumps == 0);
              EXPECT(f.wait([&] { return f.dumps == 1; }));
              EXPECT(f.has("new lo;") && f.has("new one;") && f.has("new two;") && f.has("usable 192.0.2.1;"));
              EXPECT(f.monitor->table().links().size() == 3);
              EXPECT(f.monitor->table().find("one")->index == if_nametoindex("one"));
              EXPECT(!f.monitor->table().usable(if_nametoindex("one")));
          }) == "");
}

TEST_CASE("changes are followed: up, carrier, address, rename, controller, removal") {
    CHECK(in_namespace([] {
              RtnetlinkFixture f;
              EXPECT(f.wait([&] { return f.dumps == 1; }));
              const std::uint32_t index = if_nametoindex("one");
              const auto& table = f.monitor->table();
              run("echo 0 > /proc/sys/net/ipv6/conf/one/accept_dad; ip link set one up; ip link set two up");
              EXPECT(f.wait([&] { return table.usable(index); }));
              EXPECT(f.has("usable fe80::"));
              run("ip addr add 192.0.2.1/24 peer 192.0.2.2 dev one");
              EXPECT(f.wait_for("usable 192.0.2.1;"));
              run("ip addr del 192.0.2.1/24 peer 192.0.2.2 dev one");
              EXPECT(f.wait_for("gone 192.0.2.1;"));
              run("ip link set one name enp1s0");
              EXPECT(f.wait_for("changed enp1s0;"));
              EXPECT(table.find("enp1s0")->index == index && table.find("one") == nullptr);
              run("ip link set two down");
              EXPECT(f.wait([&] { return !table.usable(index); }));
              run("ip link add br0 type bridge; ip link set enp1s0 master br0");
              EXPECT(f.wait([&] { return table.find(index)->controller == if_nametoindex("br0"); }));
              // Leaving a bridge is reported as the removal of a port: the interface stays.
              run("ip link set enp1s0 nomaster");
              EXPECT(f.wait([&] { return table.find(index) != nullptr && table.find(index)->controller == 0; }));
              EXPECT(!f.has("removed enp1s0;"));
              run("ip link del two");
              EXPECT(f.wait_for("removed enp1s0;"));
              EXPECT(f.has("removed two;"));
              EXPECT(table.find(index) == nullptr);
              EXPECT(f.dumps == 1);
          }) == "");
}

TEST_CASE("a tentative address is told when it has become usable") {
    CHECK(in_namespace([] {
              run("ip link set one up; ip link set two up");
              RtnetlinkFixture f;
              EXPECT(f.wait([&] { return f.dumps == 1; }));
              run("ip addr add 2001:db8::1/64 dev one");  // tentative for a second or two
              bool seen_early = false;
              EXPECT(f.wait([&] {
                  const auto addresses = expect(expect(NetlinkRequests::open()).addresses(if_nametoindex("one")));
                  for (const AddressDetail& detail : addresses)
                      if (detail.address.address.text() == "2001:db8::1" && (detail.flags & 0x40) != 0 &&
                          f.has("usable 2001:db8::1;"))
                          seen_early = true;
                  return f.has("usable 2001:db8::1;");
              }));
              EXPECT(!seen_early);
          }) == "");
}

TEST_CASE("after an overrun the table is right again") {
    CHECK(in_namespace([] {
              run("ip link set one up");
              RtnetlinkFixture f;
              EXPECT(f.wait([&] { return f.dumps == 1; }));
              // Some thousand notifications that nobody reads, far beyond the socket's buffer.
              {
                  std::ofstream batch("/dev/shm/bootkey-test-batch-" + std::to_string(getpid()));
                  for (int i = 0; i < 4000; ++i)
                      batch << base::format("addr add 10.0.%d.%d/32 dev one\n", i / 250, i % 250 + 1);
                  for (int i = 0; i < 3000; ++i)
                      batch << base::format("addr del 10.0.%d.%d/32 dev one\n", i / 250, i % 250 + 1);
              }
              const std::string file = "/dev/shm/bootkey-test-batch-" + std::to_string(getpid());
              run("ip -batch " + file + "; rm -f " + file);
              run("ip link del two; ip link add name three type bridge");
              run("ip link set three up");
              EXPECT(f.wait([&] {
                  return f.monitor->table().links().size() == 2 && f.monitor->table().find("three") != nullptr;
              }));
              EXPECT(f.log.has("reports on interfaces were lost"));
              EXPECT(f.monitor->table().addresses().empty());  // they went with the interface
              EXPECT(f.dumps == 1);
          }) == "");
    CHECK(in_namespace([] {
              run("ip link set one up");
              RtnetlinkFixture f;
              EXPECT(f.wait([&] { return f.dumps == 1; }));
              const std::string file = "/dev/shm/bootkey-test-batch-" + std::to_string(getpid());
              {
                  std::ofstream batch(file);
                  for (int i = 0; i < 3000; ++i)
                      batch << base::format("addr add 10.0.%d.%d/32 dev one\n", i / 250, i % 250 + 1);
              }
              run("ip -batch " + file + "; rm -f " + file);
              EXPECT(f.wait([&] { return f.monitor->table().addresses().size() >= 3000; }));
              EXPECT(f.log.has("reports on interfaces were lost"));
          }) == "");
}

TEST_CASE("a dump of a table that changes under it is made again") {
    CHECK(in_namespace([] {
              // A writer that keeps changing the addresses while monitors dump them.
              run("ip link set one up; ip link set two up");
              const std::string file = "/dev/shm/bootkey-test-batch-" + std::to_string(getpid());
              {
                  std::ofstream batch(file);
                  for (int i = 0; i < 1500; ++i)
                      batch << base::format("addr add 10.0.%d.%d/32 dev one\n", i / 250, i % 250 + 1);
                  for (int i = 0; i < 1500; ++i)
                      batch << base::format("addr del 10.0.%d.%d/32 dev one\n", i / 250, i % 250 + 1);
              }
              Peer writer([] {}, [&file] { run("ip -batch " + file + "; rm -f " + file); });
              Peer reader([] {},
                          [] {
                              for (int i = 0; i < 20; ++i) {
                                  RtnetlinkFixture f;
                                  EXPECT(f.wait([&] { return f.dumps == 1; }));
                                  EXPECT(f.monitor->table().links().size() == 3);
                              }
                          });
              writer.begin_end();
              reader.finish();
              writer.finish();
              RtnetlinkFixture f;
              EXPECT(f.wait([&] { return f.dumps == 1; }));
              EXPECT(!f.has("usable 10."));
          }) == "");
}

TEST_CASE("a listener may destroy the monitor") {
    CHECK(in_namespace([] {
              RememberingLog log;
              const auto loop = expect(base::EventLoop::create());
              std::unique_ptr<RtnetlinkMonitor> monitor;
              int events = 0;
              monitor = expect(RtnetlinkMonitor::open(
                  *loop, log.log,
                  [&](const Event&) {
                      ++events;
                      monitor.reset();
                  },
                  [] { throw std::runtime_error("called after the end"); }));
              EXPECT(run_until(*loop, [&] { return monitor == nullptr; }));
              EXPECT(!run_until(
                  *loop, [&] { return events > 1; }, std::chrono::milliseconds(50)));
          }) == "");
}

TEST_CASE("the kernel's own words are in the errors of requests") {
    CHECK(in_namespace([] {
              auto requests = expect(NetlinkRequests::open());
              const auto address = base::IpAddress::parse("2001:db8::1").value();
              const auto down = requests.add_host_route(address, if_nametoindex("one"));  // which is down
              EXPECT(!down);
              EXPECT(down.error().message().find("cannot add the route to 2001:db8::1") == 0);
              EXPECT(down.error().why.find('(') != std::string::npos);  // what the kernel added to errno's text
              EXPECT(!expect(requests.link(4711)));
              EXPECT(!expect(requests.delete_host_route(address, if_nametoindex("one"))));
              EXPECT(!expect(requests.delete_host_route(address, 4711)));
              EXPECT(expect(requests.addresses(4711)).empty());
              EXPECT(expect(requests.routes(4711)).empty());
          }) == "");
}
