// SPDX-License-Identifier: GPL-3.0-or-later
//
// A worker that has been taken over asks for what it should not get.
#include "bootkey/monitor/guarded_administration.hpp"

#include <net/if.h>

#include <map>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::monitor;

namespace {

/// Writes down what it is asked for.
class Recorder final : public changes::Administration {
public:
    void start_hooks(Proceed proceed) override {
        asked.emplace_back("hooks");
        proceed_ = std::move(proceed);
    }
    void bring_up(std::uint32_t interface, Done done) override {
        asked.push_back("up " + std::to_string(interface));
        done({});
    }
    void add_host_route(const base::IpAddress& destination, std::uint32_t interface, Done done) override {
        asked.push_back("route " + destination.text() + " over " + std::to_string(interface));
        done(base::Error{base::ExitCode::unavailable, "cannot", "full", ""});
    }
    void remove_host_route(const base::IpAddress& destination, std::uint32_t, Done done) override {
        asked.push_back("no route " + destination.text());
        done({});
    }
    void lower_console_level() override { asked.emplace_back("lower"); }
    void restore_console_level() override { asked.emplace_back("restore"); }

    std::vector<std::string> asked;
    Proceed proceed_;
};

network::Link link(std::uint32_t index, const char* name, unsigned flags = IFF_BROADCAST) {
    network::Link link;
    link.index = index;
    link.name = name;
    link.flags = flags;
    return link;
}

struct GuardScene {
    std::map<std::uint32_t, network::Link> links = {
        {1, link(1, "lo", IFF_LOOPBACK)}, {2, link(2, "eth0")}, {3, link(3, "wlan0")}, {4, link(4, "eth1")}};
    base::Log log;
    std::vector<std::string> warnings;
    Recorder administration;
    std::vector<ToWorker> replies;
    GuardedAdministration guard;

    explicit GuardScene(const std::vector<std::string>& interfaces = {"eth*,none,wlan0"})
        : guard(
              administration, network::InterfaceChoice(interfaces, false),
              [this](std::uint32_t index) -> base::Result<std::optional<network::Link>> {
                  const auto found = links.find(index);
                  return found != links.end() ? std::optional(found->second) : std::nullopt;
              },
              log) {
        log.add_sink([this](const base::LogEntry& entry) { warnings.push_back(entry.text); });
    }
    template <typename Request>
    void ask(const Request& request) {
        guard.request(request, [this](const ToWorker& reply) { replies.push_back(reply); });
    }
    /// Whether the last reply says that it was done.
    [[nodiscard]] bool done() const { return !std::get<Done>(replies.back()).error; }
};

}  // namespace

TEST_CASE("interfaces are brought up if they are among those to be used") {
    GuardScene scene;
    scene.ask(BringUp{10, 2});
    CHECK(std::get<Done>(scene.replies.back()).number == 10);
    CHECK(scene.done());
    scene.ask(BringUp{11, 4});
    CHECK(scene.done());
    CHECK(scene.administration.asked == std::vector<std::string>{"up 2", "up 4"});
    CHECK(scene.warnings.empty());
}

TEST_CASE("other interfaces are not brought up") {
    GuardScene scene;
    for (const std::uint32_t interface : {1u, 3u}) {  // loopback; one to be used if it is up already
        scene.ask(BringUp{interface, interface});
        CHECK_FALSE(scene.done());
    }
    CHECK(scene.warnings.size() == 2);
    scene.ask(BringUp{9, 77});
    CHECK_FALSE(scene.done());
    CHECK(scene.warnings.size() == 2);  // an interface may vanish at any time
    CHECK(scene.administration.asked.empty());
}

TEST_CASE("routes go to what may be a server, over interfaces that are used") {
    GuardScene scene;
    const auto route = [&](const char* destination, std::uint32_t interface) {
        scene.ask(AddHostRoute{1, interface, *base::IpAddress::parse(destination)});
    };
    for (const char* nobody : {"127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.251", "ff02::fb", "255.255.255.255",
                               "fe80::1", "169.254.1.1", "::ffff:127.0.0.1"}) {
        CAPTURE(nobody);
        route(nobody, 2);
        CHECK_FALSE(scene.done());
    }
    route("192.0.2.1", 1);
    CHECK_FALSE(scene.done());
    route("192.0.2.1", 77);
    CHECK_FALSE(scene.done());
    CHECK(scene.administration.asked.empty());

    route("192.0.2.1", 2);
    CHECK_FALSE(scene.done());  // the administration's own error is handed on
    CHECK(std::get<Done>(scene.replies.back()).error->why == "full");
    route("2001:db8::1", 3);
    CHECK(scene.administration.asked == std::vector<std::string>{"route 192.0.2.1 over 2", "route 2001:db8::1 over 3"});
    scene.ask(RemoveHostRoute{2, 2, *base::IpAddress::parse("192.0.2.1")});
    CHECK(scene.done());
}

TEST_CASE(
    "a worker that goes on asking for what it may not have is not sound, but not because of what may happen to a sound "
    "one") {
    GuardScene scene;
    for (int i = 0; i < 100; ++i) scene.ask(BringUp{9, 77});  // gone
    CHECK_FALSE(scene.guard.is_out_of_patience());
    for (int i = 0; i < GuardedAdministration::most_refusals - 1; ++i) scene.ask(BringUp{9, 1});
    CHECK_FALSE(scene.guard.is_out_of_patience());
    scene.ask(AddHostRoute{9, 2, *base::IpAddress::parse("::1")});
    CHECK(scene.guard.is_out_of_patience());
    scene.guard.be_patient_again();
    CHECK_FALSE(scene.guard.is_out_of_patience());
}

TEST_CASE("network hooks run once, however often a worker asks, and each worker is told when they are through") {
    GuardScene scene;
    scene.ask(StartHooks{});
    scene.ask(StartHooks{});
    CHECK(scene.administration.asked == std::vector<std::string>{"hooks"});
    CHECK(scene.replies.empty());
    scene.administration.proceed_({});
    CHECK(scene.replies.size() == 1);
    scene.ask(StartHooks{});
    CHECK(scene.replies.size() == 2);
    CHECK(scene.administration.asked == std::vector<std::string>{"hooks"});
}

TEST_CASE("the console level is lowered and restored") {
    GuardScene scene;
    scene.ask(LowerConsoleLevel{});
    scene.ask(RestoreConsoleLevel{});
    CHECK(scene.administration.asked == std::vector<std::string>{"lower", "restore"});
    CHECK(scene.replies.empty());
}
