// SPDX-License-Identifier: GPL-3.0-or-later
//
// The scheduler by hand: what is announced, configured, lost or moves, and interfaces that come and go.

#include "race_world.hpp"

#include "catch.hpp"

using namespace std::chrono_literals;
using namespace bootkey;
using namespace bootkey::servers::fixture;
using servers::AttemptId;
using servers::Blame;
using servers::Phase;

TEST_CASE("the same endpoint told by several sources is tried once, until the last of them loses it") {
    World world;
    world.see("s", {at(1)}, "2/4");
    world.see("s", {at(1)}, "3/6");
    CHECK(world.act() == Endpoints{at(1)});
    CHECK(world.act(1s).empty());
    world.race.lost("s", "2/4");
    world.act();
    CHECK(world.running.size() == 1);
    world.race.lost("s", "3/6");
    world.act();
    CHECK(world.running.empty());  // still connecting: given up
    CHECK(world.act(1h).empty());
}

TEST_CASE("what is connected outlives the announcement") {
    World world;
    const auto phase = GENERATE(Phase::handshake, Phase::waiting, Phase::receiving);
    world.see("s", {at(1)});
    world.act();
    world.reach(world.newest, phase);
    world.race.lost("s", "1/4");
    world.act();
    CHECK(world.running.size() == 1);
    world.fail(world.newest);
    CHECK(world.act(1h).empty());  // but is not repeated
}

TEST_CASE("a server that moves is tried at its new place at once") {
    World world;
    const auto before = GENERATE(Phase::connecting, Phase::handshake, Phase::waiting, Phase::failed);
    world.see("s", {at(1, 1, 1000)});
    world.act();
    const AttemptId old = world.newest;
    if (before == Phase::failed)
        world.fail(old);
    else if (before != Phase::connecting)
        world.reach(old, before);
    if (before == Phase::waiting) world.act(1h);
    world.act(1s);
    world.see("s", {at(1, 1, 2000)});
    CHECK(world.act() == Endpoints{at(1, 1, 2000)});
    CHECK(world.running.contains(old) == (before == Phase::waiting || before == Phase::handshake));
    world.reach(world.newest, Phase::handshake);
    world.reach(world.newest, Phase::waiting);
    world.act();
    CHECK(world.running.size() == 1);  // only one asks a person
    CHECK_FALSE(world.running.contains(old));
}

TEST_CASE("a new endpoint is tried at once while the others rest") {
    World world;
    world.see("s", {at(1)});
    world.act();
    world.fail(world.newest);
    world.act();
    world.act(2s);
    world.see("s", {at(5)}, "9/6");
    CHECK(world.act() == Endpoints{at(5)});
    world.fail(world.newest);
    CHECK(world.act(7s).empty());
    CHECK(world.act(1s) == Endpoints{at(1)});  // the rest of the first is not prolonged
}

TEST_CASE("a repeated announcement allows a try once a second, a repeated configuration does not") {
    World world;
    world.see("s", {at(1)});
    world.act();
    world.fail(world.newest);
    for (int i = 0; i < 9; ++i) {
        world.see("s", {at(1)});
        CHECK(world.act(100ms).empty());
    }
    world.see("s", {at(1)});
    CHECK(world.act(100ms) == Endpoints{at(1)});

    const auto configured = [&] { world.race.update("--server", "", "--server", {at(2)}, world.now); };
    configured();
    CHECK(world.act() == Endpoints{at(2)});
    world.fail(world.newest);
    world.act();
    configured();
    CHECK(world.act(5s).empty());
}

TEST_CASE("a source that sees the server nowhere does not see it") {
    World world;
    world.see("s", {at(1)});
    world.act();
    world.see("s", {});
    world.act();
    CHECK(world.running.empty());
    CHECK(world.race.status(world.now).at(0) == "s: no longer seen, 1 tries");
    world.see("s", {at(1)});
    CHECK(world.act(1s) == Endpoints{at(1)});
}

