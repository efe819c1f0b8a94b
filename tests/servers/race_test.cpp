// SPDX-License-Identifier: GPL-3.0-or-later
//
// The scheduler by hand: events in, actions out, time as the test says; last, a long random run that checks every bound
// at each step.
#include "bootkey/servers/race.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace bootkey;
using servers::AttemptId;
using servers::Blame;
using servers::Phase;
using servers::Race;
using servers::RaceLimits;

namespace {

base::Endpoint at(unsigned number, std::uint32_t interface = 1, std::uint16_t port = 4711) {
    in_addr address{};
    address.s_addr = htonl(0x0a000000u + number);
    return {base::IpAddress::v4(address), port, interface};
}

// A race with its attempts as the owner of real connections would see them.
struct World {
    explicit World(RaceLimits limits = {})
        : race(
              10s, [] { return 0.5; }, limits) {}

    struct Running {
        std::string server;
        base::Endpoint endpoint;
        Phase phase = Phase::connecting;
    };

    // Does what the race wants; returns the endpoints of new attempts.
    std::vector<base::Endpoint> act(base::Duration later = 0s) {
        now += later;
        std::vector<base::Endpoint> started;
        for (const auto& action : race.decide(now)) {
            if (const auto* start = std::get_if<servers::Start>(&action)) {
                REQUIRE(running.emplace(start->attempt, Running{start->server, start->endpoint}).second);
                started.push_back(start->endpoint);
                newest = start->attempt;
            } else {
                const auto& cancel = std::get<servers::Cancel>(action);
                REQUIRE(running.erase(cancel.attempt) == 1);
                cancelled.push_back(cancel.attempt);
                CHECK_FALSE(cancel.why.empty());
            }
        }
        REQUIRE(race.decide(now).empty());  // nothing is left undone
        return started;
    }
    // The same at the race's own deadline.
    std::vector<base::Endpoint> act_in_time() {
        REQUIRE(race.deadline().has_value());
        return act(*race.deadline() - now);
    }
    [[nodiscard]] double deadline_in() const { return race.deadline() ? base::to_seconds(*race.deadline() - now) : -1; }

    void see(const std::string& name, const std::vector<base::Endpoint>& endpoints, const std::string& source = "1/4",
             const std::string& host = "") {
        race.update(name, host.empty() ? name + ".local" : host, source, endpoints, now);
    }
    void fail(AttemptId id, Blame blame = Blame::endpoint) {
        running.erase(id);
        race.failed(id, blame, "it failed", now);
    }
    void reach(AttemptId id, Phase phase) {
        running.at(id).phase = phase;
        race.reached(id, phase, now);
    }
    void answer(AttemptId id) {
        running.erase(id);
        race.answered(id);
    }
    [[nodiscard]] AttemptId id_of(const base::Endpoint& endpoint) const {
        for (const auto& [id, one] : running) {
            if (one.endpoint == endpoint) return id;
        }
        FAIL("nothing is tried at " << endpoint.text());
        return 0;
    }
    [[nodiscard]] std::size_t count(bool in_flight) const {
        return static_cast<std::size_t>(std::count_if(running.begin(), running.end(), [&](const auto& entry) {
            return in_flight == (entry.second.phase == Phase::connecting || entry.second.phase == Phase::handshake);
        }));
    }

    Race race;
    base::Time now{1000h};
    std::map<AttemptId, Running> running;
    std::vector<AttemptId> cancelled;
    AttemptId newest = 0;
};

using Endpoints = std::vector<base::Endpoint>;

}  // namespace

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
