// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the tests of the race stand on: a race with its attempts as the owner of real connections would see them, and
// time as the test says.
#pragma once

#include "bootkey/servers/race.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "catch.hpp"

namespace bootkey::servers::fixture {

inline base::Endpoint at(unsigned number, std::uint32_t interface = 1, std::uint16_t port = 4711) {
    in_addr address{};
    address.s_addr = htonl(0x0a000000u + number);
    return {base::IpAddress::v4(address), port, interface};
}

struct World {
    explicit World(RaceLimits limits = {})
        : race(
              std::chrono::seconds(10), [] { return 0.5; }, limits) {}

    struct Running {
        std::string server;
        base::Endpoint endpoint;
        Phase phase = Phase::connecting;
    };

    // Does what the race wants; returns the endpoints of new attempts.
    std::vector<base::Endpoint> act(base::Duration later = {}) {
        now += later;
        std::vector<base::Endpoint> started;
        for (const auto& action : race.decide(now)) {
            if (const auto* start = std::get_if<Start>(&action)) {
                REQUIRE(running.emplace(start->attempt, Running{start->server, start->endpoint}).second);
                started.push_back(start->endpoint);
                newest = start->attempt;
            } else {
                const auto& cancel = std::get<Cancel>(action);
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
    base::Time now{std::chrono::hours(1000)};
    std::map<AttemptId, Running> running;
    std::vector<AttemptId> cancelled;
    AttemptId newest = 0;
};

using Endpoints = std::vector<base::Endpoint>;

}  // namespace bootkey::servers::fixture
