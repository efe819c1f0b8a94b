// SPDX-License-Identifier: GPL-3.0-or-later
//
// The scheduler by hand: how many servers, endpoints and attempts there may be, and who makes room for whom. By chance:
// race_sequences_test.cpp.

#include <algorithm>
#include <string>
#include <vector>

#include "catch.hpp"
#include "race_world.hpp"

using namespace std::chrono_literals;
using namespace bootkey;
using namespace bootkey::servers::fixture;
using servers::AttemptId;
using servers::Blame;
using servers::Phase;
using servers::RaceLimits;

TEST_CASE("32 connect or shake hands at once, and the one that waits longest for a place comes next") {
    World world;
    for (unsigned i = 0; i < 40; ++i)
        world.see("server " + std::to_string(100 + i), {at(i)}, "1/4", "host " + std::to_string(i));
    CHECK(world.act().size() == 32);
    CHECK(world.act(100ms).empty());
    world.fail(world.id_of(at(3)));
    CHECK(world.act() == Endpoints{at(32)});  // not yet tried, before the retry of the failed
    world.reach(world.id_of(at(4)), Phase::handshake);
    CHECK(world.act().empty());  // a handshake still needs its place
    world.reach(world.id_of(at(4)), Phase::waiting);
    CHECK(world.act() == Endpoints{at(33)});
}

TEST_CASE("many tarpits cannot keep a good server waiting long") {
    World world;
    for (unsigned i = 0; i < 64; ++i)
        world.see("a tarpit " + std::to_string(i), {at(i)}, "1/4", "host " + std::to_string(i));
    world.act();
    world.act(3s);
    const base::Time announced = world.now;
    world.see("the good one", {at(1000)});
    Endpoints started = world.act();
    for (int i = 0; i < 20 && std::find(started.begin(), started.end(), at(1000)) == started.end(); ++i)
        started = world.act_in_time();
    CHECK(base::to_seconds(world.now - announced) <= 2);
    CHECK(world.count(true) <= 32);
}

TEST_CASE("one host's many servers do not keep another's waiting") {
    World world;
    for (unsigned i = 0; i < 100; ++i) world.see("a" + std::to_string(i), {at(i)}, "1/4", "h" + std::to_string(i % 4));
    CHECK(world.act().size() == 32);
    world.see("good", {at(200)});
    CHECK(world.act() == Endpoints{at(200)});
    CHECK(world.running.size() == 32);
    world.see("second of the same host", {at(201)}, "1/4", "good.local");
    CHECK(world.act().empty());
    world.race.update("10.0.0.202:4711", "", "command line", {at(202)}, world.now);
    CHECK(world.act() == Endpoints{at(202)});
}

TEST_CASE("of servers that nobody has tried each host's first comes before any host's second") {
    RaceLimits limits;
    limits.in_flight = 3;
    World world(limits);
    for (unsigned i = 0; i < 5; ++i) world.see("a" + std::to_string(i), {at(i)}, "1/4", "many.local");
    world.see("b", {at(100)});
    world.see("c", {at(101)});
    CHECK(world.act() == Endpoints{at(0), at(100), at(101)});
}

