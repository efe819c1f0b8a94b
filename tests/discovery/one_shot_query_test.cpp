// SPDX-License-Identifier: GPL-3.0-or-later
//
// Questions over a real link to a responder that answers by hand.
#include "bootkey/discovery/one_shot_query.hpp"

#include "catch.hpp"
#include "discovery/responder.hpp"
#include "discovery/two_machines.hpp"

using namespace bootkey;
using namespace bootkey::discovery;
using namespace bootkey::discovery::test;
using namespace std::chrono_literals;

namespace {

struct Scene {
    std::unique_ptr<base::EventLoop> loop = std::move(*base::EventLoop::create());
    base::Log log;
    TwoMachines machines;
    std::unique_ptr<Responder> responder;
    std::vector<Sighting> sightings;
    std::function<void(const Sighting&)> on_sighting;
    OneShotQuery query{*loop, log, [this](const Sighting& sighting) {
                           sightings.push_back(sighting);
                           if (on_sighting) on_sighting(sighting);
                       }};

    explicit Scene(int family = AF_INET6) {
        if (family == AF_INET) machines.add_v4();
        machines.in_theirs([&] {
            responder = std::make_unique<Responder>(*loop, family, machines.their_index(), [this](const auto& heard) {
                if (answer) answer(heard);
            });
        });
    }
    void ask(const char* local = TwoMachines::our_v6) { query.ask(machines.our_index(), address(local)); }
    bool heard(std::size_t count, base::Duration limit = 1s) {
        return run_until(
            *loop, [&] { return responder->heard().size() >= count; }, limit);
    }
    std::function<void(const Responder::Heard&)> answer;
};

const Bytes answered_instance = name("Mandos._mandos._tcp.local");

}  // namespace

TEST_CASE("the question is a legacy one: from an ephemeral port, with 255 hops", "[network]") {
    NEEDS_TWO_MACHINES();
    const auto family = GENERATE(AF_INET6, AF_INET);
    Scene scene(family);
    scene.ask(family == AF_INET6 ? TwoMachines::our_v6 : TwoMachines::our_v4);
    REQUIRE(scene.heard(1));
    const auto& heard = scene.responder->heard()[0];
    CHECK(heard.source_port != 5353);
    CHECK(heard.hops == 255);
    CHECK(heard.message == u16(heard.id()) + u16(0) + u16(1) + u16(0) + u16(0) + u16(0) + name("_mandos._tcp.local") +
                               u16(type_ptr) + u16(class_in));
}

TEST_CASE("an answer is told at once", "[network]") {
    NEEDS_TWO_MACHINES();
    const auto family = GENERATE(AF_INET6, AF_INET);
    Scene scene(family);
    scene.answer = [&](const auto& heard) { scene.responder->reply(heard, full_answer(heard.id())); };
    scene.ask(family == AF_INET6 ? TwoMachines::our_v6 : TwoMachines::our_v4);
    REQUIRE(run_until(
        *scene.loop, [&] { return !scene.sightings.empty(); }, 1s));
    CHECK(scene.sightings[0].id == ServiceId{"Mandos", scene.machines.our_index(), family});
    CHECK(scene.sightings[0].port == 4711);
    CHECK(scene.sightings[0].addresses == std::vector{address("fe80::2")});
}

TEST_CASE("it is asked after 0, 1 and 3 seconds, and the socket closed 3 seconds later", "[network]") {
    NEEDS_TWO_MACHINES();
    Scene scene;
    const auto start = scene.loop->now();
    scene.ask();
    REQUIRE(run_until(
        *scene.loop, [&] { return scene.query.open_sockets() == 0; }, 10s));
    CHECK(base::to_seconds(scene.loop->now() - start) == Approx(6).margin(0.3));
    REQUIRE(scene.responder->heard().size() == 3);
    const double expected[] = {0, 1, 3};
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(base::to_seconds(scene.responder->heard()[i].time - start) == Approx(expected[i]).margin(0.3));
}

