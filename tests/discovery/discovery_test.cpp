// SPDX-License-Identifier: GPL-3.0-or-later
//
// The whole room against a real responder on the other side of a veth pair.
#include "bootkey/discovery/discovery.hpp"

#include <algorithm>
#include <map>

#include "bootkey/base/event_loop.hpp"
#include "catch.hpp"
#include "discovery/announcer.hpp"
#include "discovery/nudged_clock.hpp"
#include "discovery/two_machines.hpp"

using namespace bootkey;
using namespace bootkey::discovery;
using namespace bootkey::discovery::test;
using namespace std::chrono_literals;

namespace {

/// Collects what a Discovery tells.
struct DiscoveryScene {
    std::unique_ptr<base::EventLoop> loop = std::move(*base::EventLoop::create());
    base::Log log{9};
    std::vector<std::string> lines;
    TwoMachines machines;
    std::unique_ptr<Announcer> announcer;
    std::map<ServiceId, Service> services;
    std::vector<std::pair<base::Time, Service>> found;
    std::vector<ServiceId> lost;
    std::unique_ptr<Discovery> discovery;

    DiscoveryScene() {
        log.add_sink([this](const base::LogEntry& entry) { lines.push_back(entry.text); });
        machines.in_theirs([this] { announcer = std::make_unique<Announcer>(*loop); });
        REQUIRE(run_until(
            *loop, [this] { return announcer->running(); }, 5s));
    }

    void publish(const std::string& name, std::uint16_t port) {
        announcer->publish(name, port, {"version=1"});
        REQUIRE(run_until(
            *loop, [this] { return announcer->established(); }, 5s));
    }

    [[nodiscard]] bool said(const std::string& text) const {
        return std::any_of(lines.begin(), lines.end(),
                           [&](const auto& line) { return line.find(text) != std::string::npos; });
    }

    void start(Browsing browsing = Browsing::on) {
        auto made = Discovery::create(
            *loop, log,
            {.found =
                 [this](const Service& service) {
                     found.emplace_back(loop->now(), service);
                     services[service.id] = service;
                 },
             .lost =
                 [this](const ServiceId& id) {
                     lost.push_back(id);
                     services.erase(id);
                 }},
            [](const base::IpAddress& candidate) { return candidate == address(TwoMachines::our_v6); }, browsing);
        REQUIRE(made);
        discovery = std::move(*made);
    }
};

}  // namespace

TEST_CASE("a service that is there is found within milliseconds, and once", "[network]") {
    NEEDS_TWO_MACHINES();
    DiscoveryScene scene;
    scene.publish("Mandos", 4711);
    scene.start();
    const auto asked = scene.loop->now();
    scene.discovery->address_usable(scene.machines.our_index(), address(TwoMachines::our_v6));
    run_for(*scene.loop, 4s);
    REQUIRE(scene.found.size() == 1);
    CHECK(scene.found[0].first - asked < 100ms);
    const Service& service = scene.found[0].second;
    CHECK(service.id == ServiceId{"Mandos", scene.machines.our_index(), AF_INET6});
    CHECK(service.host == "server.local");
    CHECK(service.txt == std::vector<std::string>{"version=1"});
    CHECK(service.endpoints ==
          std::vector<base::Endpoint>{{address(TwoMachines::their_v6), 4711, scene.machines.our_index()}});
    CHECK(scene.lost.empty());
}

TEST_CASE("a service that is announced later is found from its announcement", "[network]") {
    NEEDS_TWO_MACHINES();
    DiscoveryScene scene;
    scene.start();
    scene.discovery->address_usable(scene.machines.our_index(), address(TwoMachines::our_v6));
    run_for(*scene.loop, 4s);  // all one-shot questions but the browser's have been asked
    CHECK(scene.found.empty());
    scene.publish("Mandos", 4711);  // returns with the announcement on its way
    const auto announced = scene.loop->now();
    REQUIRE(run_until(
        *scene.loop, [&] { return !scene.found.empty(); }, 5s));
    CHECK(base::to_seconds(scene.found[0].first - announced) < 0.1);  // a browser alone takes longer: 0.1 s and more
    run_for(*scene.loop, 1s);
    CHECK(scene.found.size() == 1);
    CHECK(scene.services.begin()->second.txt == std::vector<std::string>{"version=1"});

    scene.announcer->withdraw();
    REQUIRE(run_until(
        *scene.loop, [&] { return scene.lost.size() == 1; }, 5s));
    CHECK(scene.services.empty());
    scene.announcer->publish("Mandos", 4712);
    REQUIRE(run_until(
        *scene.loop, [&] { return !scene.services.empty(); }, 5s));
    CHECK(scene.services.begin()->second.endpoints.at(0).port == 4712);
}

