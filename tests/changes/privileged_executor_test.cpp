// SPDX-License-Identifier: GPL-3.0-or-later
//
// The whole of it through its interface: answers from the loop, everything put back in time, instances killed and
// restored.
#include "bootkey/changes/privileged_executor.hpp"

#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string>

#include "bootkey/base/address.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/network/netlink_request.hpp"
#include "catch.hpp"
#include "network/sandbox_fixture.hpp"

using namespace bootkey;
using namespace bootkey::changes;
using namespace bootkey::network::fixture;
using namespace std::chrono_literals;

namespace {

struct ExecutorFixture {
    TemporaryDirectory directory;
    RememberingLog log;
    std::string runtime = directory / "run";
    std::string hooks = directory / "hooks";
    std::unique_ptr<base::EventLoop> loop;
    std::unique_ptr<PrivilegedExecutor> executor;
    std::vector<base::Result<void>> answers;

    ExecutorFixture() { run("ip link set lo up"); }  // as on a machine that has booted

    void open() {
        loop = expect(base::EventLoop::create());
        executor =
            expect(PrivilegedExecutor::create(*loop, log.log, {hooks, "", "0.1", "", false, 100ms, 60s}, runtime));
    }
    Done answer() {
        return [this](const Reply& reply) { answers.push_back(reply.result); };
    }
    void bring_up(const char* name) { executor->perform(BringUp{if_nametoindex(name)}, answer()); }
    /// Starts the hooks; `over` says whether the reply has come.
    void start_hooks(bool& over) {
        executor->perform(StartHooks{}, [&over](const Reply&) { over = true; });
    }
    bool wait(std::size_t count) {
        return run_until(*loop, [this, count] { return answers.size() >= count; });
    }
    void put_back() {
        const std::size_t count = answers.size();
        executor->put_back([done = answer()](const base::Result<void>& result) { done({result}); });
        EXPECT(answers.size() == count);
        EXPECT(wait(count + 1));
    }
    bool clean() const { return !std::filesystem::exists(runtime); }
};

bool is_up(const char* name) {
    return (expect(expect(network::NetlinkRequests::open()).link(if_nametoindex(name))).value().flags & IFF_UP) != 0;
}

// Whether the kernel sends what is for a neighbour of that address to everybody.
bool is_called_by_broadcasts(const std::string& address, const std::string& interface) {
    run("ip route add " + address + " dev " + interface);
    const base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const base::Endpoint neighbour{base::IpAddress::parse(address).value(), 4711, 0};
    sockaddr_storage storage{};
    const socklen_t length = neighbour.to_socket_address(storage);
    EXPECT(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 && errno == EINPROGRESS);
    const bool so = std::system(("ip -4 neighbour show nud noarp | grep -q " + address).c_str()) == 0;
    run("ip route del " + address + " dev " + interface);
    return so;
}

}  // namespace

TEST_CASE("answers come once, in order, and never before the call returns") {
    CHECK(in_namespace([] {
              ExecutorFixture f;
              f.open();
              EXPECT(f.clean());
              f.bring_up("one");
              f.bring_up("two");
              f.executor->perform(BringUp{4711}, f.answer());
              f.executor->perform(AddHostRoute{if_nametoindex("one"), base::IpAddress::parse("2001:db8::1").value()},
                                  f.answer());
              EXPECT(f.answers.empty() && !is_up("one"));
              EXPECT(f.wait(4));
              EXPECT(f.answers[0].ok() && f.answers[1].ok() && !f.answers[2].ok() && f.answers[3].ok());
              EXPECT(is_up("one") && is_up("two"));
              const std::string home = expect(f.executor->make_home());
              EXPECT(std::filesystem::exists(home));
              f.put_back();
              EXPECT(f.answers.back().ok());
              EXPECT(!is_up("one") && !is_up("two") && !std::filesystem::exists(home));
              EXPECT(f.clean());
              f.put_back();  // again: nothing to do, and still an answer
              f.bring_up("one");
              EXPECT(f.wait(7) && !f.answers.back().ok() && !is_up("one"));
              EXPECT(f.answers.size() == 7);
          }) == "");
}

TEST_CASE(
    "the loopback interface is brought up before anything else, or no neighbour could be called, and taken down "
    "again") {
    CHECK(in_namespace([] {
              ExecutorFixture f;
              EXPECT(unshare(CLONE_NEWNET) == 0);  // where it has never been up
              run("ip link add name one type veth peer name two");
              EXPECT(!is_up("lo"));
              f.open();
              f.bring_up("one");
              EXPECT(f.wait(1) && is_up("lo") && is_up("one"));
              EXPECT(!is_called_by_broadcasts("192.0.2.1", "one"));
              f.put_back();
              EXPECT(!is_up("lo") && !is_up("one") && f.clean());
          }) == "");
}

TEST_CASE("the loopback interface stays up after an instance that was killed, for the system may have booted since") {
    CHECK(in_namespace([] {
              ExecutorFixture f;
              EXPECT(unshare(CLONE_NEWNET) == 0);
              Peer killed([&f] { f.open(); }, [] {});
              EXPECT(is_up("lo"));
              killed.kill();
              EXPECT(expect(restore(f.log.log, f.runtime)) == 0);
              EXPECT(is_up("lo") && f.clean());
          }) == "");
}

