// SPDX-License-Identifier: GPL-3.0-or-later
//
// The browser against a real responder and against hand-made packets.
#include "bootkey/discovery/avahi_browser.hpp"

#include <algorithm>

#include "catch.hpp"
#include "discovery/announcer.hpp"
#include "discovery/responder.hpp"
#include "discovery/two_machines.hpp"

using namespace bootkey;
using namespace bootkey::discovery;
using namespace bootkey::discovery::test;
using namespace std::chrono_literals;

namespace {

struct BrowserScene {
    std::unique_ptr<base::EventLoop> loop = std::move(*base::EventLoop::create());
    base::Log log{9};
    std::vector<std::string> lines;
    TwoMachines machines;
    std::vector<ServiceId> appeared, withdrawn;
    std::vector<DnsAnswer> heard;
    std::vector<Sighting> changed;
    std::unique_ptr<AvahiBrowser> browser;
    std::unique_ptr<Announcer> announcer;
    std::unique_ptr<Responder> responder;

    BrowserScene() {
        log.add_sink([this](const base::LogEntry& entry) { lines.push_back(entry.text); });
    }

    void browse() {
        auto made = AvahiBrowser::create(
            *loop, log,
            {.appeared = [this](const ServiceId& id) { appeared.push_back(id); },
             .heard = [this](std::uint32_t, int, const DnsAnswer& answer) { heard.push_back(answer); },
             .changed = [this](const Sighting& sighting) { changed.push_back(sighting); },
             .withdrawn = [this](const ServiceId& id) { withdrawn.push_back(id); },
             .failed = [] { FAIL("the browser failed"); }});
        REQUIRE(made);
        browser = std::move(*made);
        browser->join(machines.our_index());
    }
    void announce() {
        machines.in_theirs([this] { announcer = std::make_unique<Announcer>(*loop); });
        REQUIRE(run_until(
            *loop, [this] { return announcer->running(); }, 5s));
    }
    void respond_by_hand() {
        machines.in_theirs([this] {
            responder = std::make_unique<Responder>(*loop, AF_INET6, machines.their_index(), [](const auto&) {});
        });
    }
    [[nodiscard]] std::vector<base::IpAddress> latest_addresses() const {
        auto addresses = changed.empty() ? std::vector<base::IpAddress>() : changed.back().addresses;
        std::sort(addresses.begin(), addresses.end());
        return addresses;
    }
};

/// An announcement, as multicast to everybody.
Bytes announcement(const std::vector<Bytes>& records) {
    return answer(records, {}, 0);
}

const Bytes browsed_type = name("_mandos._tcp.local");
const Bytes browsed_instance = name("Mandos._mandos._tcp.local");

std::vector<Bytes> service_records(unsigned port = 4711) {
    return {record(browsed_type, type_ptr, browsed_instance, class_in, 120),
            record(browsed_instance, type_srv, srv(port, name("server.local")), class_flush, 120),
            record(browsed_instance, type_txt, label("one") + label("two"), class_flush, 120),
            record(name("server.local"), type_aaaa, v6(2), class_flush, 120)};
}

}  // namespace

TEST_CASE("a service's coming, all of its addresses, and its going are told", "[network]") {
    NEEDS_TWO_MACHINES();
    BrowserScene scene;
    scene.machines.in_theirs([] { TwoMachines::run("ip address add 2001:db8::2/64 dev theirs"); });
    scene.machines.add_v4();
    scene.browse();
    scene.announce();
    scene.announcer->publish("Caf\xc3\xa9 \\ dot. one", 4711, {"a=1"});
    const auto expected_v4 = std::vector{address("192.0.2.2"), address("2001:db8::2")};
    const auto seen = [&](int family, std::uint16_t port, const std::vector<base::IpAddress>& wanted) {
        return std::any_of(scene.changed.begin(), scene.changed.end(), [&](const Sighting& sighting) {
            auto addresses = sighting.addresses;
            std::sort(addresses.begin(), addresses.end());
            return sighting.id == ServiceId{"Caf\xc3\xa9 \\ dot. one", scene.machines.our_index(), family} &&
                   sighting.port == port && sighting.host == "server.local" &&
                   sighting.txt == std::vector<std::string>{"a=1"} && addresses == wanted;
        });
    };
    // avahi-core announces global addresses rather than link-local ones where there are some.
    CHECK(run_until(
        *scene.loop, [&] { return seen(AF_INET6, 4711, {address("2001:db8::2")}); }, 5s));
    CHECK(run_until(
        *scene.loop, [&] { return seen(AF_INET, 4711, expected_v4); }, 5s));
    CHECK(scene.appeared.size() == 2);
    CHECK(scene.withdrawn.empty());

    scene.machines.in_theirs([] { TwoMachines::run("ip address add 2001:db8::3/64 dev theirs"); });
    CHECK(run_until(
        *scene.loop,
        [&] {
            return seen(AF_INET6, 4711, {address("2001:db8::2"), address("2001:db8::3")});
        },
        5s));
    scene.machines.in_theirs([] { TwoMachines::run("ip address del 2001:db8::2/64 dev theirs"); });
    scene.changed.clear();
    CHECK(run_until(
        *scene.loop, [&] { return seen(AF_INET6, 4711, {address("2001:db8::3")}); }, 5s));

    scene.announcer->withdraw();
    CHECK(run_until(
        *scene.loop, [&] { return scene.withdrawn.size() == 2; }, 5s));
}