TEST_CASE("a flood of new servers keeps none from being tried, whatever its name, nor from being tried again") {
    World world;
    unsigned number = 0;
    const auto flood = [&] {  // 40 a second, more than there are places, and all of them mute
        for (unsigned i = 0; i < 4; ++i, ++number) world.see("a" + std::to_string(number), {at(number)});
        return world.act(100ms);
    };
    while (number < 400) flood();
    world.see("z good", {at(100'000)});
    std::vector<base::Time> tries;
    for (const base::Time announced = world.now; world.now < announced + 35s;) {
        const Endpoints started = flood();
        if (std::find(started.begin(), started.end(), at(100'000)) == started.end()) continue;
        tries.push_back(world.now);
        if (tries.size() == 1) CHECK(base::to_seconds(world.now - announced) < 8);  // others were announced before
        const AttemptId id = world.id_of(at(100'000));
        world.reach(id, Phase::handshake);
        world.reach(id, Phase::waiting);
        world.fail(id, Blame::server);
    }
    REQUIRE(tries.size() >= 3);
    CHECK(base::to_seconds(tries[2] - tries[1]) < 12);
}

TEST_CASE("an endpoint that had to make room may take longer the next time") {
    RaceLimits limits;
    limits.in_flight = 1;
    World world(limits);
    world.see("a", {at(1)});
    world.act();
    world.see("b", {at(2)});
    CHECK(world.act(999ms).empty());
    CHECK(world.act(1ms) == Endpoints{at(2)});
    const auto second = world.act_in_time();  // a's next round, when b has had its second
    CHECK(second == Endpoints{at(1)});
    world.see("c", {at(3)});
    CHECK(world.act(1999ms).empty());
    CHECK(world.act(1ms) == Endpoints{at(3)});
}

TEST_CASE("one host gets at most 16 attempts, and a new server of it takes the place of the silent") {
    World world;
    for (unsigned i = 0; i < 17; ++i) world.see("server " + std::to_string(100 + i), {at(i)}, "1/4", "one host");
    world.see("server 999", {at(99)}, "1/4", "another host");
    CHECK(world.act().size() == 17);
    for (unsigned i = 0; i < 16; ++i) {
        world.reach(world.id_of(at(i)), Phase::handshake);
        world.reach(world.id_of(at(i)), Phase::waiting);
        world.now += 10ms;
    }
    CHECK(world.act().empty());
    CHECK(world.act(1s) == Endpoints{at(16)});
    CHECK(world.cancelled.size() == 1);
    CHECK(world.running.size() == 17);
}

TEST_CASE("configured servers have no limit by host") {
    World world;
    for (unsigned i = 0; i < 20; ++i)
        world.race.update("server " + std::to_string(i), "", "--server", {at(i)}, world.now);
    CHECK(world.act().size() == 20);
}

TEST_CASE("when too many wait, the one silent for longest yields") {
    RaceLimits limits;
    limits.waiting = 3;
    World world(limits);
    const auto wait_at = [&](unsigned i) {
        world.see("server " + std::to_string(i), {at(i)});
        world.act(1s);
        const AttemptId id = world.id_of(at(i));
        world.reach(id, Phase::handshake);
        world.reach(id, Phase::waiting);
        world.act();
    };
    for (unsigned i = 0; i < 3; ++i) wait_at(i);
    world.reach(world.id_of(at(0)), Phase::receiving);  // not silent any more
    wait_at(3);
    CHECK(world.count(false) == 3);
    CHECK(world.running.contains(world.id_of(at(0))));
    CHECK(std::none_of(world.running.begin(), world.running.end(),
                       [](const auto& entry) { return entry.second.endpoint == at(1); }));
    CHECK(world.act(9900ms).empty());
    CHECK(world.act(100ms) == Endpoints{at(1)});  // tried again like any other
}

TEST_CASE("a server has at most 16 endpoints, old ones make place for new ones") {
    World world;
    Endpoints many;
    for (unsigned i = 0; i < 40; ++i) many.push_back(at(i));
    world.see("s", many);
    world.act();
    world.fail(world.newest);
    std::size_t tried = 1;
    while (!world.act().empty()) {
        ++tried;
        world.fail(world.newest);
    }
    CHECK(tried == 16);
    world.see("s", {at(100)});
    CHECK(world.act() == Endpoints{at(100)});
}

TEST_CASE("an endpoint that found no place among 16 has one when others go") {
    World world;
    Endpoints many;
    for (unsigned i = 0; i < 16; ++i) many.push_back(at(i, 1));
    world.see("s", many, "1/4");
    world.see("s", {at(100, 2)}, "2/4");
    while (!world.act().empty()) world.fail(world.newest);
    const bool gone = GENERATE(true, false);
    if (gone)
        world.race.interface_gone(1);
    else
        world.race.lost("s", "1/4");
    CHECK(world.act() == Endpoints{at(100, 2)});
}

TEST_CASE("256 servers are remembered, the one that was announced longest ago makes place for the next") {
    World world;
    for (unsigned i = 0; i < 300; ++i) {
        world.see("server " + std::to_string(i), {at(i)});
        world.now += 1ms;
        const auto lines = world.race.status(world.now);
        REQUIRE(lines.size() == std::min(i + 1, 256u));
        const unsigned oldest = i < 256 ? 0 : i - 255;
        for (const unsigned known : {oldest, i}) {
            const std::string begin = "server " + std::to_string(known) + ": ";
            CHECK(std::any_of(lines.begin(), lines.end(), [&](const auto& line) { return line.starts_with(begin); }));
        }
    }
}

TEST_CASE("when too many servers are known, what is worth least is forgotten first") {
    RaceLimits limits;
    limits.servers = 5;
    World world(limits);
    world.race.update("configured", "", "--server", {at(1)}, world.now);
    world.see("proved", {at(2)});
    world.act();
    const AttemptId proved = world.id_of(at(2));
    world.reach(proved, Phase::handshake);
    world.reach(proved, Phase::waiting);
    world.now += 1s;
    const auto see_and_fail = [&](const std::string& name, const base::Endpoint& endpoint) {
        world.see(name, {endpoint});
        world.act();
        world.fail(world.id_of(endpoint));
    };
    for (const char* name : {"unseen", "unseen for longest", "unseen"}) {
        see_and_fail(name, at(3));
        world.race.lost(name, "1/4");
        world.now += 1s;
    }
    see_and_fail("seen", at(4));
    CHECK(world.race.status(world.now).size() == 5);
    const auto known = [&](const std::string& name) {
        const auto lines = world.race.status(world.now);
        return std::any_of(lines.begin(), lines.end(), [&](const auto& line) { return line.starts_with(name + ": "); });
    };
    struct Step {
        const char* comes;
        const char* goes;
    };
    unsigned number = 10;
    const Step steps[] = {
        {"first", "unseen for longest"}, {"second", "unseen"}, {"third", "seen"}, {"fourth", "first"}};
    for (const auto& step : steps) {
        CAPTURE(step.comes);
        world.now += 1s;
        see_and_fail(step.comes, at(++number));
        CHECK(known(step.comes));
        CHECK_FALSE(known(step.goes));
        CHECK(known("configured"));
        CHECK(known("proved"));
    }
    CHECK(world.running.contains(proved));
}

TEST_CASE("a server that is just being tried is not forgotten for others") {
    RaceLimits limits;
    limits.servers = 4;
    limits.in_flight = 2;
    World world(limits);
    world.see("good", {at(1)});
    CHECK(world.act() == Endpoints{at(1)});
    for (unsigned i = 10; i < 30; ++i) {
        world.see("flood" + std::to_string(i), {at(i)});
        world.act(1ms);
    }
    CHECK(world.running.contains(1));
    CHECK(world.race.status(world.now).size() == 4);
}

TEST_CASE("a server of which a person is being asked is not forgotten for others, though nobody sees it any more") {
    World world;
    world.see("good", {at(1)});
    world.act();
    world.reach(1, Phase::handshake);
    world.reach(1, Phase::waiting);
    world.race.lost("good", "1/4");
    for (unsigned i = 10; i < 400; ++i) {
        world.see("flood" + std::to_string(i), {at(i)});
        world.act(1ms);
    }
    CHECK(world.running.contains(1));
}