TEST_CASE("what an answer lacks is asked for in turn", "[network]") {
    NEEDS_TWO_MACHINES();
    Scene scene;
    const Bytes pointer = record(name("_mandos._tcp.local"), type_ptr, answered_instance);
    const Bytes location = record(answered_instance, type_srv, srv(4711, name("server.local")));
    const Bytes host = record(name("server.local"), type_aaaa, v6(2));
    const std::vector<Bytes> answers = {pointer, location, host};
    std::size_t turn = 0;
    scene.answer = [&](const auto& heard) {
        if (turn < answers.size()) scene.responder->reply(heard, answer({answers[turn++]}, {}, heard.id()));
    };
    scene.ask();
    REQUIRE(run_until(
        *scene.loop, [&] { return !scene.sightings.empty(); }, 500ms));
    REQUIRE(scene.responder->heard().size() == 3);
    CHECK(scene.responder->heard()[1].message.substr(12) ==
          answered_instance + u16(type_srv) + u16(class_in) + answered_instance + u16(type_txt) + u16(class_in));
    CHECK(scene.responder->heard()[2].message.substr(12) ==
          name("server.local") + u16(type_aaaa) + u16(class_in) + name("server.local") + u16(type_a) + u16(class_in));
}

TEST_CASE("a responder that never says all cannot make us ask for ever", "[network]") {
    NEEDS_TWO_MACHINES();
    Scene scene;
    unsigned count = 0;
    scene.answer = [&](const auto& heard) {
        const Bytes instance = name("n" + std::to_string(count++) + "._mandos._tcp.local");
        scene.responder->reply(heard, answer({record(name("_mandos._tcp.local"), type_ptr, instance)}, {}, heard.id()));
    };
    scene.ask();
    run_for(*scene.loop, 800ms);
    CHECK(scene.responder->heard().size() == 9);  // the question and 8 more
}

TEST_CASE("answers that are not ours or not from the link are ignored", "[network]") {
    NEEDS_TWO_MACHINES();
    Scene scene(AF_INET);
    scene.machines.in_theirs([] { TwoMachines::run("ip address add 198.51.100.7/32 dev lo"); });
    scene.machines.run("ip route add 198.51.100.7/32 via 192.0.2.2 dev ours");  // lets it pass source validation
    scene.answer = [&](const Responder::Heard& heard) {
        scene.machines.in_theirs([&] {
            scene.responder->reply(heard, full_answer(heard.id() ^ 1, 1));              // another question's answer
            scene.responder->reply(heard, full_answer(heard.id(), 2), nullptr, 5354);   // not a responder's port
            scene.responder->reply(heard, full_answer(heard.id(), 3), "198.51.100.7");  // off-link
            scene.responder->reply(heard, "garbage");
            scene.responder->reply(heard, "");
            scene.responder->reply(heard, full_answer(heard.id(), 4));
        });
    };
    scene.ask(TwoMachines::our_v4);
    run_for(*scene.loop, 300ms);
    REQUIRE(scene.sightings.size() == 1);
    CHECK(scene.sightings[0].port == 4);
}

TEST_CASE("answers that come by another interface are ignored", "[network]") {
    NEEDS_TWO_MACHINES();
    Scene scene(AF_INET);
    scene.machines.run("ip link add ours2 type veth peer name theirs2 netns " + scene.machines.their_namespace());
    scene.machines.run(
        "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.ours2.rp_filter=0 && ip link set ours2 up");
    scene.machines.in_theirs(
        [] { TwoMachines::run("ip link set theirs2 up && ip route add 192.0.2.1/32 dev theirs2 src 192.0.2.2"); });
    scene.answer = [&](const auto& heard) { scene.responder->reply(heard, full_answer(heard.id(), 1)); };
    scene.ask(TwoMachines::our_v4);
    REQUIRE(scene.heard(2, 2s));  // the first answer may be waiting for ARP
    run_for(*scene.loop, 100ms);
    CHECK(scene.sightings.empty());
    scene.machines.in_theirs([] { TwoMachines::run("ip route del 192.0.2.1/32 dev theirs2"); });
    scene.query.ask_once_more(scene.machines.our_index(), address(TwoMachines::our_v4));
    CHECK(run_until(
        *scene.loop, [&] { return !scene.sightings.empty(); }, 2s));
}