TEST_CASE("a service that comes back on another port is told", "[network]") {
    NEEDS_TWO_MACHINES();
    BrowserScene scene;
    scene.browse();
    scene.respond_by_hand();
    scene.responder->multicast(announcement(service_records(1)));
    REQUIRE(run_until(
        *scene.loop, [&] { return !scene.latest_addresses().empty() && !scene.changed.back().txt.empty(); }, 2s));
    CHECK(scene.changed.back().port == 1);
    CHECK(scene.changed.back().txt == std::vector<std::string>{"one", "two"});
    scene.responder->multicast(announcement(service_records(2)));
    CHECK(run_until(
        *scene.loop, [&] { return scene.changed.back().port == 2; }, 2s));
    run_for(*scene.loop, 1500ms);  // the old record expires a second later
    CHECK(scene.changed.back().port == 2);
    CHECK(scene.withdrawn.empty());
}

TEST_CASE("nothing is announced and nobody else's questions are answered", "[network]") {
    NEEDS_TWO_MACHINES();
    BrowserScene scene;
    scene.respond_by_hand();
    scene.browse();
    run_for(*scene.loop, 1500ms);
    scene.responder->multicast(u16(0) + u16(0) + u16(1) + u16(0) + u16(0) + u16(0) + name("bootkey.local") + u16(255) +
                               u16(1));
    run_for(*scene.loop, 1500ms);
    scene.browser.reset();
    run_for(*scene.loop, 200ms);
    int questions = 0;
    for (const auto& heard : scene.responder->heard()) {
        CHECK((static_cast<unsigned char>(heard.message.at(2)) & 0x80) == 0);  // no response
        CHECK(heard.message.substr(8, 2) == u16(0));                           // no authority records: no probe
        if (heard.message.find("_mandos") != std::string::npos) ++questions;
    }
    CHECK(questions >= 1);
}

TEST_CASE("only joined interfaces are asked, and a left one is silent", "[network]") {
    NEEDS_TWO_MACHINES();
    BrowserScene scene;
    scene.respond_by_hand();
    scene.browse();
    scene.browser->leave(scene.machines.our_index());
    run_for(*scene.loop, 1s);
    const auto asks = [&] {
        return std::count_if(scene.responder->heard().begin(), scene.responder->heard().end(),
                             [](const auto& heard) { return heard.message.find("_mandos") != std::string::npos; });
    };
    CHECK(asks() == 0);
    scene.responder->multicast(announcement(service_records()));
    run_for(*scene.loop, 200ms);
    CHECK(scene.appeared.empty());
    scene.browser->join(scene.machines.our_index());
    CHECK(run_until(
        *scene.loop, [&] { return asks() > 0 && scene.appeared.size() == 1; }, 2s));
    scene.browser->leave(scene.machines.our_index());
    run_for(*scene.loop, 200ms);
    CHECK(scene.withdrawn.empty());
}

TEST_CASE("an interface that goes down and comes back is browsed on", "[network]") {
    NEEDS_TWO_MACHINES();
    BrowserScene scene;
    scene.browse();
    run_for(*scene.loop, 100ms);
    scene.machines.run("ip link set ours down; ip link set ours up && ip address add fe80::1/64 dev ours");
    scene.announce();
    scene.announcer->publish("Mandos", 4711);
    CHECK(run_until(
        *scene.loop, [&] { return !scene.changed.empty(); }, 5s));
}

TEST_CASE("an interface that appears after it was joined is browsed", "[network]") {
    NEEDS_TWO_MACHINES();
    BrowserScene scene;
    scene.browse();
    scene.browser->join(77);
    run_for(*scene.loop, 100ms);
    scene.machines.run("ip link add later index 77 type veth peer name peer netns " + scene.machines.their_namespace());
    scene.machines.run("ip link set later up");
    scene.machines.in_theirs([] { TwoMachines::run("ip link set theirs down; ip link set peer up"); });
    scene.announce();
    scene.announcer->publish("Mandos", 4711);
    REQUIRE(run_until(
        *scene.loop, [&] { return !scene.changed.empty(); }, 10s));
    CHECK(scene.changed[0].id.interface == 77);
}

