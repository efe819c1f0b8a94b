// SPDX-License-Identifier: GPL-3.0-or-later
//
// A race scheduler with its attempts as the owner of the connections would see them. Every step checks the limits on
// what servers can make the machine do; they are small here, so that they are reached soon.
#pragma once

#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bootkey/servers/race.hpp"
#include "fuzz.hpp"

namespace bootkey::fuzz {

class RaceWorld {
public:
    struct Running {
        std::string server;
        base::Endpoint endpoint;
        servers::Phase phase = servers::Phase::connecting;
    };

    servers::Race race{10s, [] { return 0.5; }, limits};
    base::Time now{1000h};
    std::map<servers::AttemptId, Running> running;

    /// Servers "a" and "b" are configured by a person, the others announced by a few hosts.
    static std::string host_of(const std::string& server) {
        return server <= "b" ? "" : server <= "e" ? "one" : server <= "h" ? "two" : server;
    }
    /// Eight of them, on interfaces 1 to 3; every other one is link-local.
    static base::Endpoint endpoint(unsigned number) {
        const auto address = (number % 2 == 0 ? "fe80::" : "2001:db8::") + std::to_string(number / 2);
        return {*base::IpAddress::parse(address), 4711, 1 + number % 3};
    }
    /// `which`: one bit an endpoint.
    void see(const std::string& server, const std::string& source, unsigned which) {
        std::vector<base::Endpoint> endpoints;
        for (unsigned i = 0; i < 8; ++i)
            if ((which >> i & 1) != 0) endpoints.push_back(endpoint(i));
        race.update(server, host_of(server), source, endpoints, now);
    }
    /// One of the running attempts, if there are any.
    [[nodiscard]] std::optional<servers::AttemptId> nth(std::size_t number) const {
        if (running.empty()) return std::nullopt;
        return std::next(running.begin(), static_cast<std::ptrdiff_t>(number % running.size()))->first;
    }
    /// The attempt comes to its next phase. Returns whether that is an answer.
    bool go_on(servers::AttemptId id) {
        auto& phase = running.at(id).phase;
        phase = static_cast<servers::Phase>(static_cast<int>(phase) + 1);
        if (phase != servers::Phase::answered) return race.reached(id, phase, now), false;
        running.erase(id);
        race.answered(id);
        return true;
    }
    void fail(servers::AttemptId id, servers::Blame blame) {
        running.erase(id);
        race.failed(id, blame, "it failed", now);
    }
    /// Does what the race has decided.
    void act() {
        for (const auto& action : race.decide(now)) {
            if (const auto* start = std::get_if<servers::Start>(&action))
                require(running.try_emplace(start->attempt, Running{start->server, start->endpoint}).second,
                        "an attempt is new");
            else
                require(running.erase(std::get<servers::Cancel>(action).attempt) == 1, "what is cancelled was running");
        }
        require(race.decide(now).empty(), "all is decided at once");
        require(!race.deadline() || *race.deadline() > now, "nothing is left for the same moment");
        check_limits();
    }

private:
    static constexpr servers::RaceLimits limits{
        .in_flight = 5, .per_host = 3, .waiting = 3, .servers = 6, .endpoints = 3};

    void check_limits() const {
        std::map<std::string, std::size_t> in_flight, waiting, by_host;
        std::set<std::pair<std::string, base::Endpoint>> places;
        for (const auto& [id, one] : running) {
            const bool flies = one.phase < servers::Phase::waiting;
            auto& counts = flies ? in_flight : waiting;
            require(++counts[one.server] <= (flies ? limits.in_flight_per_server : 1), "the limit of one server");
            require(++counts["all"] <= (flies ? limits.in_flight : limits.waiting), "the limit of all servers");
            require(++by_host[host_of(one.server)] <= limits.per_host || host_of(one.server).empty(),
                    "the limit of a host");
            require(places.emplace(one.server, one.endpoint).second, "an endpoint is tried once at a time");
        }
        require(race.status(now).size() <= limits.servers, "the limit of servers that are remembered");
    }
};

}  // namespace bootkey::fuzz
