// SPDX-License-Identifier: GPL-3.0-or-later
//
// A worker that has been taken over asks for what it should not get.
#include "bootkey/monitor/request_policy.hpp"

#include <net/if.h>

#include <map>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::monitor;

namespace {

network::Link link(std::uint32_t index, const char* name, unsigned flags = IFF_BROADCAST) {
    network::Link link;
    link.index = index;
    link.name = name;
    link.flags = flags;
    return link;
}

struct PolicyScene {
    std::map<std::uint32_t, network::Link> links = {
        {1, link(1, "lo", IFF_LOOPBACK)}, {2, link(2, "eth0")}, {3, link(3, "wlan0")}, {4, link(4, "eth1")}};
    base::Log log;
    std::vector<std::string> warnings;
    RequestPolicy policy;
    base::Time now{};

    explicit PolicyScene(const std::vector<std::string>& interfaces = {"eth*,none,wlan0"})
        : policy(
              network::InterfaceChoice(interfaces, false),
              [this](std::uint32_t index) -> base::Result<std::optional<network::Link>> {
                  const auto found = links.find(index);
                  return found != links.end() ? std::optional(found->second) : std::nullopt;
              },
              log) {
        log.add_sink([this](const base::LogEntry& entry) { warnings.push_back(entry.text); });
    }
    [[nodiscard]] bool allows(const changes::Request& request) { return policy.judge(request).ok(); }
    [[nodiscard]] bool allows_route(const char* destination, std::uint32_t interface) {
        return allows(changes::AddHostRoute{interface, *base::IpAddress::parse(destination)});
    }
    /// How many messages like this one, said at once, get that verdict before there is another.
    template <typename Message>
    std::size_t run_of(Verdict verdict, Message message, bool is_over = false) {
        std::size_t count = 0;
        while (count < 1'000'000 && policy.admit(message, now, is_over) == verdict) ++count;
        return count;
    }
};

}  // namespace

TEST_CASE("interfaces are brought up if they are among those to be used") {
    PolicyScene scene;
    CHECK(scene.allows(changes::BringUp{2}));
    CHECK(scene.allows(changes::BringUp{4}));
    CHECK(scene.warnings.empty());
}

TEST_CASE("other interfaces are not brought up") {
    PolicyScene scene;
    for (const std::uint32_t interface : {1u, 3u})  // loopback; one to be used if it is up already
        CHECK_FALSE(scene.allows(changes::BringUp{interface}));
    CHECK(scene.warnings.size() == 2);
    CHECK_FALSE(scene.allows(changes::BringUp{77}));
    CHECK(scene.warnings.size() == 2);  // an interface may vanish at any time
    scene.links[3].flags |= IFF_UP;
    CHECK(scene.allows(changes::BringUp{3}));
}

TEST_CASE("routes go to what may be a server, over interfaces that are used") {
    PolicyScene scene;
    for (const char* nobody : {"127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.251", "ff02::fb", "255.255.255.255",
                               "fe80::1", "169.254.1.1", "::ffff:127.0.0.1"}) {
        CAPTURE(nobody);
        CHECK_FALSE(scene.allows_route(nobody, 2));
    }
    CHECK_FALSE(scene.allows_route("192.0.2.1", 1));
    CHECK_FALSE(scene.allows_route("192.0.2.1", 77));
    CHECK(scene.allows_route("192.0.2.1", 2));
    CHECK(scene.allows_route("2001:db8::1", 3));
}

TEST_CASE("requests that the executor itself bounds are allowed") {
    PolicyScene scene;
    CHECK(scene.allows(changes::StartHooks{}));
    CHECK(scene.allows(changes::RemoveHostRoute{1, *base::IpAddress::parse("127.0.0.1")}));
    CHECK(scene.allows(changes::LowerConsoleLevel{}));
    CHECK(scene.allows(changes::RestoreConsoleLevel{}));
    CHECK(scene.warnings.empty());
}