TEST_CASE("IPv4 that comes later is asked too", "[network]") {
    NEEDS_TWO_MACHINES();
    DiscoveryScene scene;
    scene.publish("Mandos", 4711);
    scene.start();
    scene.discovery->address_usable(scene.machines.our_index(), address(TwoMachines::our_v6));
    REQUIRE(run_until(
        *scene.loop, [&] { return scene.services.size() == 1; }, 1s));
    scene.machines.add_v4();
    scene.discovery->address_usable(scene.machines.our_index(), address(TwoMachines::our_v4));
    // The responder has to probe for its own new address before it tells of it.
    const base::Endpoint wanted{address(TwoMachines::their_v4), 4711, scene.machines.our_index()};
    const auto told = [&] {
        const auto known = scene.services.find({"Mandos", scene.machines.our_index(), AF_INET});
        if (known == scene.services.end()) return false;
        const auto& endpoints = known->second.endpoints;
        return std::find(endpoints.begin(), endpoints.end(), wanted) != endpoints.end();
    };
    CHECK(run_until(*scene.loop, told, 5s));
}

TEST_CASE("an interface that is gone is forgotten without a word and found anew", "[network]") {
    NEEDS_TWO_MACHINES();
    DiscoveryScene scene;
    scene.publish("Mandos", 4711);
    scene.start();
    for (std::size_t round = 1; round <= 2; ++round) {
        scene.discovery->address_usable(scene.machines.our_index(), address(TwoMachines::our_v6));
        REQUIRE(run_until(
            *scene.loop, [&] { return scene.found.size() == round; }, 1s));
        run_for(*scene.loop, 500ms);  // the browser sees it too
        scene.discovery->interface_gone(scene.machines.our_index());
        run_for(*scene.loop, 1200ms);
        CHECK(scene.found.size() == round);
        CHECK(scene.lost.empty());
    }
}

TEST_CASE("without the browser services are found too, late ones within seconds", "[network]") {
    NEEDS_TWO_MACHINES();
    DiscoveryScene scene;
    scene.start(Browsing::off);
    scene.discovery->address_usable(scene.machines.our_index(), address(TwoMachines::our_v6));
    run_for(*scene.loop, 4s);
    scene.publish("Mandos", 4711);
    CHECK(scene.found.empty());
    CHECK(run_until(
        *scene.loop, [&] { return scene.found.size() == 1; }, 8s));
}

TEST_CASE("asking again on demand finds what was not announced to us", "[network]") {
    NEEDS_TWO_MACHINES();
    DiscoveryScene scene;
    scene.start(Browsing::off);
    scene.discovery->address_usable(scene.machines.our_index(), address(TwoMachines::our_v6));
    run_for(*scene.loop, 3500ms);
    scene.publish("Mandos", 4711);
    scene.discovery->ask_again();
    CHECK(run_until(
        *scene.loop, [&] { return scene.found.size() == 1; }, 200ms));
}

TEST_CASE("when the wall clock is set, browsing begins anew and nothing flaps", "[network]") {
    NEEDS_TWO_MACHINES();
    NEEDS_A_CLOCK_TO_SET();
    DiscoveryScene scene;
    scene.publish("Mandos", 4711);
    scene.start();
    scene.discovery->address_usable(scene.machines.our_index(), address(TwoMachines::our_v6));
    run_for(*scene.loop, 1s);
    REQUIRE(scene.found.size() == 1);
    nudge_clock();
    REQUIRE(run_until(
        *scene.loop, [&] { return scene.said("browsing for servers anew"); }, 1s));
    run_for(*scene.loop, 2s);
    CHECK(scene.found.size() == 1);
    CHECK(scene.lost.empty());
    scene.announcer->withdraw();  // the new browser is at work
    CHECK(run_until(
        *scene.loop, [&] { return scene.lost.size() == 1; }, 3s));
}