TEST_CASE("a forgotten interface is neither asked nor listened to, also from inside its own news", "[network]") {
    NEEDS_TWO_MACHINES();
    Scene scene;
    scene.answer = [&](const auto& heard) {
        for (int i = 0; i < 5; ++i)
            scene.responder->reply(heard, full_answer(heard.id(), static_cast<unsigned>(i + 1)));
    };
    scene.on_sighting = [&](const Sighting& sighting) { scene.query.forget(sighting.id.interface); };
    scene.ask();
    run_for(*scene.loop, 1500ms);
    CHECK(scene.query.open_sockets() == 0);
    CHECK(scene.responder->heard().size() == 1);
}

TEST_CASE("asking once more pauses for a tenth of a second", "[network]") {
    NEEDS_TWO_MACHINES();
    Scene scene;
    const auto once_more = [&] { scene.query.ask_once_more(scene.machines.our_index(), address(TwoMachines::our_v6)); };
    once_more();
    for (int i = 0; i < 10; ++i) once_more();
    run_for(*scene.loop, 150ms);
    CHECK(scene.responder->heard().size() == 1);
    once_more();
    run_for(*scene.loop, 50ms);
    CHECK(scene.responder->heard().size() == 2);
}

TEST_CASE("an interface that is no more is an error in the log, not a failure", "[network]") {
    NEEDS_TWO_MACHINES();
    Scene scene;
    std::vector<std::string> lines;
    scene.log.add_sink([&](const base::LogEntry& entry) { lines.push_back(entry.text); });
    scene.query.ask(4000, address("fe80::9"));
    scene.query.ask(4000, address("192.0.2.9"));
    CHECK_FALSE(lines.empty());
    // A link that is down now may be up when the next question is due.
    scene.machines.run("ip link set ours down");
    scene.ask();
    scene.machines.run("ip link set ours up; ip address add fe80::1/64 dev ours");
    CHECK(scene.heard(1, 2s));
}

TEST_CASE("an announcement is taken in as an answer, and what it lacks is asked for", "[network]") {
    NEEDS_TWO_MACHINES();
    Scene scene;
    const auto take = [&](const std::vector<Bytes>& records) {
        scene.query.take(scene.machines.our_index(), address(TwoMachines::our_v6),
                         parse_answer(to_bytes(answer(records, {}, 0))).value());
    };
    const Bytes text = record(answered_instance, type_txt, label("version=1"));
    take({record(name("printer.local"), type_aaaa, v6(9))});
    CHECK(scene.query.open_sockets() == 0);  // no news about a server

    scene.answer = [&](const auto& heard) {
        scene.responder->reply(heard, answer({record(name("server.local"), type_aaaa, v6(2))}, {}, heard.id()));
    };
    take({text, record(answered_instance, type_srv, srv(4711, name("server.local")))});
    REQUIRE(run_until(
        *scene.loop, [&] { return !scene.sightings.empty(); }, 1s));
    CHECK(scene.sightings[0].id == ServiceId{"Mandos", scene.machines.our_index(), AF_INET6});
    CHECK(scene.sightings[0].addresses == std::vector{address("fe80::2")});
    REQUIRE(scene.responder->heard().size() == 1);
    CHECK(scene.responder->heard()[0].message.substr(12) ==
          name("server.local") + u16(type_aaaa) + u16(class_in) + name("server.local") + u16(type_a) + u16(class_in));

    take({text, record(answered_instance, type_srv, srv(4712, name("server.local")))});  // says all that was not known
    CHECK(scene.sightings.back().port == 4712);
    CHECK(run_until(
        *scene.loop, [&] { return scene.query.open_sockets() == 0; }, 5s));  // and it does not listen for ever
}