TEST_CASE(
    "a worker that goes on asking for what it may not have is not sound, but not because of what may happen to a sound "
    "one") {
    PolicyScene scene;
    for (int i = 0; i < 100; ++i) CHECK_FALSE(scene.allows(changes::BringUp{77}));  // gone
    CHECK_FALSE(scene.policy.is_out_of_patience());
    for (int i = 0; i < RequestPolicy::max_refusals - 1; ++i) CHECK_FALSE(scene.allows(changes::BringUp{1}));
    CHECK_FALSE(scene.policy.is_out_of_patience());
    CHECK_FALSE(scene.allows_route("::1", 2));
    CHECK(scene.policy.is_out_of_patience());
    scene.policy.worker_started();
    CHECK_FALSE(scene.policy.is_out_of_patience());
}

TEST_CASE("each kind of message has its own allowance, and a new worker a whole one") {
    PolicyScene scene;
    for (int worker = 0; worker < 2; ++worker) {
        CHECK(scene.run_of(Verdict::handle, FromWorker(Ask{1, changes::StartHooks{}})) == 2048);
        CHECK(scene.policy.admit(FromWorker(Answer{}), scene.now, false) == Verdict::refuse);
        CHECK(scene.policy.admit(FromWorker(Failed{}), scene.now, false) == Verdict::refuse);
        CHECK(scene.run_of(Verdict::handle, FromWorker(AttemptNews{})) == 4096);
        for (const FromWorker& news : {FromWorker(InterfaceNews{}), FromWorker(AddressUsable{}), FromWorker(Idle{}),
                                       FromWorker(Echo{}), FromWorker(AttemptNews{})})
            CHECK(scene.policy.admit(news, scene.now, false) == Verdict::leave_out);
        CHECK(scene.policy.admit(FromWorker(Pong{}), scene.now, false) == Verdict::handle);
        CHECK(scene.run_of(Verdict::handle, FromWorker(LogLine{})) > 90'000);
        CHECK(scene.policy.admit(FromWorker(Pong{}), scene.now, false) == Verdict::end_process);
        scene.policy.worker_started();
    }
    scene.run_of(Verdict::handle, FromWorker(Ask{1, changes::StartHooks{}}));
    scene.now += std::chrono::seconds(1);
    CHECK(scene.run_of(Verdict::handle, FromWorker(Answer{})) == 64);
}

TEST_CASE("when the end has begun, processes may only log and give signs of life") {
    PolicyScene scene;
    for (const FromWorker& late : {FromWorker(Failed{}), FromWorker(Ask{1, changes::BringUp{2}}), FromWorker(Answer{}),
                                   FromWorker(InterfaceNews{}), FromWorker(AttemptNews{}), FromWorker(Echo{})})
        CHECK(scene.policy.admit(late, scene.now, true) == Verdict::ignore);
    CHECK(scene.policy.admit(FromWorker(LogLine{}), scene.now, true) == Verdict::handle);
    CHECK(scene.policy.admit(FromWorker(Pong{}), scene.now, true) == Verdict::handle);
    const FromDecryptor password(Password{});
    CHECK(scene.policy.admit(password, scene.now, false) == Verdict::handle);
    CHECK(scene.policy.admit(password, scene.now, true) == Verdict::ignore);
    CHECK(scene.policy.admit(FromDecryptor(Pong{}), scene.now, true) == Verdict::handle);
}

TEST_CASE("a decryptor asks for few passphrases, and what it says is bounded as well") {
    PolicyScene scene;
    const auto question = [&] { return scene.policy.admit(FromDecryptor(NeedPassphrase{}), scene.now, false); };
    int asked = 0;
    while (question() == Verdict::handle) ++asked;
    CHECK(asked == 16);
    CHECK(question() == Verdict::ignore);
    int said = 0;
    while (scene.policy.admit(FromDecryptor(LogLine{}), scene.now, false) == Verdict::handle) ++said;
    CHECK(said > 19'000);
    CHECK(scene.policy.admit(FromDecryptor(LogLine{}), scene.now, false) == Verdict::end_process);
    scene.policy.decryptor_started();
    CHECK(scene.policy.admit(FromDecryptor(LogLine{}), scene.now, false) == Verdict::handle);
}