TEST_CASE("what was unreachable is tried when its interface becomes usable") {
    World world;
    world.see("s", {at(1, 7)});
    world.act();
    world.fail(world.newest);
    CHECK(world.act().empty());
    world.race.reachable(8);
    CHECK(world.act().empty());
    const auto interface = GENERATE(0u, 7u);
    world.race.reachable(interface);
    CHECK(world.act() == Endpoints{at(1, 7)});
}

TEST_CASE("what was unreachable is tried when its interface becomes usable, though it has just been announced again") {
    World world;
    world.see("s", {at(1, 7)});
    world.act();
    world.fail(world.newest);
    world.see("s", {at(1, 7)});
    CHECK(world.act().empty());  // not twice a second for an announcement alone
    world.race.reachable(7);
    CHECK(world.act() == Endpoints{at(1, 7)});
}

TEST_CASE("all rests are over when a person says so") {
    World world;
    world.see("s", {at(1)});
    world.see("t", {at(2)});
    world.act();
    world.fail(world.id_of(at(1)), Blame::server);
    CHECK(world.act().empty());
    world.race.try_now();
    CHECK(world.act() == Endpoints{at(1)});
}

TEST_CASE("an interface that goes takes its attempts with it") {
    World world;
    world.see("s", {at(1, 1), at(2, 2)});
    world.see("t", {at(3, 2)});
    world.act();
    world.act(50ms);
    world.reach(world.id_of(at(3, 2)), Phase::handshake);
    world.reach(world.id_of(at(3, 2)), Phase::waiting);
    world.race.interface_gone(2);
    world.act();
    REQUIRE(world.running.size() == 1);
    CHECK(world.running.begin()->second.endpoint == at(1, 1));
    CHECK(world.act(1h).empty());
    world.see("t", {at(3, 2)});  // and may come again
    CHECK(world.act() == Endpoints{at(3, 2)});
}

TEST_CASE("an announcement under the name of a configured server does not touch it") {
    World world;
    world.race.update("10.0.0.1:4711", "", "command line", {at(1)}, world.now);
    world.act();
    world.see("10.0.0.1:4711", {at(66)}, "1/4", "evil.local");
    CHECK(world.act() == Endpoints{at(66)});
    CHECK(world.race.status(world.now).size() == 2);
    world.race.lost("10.0.0.1:4711", "1/4");
    world.act();
    REQUIRE(world.running.size() == 1);
    CHECK(world.running.begin()->second.endpoint == at(1));
    world.race.lost("10.0.0.1:4711", "command line");
    world.act();
    CHECK(world.running.empty());
}

TEST_CASE("a configured server that is announced as well has one connection") {
    World world;
    world.race.update("10.0.0.1:4711", "", "command line", {at(1, 0)}, world.now);
    CHECK(world.act() == Endpoints{at(1, 0)});
    world.see("one", {at(1), at(2)});
    CHECK(world.act() == Endpoints{at(2)});  // the same server, perhaps faster at another address
    SECTION("the configured address answers the handshake first") {
        world.reach(world.id_of(at(1, 0)), Phase::handshake);
        world.reach(world.id_of(at(1, 0)), Phase::waiting);
        CHECK(world.act(1min).empty());
        CHECK(world.running.size() == 1);
        world.fail(world.id_of(at(1, 0)), Blame::server);
        CHECK(world.act() == Endpoints{at(1)});
    }
    SECTION("another address does; whether that is the same server nobody knows") {
        world.reach(world.id_of(at(2)), Phase::handshake);
        world.reach(world.id_of(at(2)), Phase::waiting);
        CHECK(world.act().empty());
        CHECK(world.running.size() == 2);
    }
    SECTION("the announcement is of an address that never answers, and goes") {
        world.fail(world.id_of(at(1, 0)));
        CHECK(world.act() == Endpoints{});
        CHECK(world.act_in_time() == Endpoints{at(1)});
        world.race.lost("one", "1/4");
        CHECK(world.act().empty());
        CHECK(world.act(11s) == Endpoints{at(1, 0)});
    }
}