TEST_CASE("aliases that make avahi-core abort do not reach it", "[network]") {
    NEEDS_TWO_MACHINES();
    BrowserScene scene;
    scene.browse();
    scene.respond_by_hand();
    const auto alias = [](const Bytes& from, const Bytes& to, unsigned ttl) {
        return record(from, type_cname, to, class_in, ttl);
    };
    const std::vector<std::vector<Bytes>> attacks = {
        {alias(browsed_type, browsed_type, 120)},
        {alias(browsed_type, name("a.local"), 120), alias(name("a.local"), name("b.local"), 1),
         alias(name("b.local"), browsed_type, 1)},
        {alias(browsed_instance, name("a.local"), 1),
         record(name("a.local"), type_srv, srv(1, name("b.local")), class_in, 1)},
        {alias(name("server.local"), name("server.local"), 120), alias(name("server.local"), name("x.local"), 1)},
    };
    for (int round = 0; round < 2; ++round) {
        for (const auto& attack : attacks) {
            scene.responder->multicast(announcement(attack));
            scene.responder->multicast(announcement(service_records()));
            auto mixed = service_records();
            mixed.insert(mixed.begin(), attack.begin(), attack.end());
            scene.responder->multicast(announcement(mixed));
        }
        run_for(*scene.loop, 2200ms);
    }
    scene.responder->multicast(announcement(service_records(99)));
    CHECK(run_until(
        *scene.loop, [&] { return !scene.changed.empty() && scene.changed.back().port == 99; }, 2s));
}

TEST_CASE("a flood of announcements is followed only so far", "[network]") {
    NEEDS_TWO_MACHINES();
    BrowserScene scene;
    scene.browse();
    scene.respond_by_hand();
    for (unsigned batch = 0; batch < 20; ++batch) {
        std::vector<Bytes> records;
        for (unsigned i = 0; i < 20; ++i)
            records.push_back(record(browsed_type, type_ptr, label("n" + std::to_string(batch * 20 + i)) + browsed_type,
                                     class_in, 120));
        scene.responder->multicast(announcement(records));
        run_for(*scene.loop, 10ms);
    }
    // All 20 are heard, but only as many reach Avahi as make it full.
    constexpr std::size_t followed = (AvahiBrowser::most_services + 19) / 20 * 20;
    REQUIRE(run_until(
        *scene.loop, [&] { return scene.heard.size() == 20 && scene.appeared.size() >= followed; }, 3s));
    run_for(*scene.loop, 300ms);
    CHECK(scene.heard.size() == 20);
    CHECK(scene.appeared.size() == followed);
    CHECK(scene.withdrawn.size() == followed - AvahiBrowser::most_services);
    std::size_t first_ones = 0;
    for (unsigned i = 0; i < 20; ++i)  // those of the first announcement made room
        first_ones += static_cast<std::size_t>(
            std::count(scene.withdrawn.begin(), scene.withdrawn.end(),
                       ServiceId{"n" + std::to_string(i), scene.machines.our_index(), AF_INET6}));
    CHECK(first_ones == scene.withdrawn.size());
    // What is followed still may change and go.
    scene.responder->multicast(
        announcement({record(browsed_type, type_ptr, label("n100") + browsed_type, class_in, 0)}));
    CHECK(run_until(
        *scene.loop, [&] { return scene.withdrawn.back().name == "n100"; }, 3s));
}

TEST_CASE("announcements are told as they are heard, and not from an interface that was left", "[network]") {
    NEEDS_TWO_MACHINES();
    BrowserScene scene;
    scene.browse();
    scene.respond_by_hand();
    scene.responder->multicast(announcement(service_records()));
    REQUIRE(run_until(
        *scene.loop, [&] { return !scene.heard.empty(); }, 2s));
    CHECK(scene.changed.empty());  // Avahi has not said anything yet
    CHECK(scene.heard[0].pointers.size() == 1);
    REQUIRE(scene.heard[0].locations.size() == 1);
    CHECK(scene.heard[0].locations[0].port == 4711);
    scene.browser->leave(scene.machines.our_index());
    scene.responder->multicast(announcement(service_records(4712)));
    run_for(*scene.loop, 100ms);
    CHECK(scene.heard.size() == 1);
}

TEST_CASE("Avahi's own lines go to the log, as debugging") {
    NEEDS_TWO_MACHINES();
    BrowserScene scene;
    scene.browse();
    run_for(*scene.loop, 50ms);
    const auto from_avahi = [&] {
        return std::count_if(scene.lines.begin(), scene.lines.end(),
                             [](const auto& line) { return line.starts_with("avahi: "); });
    };
    CHECK(from_avahi() > 0);
    scene.browser.reset();
    scene.lines.clear();
    scene.log.set_level(8);
    scene.browse();
    run_for(*scene.loop, 50ms);
    CHECK(from_avahi() == 0);
}
