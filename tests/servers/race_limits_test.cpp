// SPDX-License-Identifier: GPL-3.0-or-later
//
// The scheduler by hand: how many servers, endpoints and attempts there may be, who makes room for whom; last, a long
// random run that checks every bound at each step.
#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "race_world.hpp"

using namespace std::chrono_literals;
using namespace bootkey;
using namespace bootkey::servers::fixture;
using servers::AttemptId;
using servers::Blame;
using servers::Phase;
using servers::RaceLimits;

TEST_CASE("32 connect or shake hands at once; the one that waits longest for a place comes next") {
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

TEST_CASE("one host gets at most 16 attempts; a new server of it takes the place of the silent") {
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

TEST_CASE("256 servers are remembered, and what is worth least is forgotten first") {
    RaceLimits limits;
    limits.servers = 4;
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
    see_and_fail("lost", at(3));
    world.race.lost("lost", "1/4");
    world.now += 1s;
    see_and_fail("seen", at(4));
    CHECK(world.race.status(world.now).size() == 4);
    const auto known = [&](const std::string& name) {
        const auto lines = world.race.status(world.now);
        return std::any_of(lines.begin(), lines.end(), [&](const auto& line) { return line.starts_with(name + ": "); });
    };
    struct Step {
        const char* comes;
        const char* goes;
    };
    unsigned number = 10;
    for (const auto& step : {Step{"first", "lost"}, Step{"second", "seen"}, Step{"third", "first"}}) {
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

TEST_CASE("no order of events breaks a bound or leaves a server untried") {
    RaceLimits limits;
    limits.in_flight = 6;
    limits.waiting = 5;
    limits.per_host = 4;
    limits.servers = 12;
    limits.endpoints = 4;
    const unsigned seed = GENERATE(range(0u, 40u));
    CAPTURE(seed);
    std::mt19937 engine(seed);
    const auto pick = [&](unsigned most) { return static_cast<unsigned>(engine() % most); };
    World world(limits);

    const auto any_running = [&] {
        auto found = world.running.begin();
        std::advance(found, pick(static_cast<unsigned>(world.running.size())));
        return found->first;
    };
    const auto random_event = [&] {
        const unsigned server = pick(20);
        const std::string name = "s" + std::to_string(server);
        const std::string host = "h" + std::to_string(server % 4);
        const std::string source = std::to_string(pick(3));
        switch (world.running.empty() ? pick(5) : pick(14)) {
            case 0:
            case 1: {
                Endpoints endpoints;
                for (unsigned i = pick(6); i-- > 0;) endpoints.push_back(at(server * 8 + pick(8), 1 + pick(3)));
                return world.see(name, endpoints, source, host);
            }
            case 2:
                return world.race.lost(name, source);
            case 3:
                return world.race.reachable(pick(3));
            case 4:
                return pick(10) == 0   ? world.race.interface_gone(1 + pick(3))
                       : pick(10) == 0 ? world.race.try_now()
                                       : void();
            case 5:
            case 6:
            case 7:
                return world.fail(any_running(), pick(2) == 0 ? Blame::endpoint : Blame::server);
            default: {
                const AttemptId id = any_running();
                switch (world.running.at(id).phase) {
                    case Phase::connecting:
                        return world.reach(id, Phase::handshake);
                    case Phase::handshake:
                        return world.reach(id, Phase::waiting);
                    case Phase::waiting:
                        return world.reach(id, Phase::receiving);
                    default:
                        world.answer(id);
                        if (pick(2) == 0) world.race.rejected(id, "no", world.now);
                }
            }
        }
    };
    const auto check_bounds = [&] {
        std::map<std::string, std::size_t> in_flight, waiting, by_host;
        std::set<std::pair<std::string, base::Endpoint>> places;
        for (const auto& [id, one] : world.running) {
            const bool flies = one.phase == Phase::connecting || one.phase == Phase::handshake;
            ++(flies ? in_flight : waiting)[one.server];
            ++by_host["h" + std::to_string(std::stoi(one.server.substr(1)) % 4)];
            REQUIRE(places.emplace(one.server, one.endpoint).second);
        }
        for (const auto& [name, count] : in_flight) REQUIRE(count <= 2);
        for (const auto& [name, count] : waiting) REQUIRE(count == 1);
        for (const auto& [name, count] : by_host) REQUIRE(count <= limits.per_host);
        REQUIRE(world.count(true) <= limits.in_flight);
        REQUIRE(world.count(false) <= limits.waiting);
        REQUIRE(world.race.status(world.now).size() <= limits.servers);
    };
    for (int step = 0; step < 1500; ++step) {
        random_event();
        world.act(std::chrono::milliseconds(pick(20) == 0 ? pick(12'000) : pick(60)));
        check_bounds();
        if (!world.race.deadline()) continue;
        REQUIRE(*world.race.deadline() > world.now);
    }

    // Whatever happened: once all goes well, everything that is seen has its turn.
    world.race.interface_gone(1);
    world.race.interface_gone(2);
    world.race.interface_gone(3);
    for (unsigned server = 100; server < 110; ++server) world.see("s" + std::to_string(server), {at(server)});
    std::set<std::string> reached;
    for (int i = 0; i < 200 && reached.size() < 10; ++i) {
        world.act();
        const auto present = world.running;
        for (const auto& [id, one] : present) {
            reached.insert(one.server);
            if (world.running.contains(id)) world.fail(id, Blame::server);
        }
        world.now += 200ms;
    }
    CHECK(reached.size() == 10);
}