TEST_CASE("an executor that is destroyed puts everything back") {
    CHECK(in_namespace([] {
              ExecutorFixture f;
              f.open();
              f.bring_up("one");
              f.executor->perform(BringUp{if_nametoindex("two")}, [&f](const Reply&) { f.executor.reset(); });
              f.executor->perform(BringUp{4711}, f.answer());
              EXPECT(run_until(*f.loop, [&f] { return f.executor == nullptr; }));
              EXPECT(f.answers.size() == 1);
              EXPECT(!is_up("one") && !is_up("two") && f.clean());
          }) == "");
}

TEST_CASE("an executor that is destroyed while its stop hooks run puts everything back, too") {
    CHECK(in_namespace([] {
              ExecutorFixture f;
              std::filesystem::create_directory(f.hooks);
              write_text(f.hooks + "/a", "#!/bin/sh\n[ $1 = start ] || exec sleep 1000\n");
              chmod((f.hooks + "/a").c_str(), 0755);
              f.open();
              bool started = false;
              f.start_hooks(started);
              EXPECT(run_until(
                  *f.loop, [&started] { return started; }, 5s));
              f.bring_up("one");
              EXPECT(f.wait(1) && is_up("one"));
              f.executor->put_back([done = f.answer()](const base::Result<void>& result) { done({result}); });
              EXPECT(!run_until(
                  *f.loop, [&f] { return f.answers.size() > 1; }, 100ms));
              f.executor.reset();
              EXPECT(f.answers.size() == 1 && !is_up("one") && f.clean());
          }) == "");
}

TEST_CASE("whatever the hooks do, everything is put back within 4.5 seconds") {
    CHECK(in_namespace([] {
              ExecutorFixture f;
              std::filesystem::create_directory(f.hooks);
              for (const char* name : {"a", "b", "c", "d"}) {
                  write_text(f.hooks + '/' + name, "#!/bin/sh\ntrap '' TERM\necho " + std::string(name) + " $1 >> " +
                                                       f.directory.path() + "/noted\nwhile :; do sleep 1; done\n");
                  chmod((f.hooks + '/' + name).c_str(), 0755);
              }
              f.open();
              bool proceeded = false;
              f.start_hooks(proceeded);
              EXPECT(!proceeded && run_until(*f.loop, [&proceeded] { return proceeded; }));
              f.bring_up("one");
              EXPECT(f.wait(1) && is_up("one"));
              const auto before = f.loop->now();
              f.put_back();
              EXPECT(f.loop->now() - before < 4500ms);
              EXPECT(!is_up("one") && f.clean());
              for (const char* name : {"a stop\n", "b stop\n", "c stop\n", "d stop\n"})
                  EXPECT(content_of(f.directory / "noted").find(name) != std::string::npos);
          }) == "");
}

TEST_CASE("hooks run once, however often that is asked for, and each who asks is told when they are through") {
    CHECK(in_namespace([] {
              ExecutorFixture f;
              std::filesystem::create_directory(f.hooks);
              write_text(f.hooks + "/a", "#!/bin/sh\necho $1 >> " + f.directory.path() + "/noted\n");
              chmod((f.hooks + "/a").c_str(), 0755);
              f.open();
              bool first = false;
              bool second = false;
              bool third = false;
              f.start_hooks(first);
              f.start_hooks(second);  // a worker that was started again
              EXPECT(!second && run_until(*f.loop, [&second] { return second; }));
              EXPECT(!first);
              f.start_hooks(third);
              EXPECT(!third && run_until(*f.loop, [&third] { return third; }));
              EXPECT(content_of(f.directory / "noted") == "start\n");
              f.put_back();
          }) == "");
}

TEST_CASE("an interface that only a hook made, and deletes, is nothing to take down") {
    CHECK(in_namespace([] {
              ExecutorFixture f;
              std::filesystem::create_directory(f.hooks);
              write_text(
                  f.hooks + "/bridge",
                  "#!/bin/sh\n[ $1 = start ] && ip link add br0 type bridge\n[ $1 = stop ] && ip link del br0\ntrue\n");
              chmod((f.hooks + "/bridge").c_str(), 0755);
              f.open();
              bool proceeded = false;
              f.start_hooks(proceeded);
              EXPECT(run_until(*f.loop, [&proceeded] { return proceeded; }));
              f.bring_up("br0");
              EXPECT(f.wait(1) && is_up("br0"));
              f.put_back();
              EXPECT(f.answers.back().ok());
              EXPECT(if_nametoindex("br0") == 0 && f.clean());
          }) == "");
}

TEST_CASE("restore() and every new instance undo what a killed one left") {
    for (const bool by_restore : {true, false})
        CHECK(in_namespace([by_restore] {
                  ExecutorFixture f;
                  Peer killed(
                      [&f] {
                          f.open();
                          f.bring_up("one");
                          EXPECT(f.wait(1) && is_up("lo") && is_up("one"));
                          write_text(expect(f.executor->make_home()) + "/key", "secret");
                      },
                      [] {});
                  EXPECT(is_up("one") && expect(restore(f.log.log, f.runtime)) == 0);
                  killed.kill();
                  if (by_restore)
                      EXPECT(expect(restore(f.log.log, f.runtime)) == 3);  // the link, its setting, the home
                  else
                      f.open();
                  EXPECT(!is_up("one") && f.clean());
                  EXPECT(expect(restore(f.log.log, f.runtime)) == 0);
              }) == "");
}
