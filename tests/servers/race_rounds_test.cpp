// SPDX-License-Identifier: GPL-3.0-or-later
//
// The scheduler by hand: how the endpoints of one server take turns, and what the phases of its attempts mean for it.

#include <set>
#include <string>

#include "catch.hpp"
#include "race_world.hpp"

using namespace std::chrono_literals;
using namespace bootkey;
using namespace bootkey::servers::fixture;
using servers::AttemptId;
using servers::Blame;
using servers::Phase;

TEST_CASE("all servers are tried at once") {
    World world;
    for (unsigned i = 0; i < 20; ++i) world.see("server " + std::to_string(i), {at(i)});
    CHECK(world.act().size() == 20);
}

TEST_CASE("of one server the second endpoint follows 50 ms later") {
    World world;
    world.see("s", {at(1), at(2), at(3)});
    CHECK(world.act() == Endpoints{at(1)});
    CHECK(world.deadline_in() == Approx(0.05));
    CHECK(world.act_in_time() == Endpoints{at(2)});
    CHECK(world.act(100ms).empty());  // never three at once
}

TEST_CASE("an endpoint that fails makes way for the next at once") {
    World world;
    world.see("s", {at(1), at(2), at(3)});
    world.act();
    for (unsigned i = 1; i < 3; ++i) {
        world.fail(world.newest);
        CHECK(world.act(1ms) == Endpoints{at(i + 1)});
    }
    world.fail(world.newest);
    CHECK(world.act().empty());
    CHECK(world.deadline_in() == Approx(10));  // only now all of them rest
    CHECK(world.act(9990ms).empty());
    CHECK(world.act(10ms) == Endpoints{at(1)});
}

TEST_CASE("dead endpoints do not hold the others up") {
    World world;
    Endpoints all;
    for (unsigned i = 0; i < 16; ++i) all.push_back(at(i));
    world.see("s", all);
    const base::Time begin = world.now;
    std::set<base::Endpoint> tried;
    for (const auto& endpoint : world.act()) tried.insert(endpoint);
    for (int i = 0; i < 100 && tried.size() < all.size(); ++i) {  // nobody ever answers
        for (const auto& endpoint : world.act_in_time()) tried.insert(endpoint);
        CHECK(world.running.size() <= 2);
    }
    CHECK(tried.size() == 16);
    CHECK(base::to_seconds(world.now - begin) < 10);
}

TEST_CASE("the first connection that is made is the only one that shakes hands, for a second") {
    World world;
    world.see("s", {at(1), at(2), at(3)});
    world.act();
    world.act(50ms);
    world.reach(world.id_of(at(2)), Phase::handshake);
    CHECK(world.act().empty());
    CHECK(world.running.size() == 1);
    CHECK(world.deadline_in() == Approx(1));
    CHECK(world.act_in_time() == Endpoints{at(1)});  // the handshake may lead nowhere
    CHECK(world.running.size() == 2);
}

TEST_CASE("one connection waits for an answer, and nothing else happens at its server") {
    World world;
    world.see("s", {at(1), at(2)});
    world.act();
    world.act(50ms);
    REQUIRE(world.running.size() == 2);
    const AttemptId first = world.id_of(at(1));
    world.reach(first, Phase::handshake);
    world.reach(first, Phase::waiting);
    CHECK(world.act().empty());
    CHECK(world.running.size() == 1);
    CHECK(world.act(24h).empty());
    CHECK_FALSE(world.race.deadline().has_value());
    world.see("s", {at(1), at(2)});
    world.race.try_now();
    world.race.reachable(0);
    CHECK(world.act(1h).empty());
}

TEST_CASE("a refusal of the server itself lets all of it rest, a broken connection does not") {
    World world;
    world.see("s", {at(1), at(2)});
    world.act();
    world.reach(world.newest, Phase::handshake);
    world.reach(world.newest, Phase::waiting);
    SECTION("refusal") {
        world.fail(world.newest, Blame::server);
        CHECK(world.act().empty());
        CHECK(world.deadline_in() == Approx(10));
        CHECK(world.act(1s).empty());
        world.race.reachable(0);  // it was reached
        CHECK(world.act(1s).empty());
        CHECK(world.act(8s) == Endpoints{at(1)});  // where it was reached, first
    }
    SECTION("broken") {
        world.fail(world.newest, Blame::endpoint);
        CHECK(world.act() == Endpoints{at(2)});
    }
}

TEST_CASE("the endpoint that worked is tried first next time") {
    World world;
    world.see("s", {at(1), at(2), at(3)});
    world.act();
    world.fail(world.newest);
    world.act();
    world.reach(world.newest, Phase::handshake);
    world.reach(world.newest, Phase::waiting);
    world.fail(world.newest, Blame::server);
    CHECK(world.act(10s) == Endpoints{at(2)});
}

TEST_CASE("an answer stops the tries at its server until it is judged") {
    World world;
    world.see("s", {at(1), at(2)});
    world.see("t", {at(9)});
    world.act();
    world.act(50ms);
    const AttemptId id = world.id_of(at(1));
    world.reach(id, Phase::handshake);
    world.reach(id, Phase::waiting);
    world.reach(id, Phase::receiving);
    world.answer(id);
    world.act();
    CHECK(world.running.size() == 1);  // t goes on
    world.race.try_now();
    world.see("s", {at(1), at(2), at(3)});
    CHECK(world.act(1h).empty());
    CHECK(world.race.rejected(id, "wrong key", world.now) == "s");
    CHECK(world.act().empty());
    CHECK(world.act(9900ms).empty());
    CHECK(world.act(100ms) == Endpoints{at(1)});
    CHECK_FALSE(world.race.rejected(id, "again", world.now));  // stale: nothing
    CHECK(world.running.size() == 2);
}

TEST_CASE("the status says what each server is at") {
    World world;
    world.see("a\n", {at(1)});
    world.see("b", {at(2)});
    world.see("c", {at(3)});
    world.act();
    world.fail(world.id_of(at(2)));
    world.race.lost("c", "1/4");
    world.act();
    world.act(1s);
    const auto lines = world.race.status(world.now);
    REQUIRE(lines.size() == 3);
    CHECK(lines[0] == "a\\x0a: connecting at 10.0.0.1:4711 for 1.0 s, 1 tries");
    CHECK(lines[1] == "b: next try in 9.0 s, 1 tries, last failure: it failed");
    CHECK_THAT(lines[2], Catch::StartsWith("c: no longer seen, 1 tries"));
}
