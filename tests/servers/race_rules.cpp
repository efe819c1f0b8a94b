// SPDX-License-Identifier: GPL-3.0-or-later
#include "race_rules.hpp"

#include <algorithm>
#include <tuple>
#include <variant>

#include "model/sequences.hpp"

namespace bootkey::servers::model {

using base::Endpoint;
using base::Time;
using bootkey::model::require;

// --- What is to be seen from outside --------------------------------------------------------------------------------

bool RaceRules::Server::is_seen_at(const Endpoint& endpoint) const {
    return std::any_of(sources.begin(), sources.end(),
                       [&](const auto& source) { return source.second.contains(endpoint); });
}

std::set<Endpoint> RaceRules::Server::seen_at() const {
    std::set<Endpoint> all;
    for (const auto& [source, endpoints] : sources) all.insert(endpoints.begin(), endpoints.end());
    return all;
}

bool RaceRules::Server::is_seen_at_place(const Endpoint& endpoint) const {
    const auto all = seen_at();
    return std::any_of(all.begin(), all.end(), [&](const Endpoint& one) { return same_place(one, endpoint); });
}

bool RaceRules::is_tried(const std::string& server) const {
    return std::any_of(running_.begin(), running_.end(),
                       [&](const auto& entry) { return entry.second.server == server; });
}

std::optional<AttemptId> RaceRules::judged(const std::string& server) const {
    const auto found = servers_.find(server);
    return found == servers_.end() ? std::nullopt : found->second.judged;
}

std::vector<std::string> RaceRules::judged() const {
    std::vector<std::string> names;
    for (const auto& [name, server] : servers_)
        if (server.judged) names.push_back(name);
    return names;
}

std::size_t RaceRules::in_flight() const {
    return static_cast<std::size_t>(
        std::count_if(running_.begin(), running_.end(), [](const auto& entry) { return entry.second.in_flight(); }));
}

std::size_t RaceRules::in_flight_of(const std::string& server) const {
    return static_cast<std::size_t>(std::count_if(running_.begin(), running_.end(), [&](const auto& entry) {
        return entry.second.in_flight() && entry.second.server == server;
    }));
}

std::size_t RaceRules::in_flight_of_host(const std::string& host) const {
    return static_cast<std::size_t>(std::count_if(running_.begin(), running_.end(), [&](const auto& entry) {
        return entry.second.in_flight() && servers_.at(entry.second.server).host == host;
    }));
}

std::size_t RaceRules::attempts_of_host(const std::string& host) const {
    return static_cast<std::size_t>(std::count_if(running_.begin(), running_.end(), [&](const auto& entry) {
        return servers_.at(entry.second.server).host == host;
    }));
}

// Whether an answer is awaited from the server where it still is; one that is configured and announced is one server.
bool RaceRules::is_waited_for(const Server& server) const {
    return std::any_of(running_.begin(), running_.end(), [&](const auto& entry) {
        const Attempt& one = entry.second;
        if (one.in_flight()) return false;
        if (one.server == server.name) return server.is_seen_at(one.at);
        return servers_.at(one.server).configured() != server.configured() && server.is_seen_at_place(one.at);
    });
}

// Whether nobody tries the same there already.
bool RaceRules::may_be_tried_at(const Server& server, const Endpoint& endpoint) const {
    return std::none_of(running_.begin(), running_.end(), [&](const auto& entry) {
        const Attempt& one = entry.second;
        if (one.server == server.name) return one.at == endpoint;
        return servers_.at(one.server).configured() != server.configured() && same_place(one.at, endpoint);
    });
}

bool RaceRules::has_room(const Server& server) const {
    return in_flight() < limits_.in_flight && (server.configured() || attempts_of_host(server.host) < limits_.per_host);
}

base::Duration RaceRules::patience_with(const Attempt& attempt) const {
    const Server& server = servers_.at(attempt.server);
    const auto yields = server.yields.find(attempt.at);
    if (yields == server.yields.end() || server.too_many) return limits_.patience;
    return std::min<base::Duration>(limits_.patience * (1u << std::min(yields->second, 10u)), limits_.most_patience);
}

// --- Events ---------------------------------------------------------------------------------------------------------

// Those attempts the race must cancel; it knows nothing of them from now on.
template <typename Which>
void RaceRules::give_up(const std::string& why, bool another_turn, Which which) {
    std::erase_if(running_, [&](const auto& entry) {
        const auto& [id, attempt] = entry;
        if (!which(id, attempt)) return false;
        to_cancel_[id] = why;
        Server& server = servers_.at(attempt.server);
        if (another_turn) server.starts.erase(attempt.at);
        return true;
    });
}

void RaceRules::give_up_unseen(const Server& server) {
    give_up("its server is no longer seen there", false, [&](AttemptId, const Attempt& one) {
        return one.server == server.name && one.phase == Phase::connecting && !server.is_seen_at(one.at);
    });
}

void RaceRules::update(const std::string& name, const std::string& host, const std::string& source,
                       const std::vector<Endpoint>& endpoints, const std::set<std::string>& remembered, Time now) {
    forget_if_need_be(name, remembered);
    Server& server = servers_[name];
    server.name = name;
    server.host = host;
    server.seen = now;
    auto& seen_here = server.sources[source];
    seen_here.clear();
    for (const Endpoint& endpoint : endpoints) {
        if (seen_here.size() == limits_.endpoints) break;
        seen_here.insert(endpoint);
        if (server.ever.insert(endpoint).second) server.due.insert(endpoint);
    }
    server.too_many = server.too_many || server.ever.size() > limits_.endpoints;
    if (seen_here.empty()) server.sources.erase(source);
    (server.configured() ? server.other_news : server.announced) = now;
    server.tried_since_update.clear();
    give_up_unseen(server);
}

void RaceRules::forget_if_need_be(const std::string& newcomer, const std::set<std::string>& remembered) {
    require(remembered.contains(newcomer), newcomer + " is announced and not remembered");
    const bool full = servers_.size() == limits_.servers && !servers_.contains(newcomer);
    std::vector<std::string> forgotten;
    for (const auto& [name, server] : servers_)
        if (!remembered.contains(name)) forgotten.push_back(name);
    require(forgotten.size() == (full ? 1u : 0u),
            std::to_string(forgotten.size()) + " servers are forgotten for " + newcomer);
    for (const std::string& name : forgotten) {
        check_worth_least(servers_.at(name));
        give_up("its server is forgotten", false, [&](AttemptId, const Attempt& one) { return one.server == name; });
        servers_.erase(name);
        ++met_["a server is forgotten"];
    }
}

// Of those that nobody configured: first those that are not tried, then those that nobody sees, then those that
// never shook hands, then those that were announced longest ago.
void RaceRules::check_worth_least(const Server& forgotten) const {
    const auto worth = [this](const Server& server) {
        return std::tuple(is_tried(server.name), !server.sources.empty(), server.proved, server.seen);
    };
    require(!forgotten.configured(), "the configured " + forgotten.name + " is forgotten");
    for (const auto& [name, other] : servers_)
        require(other.configured() || worth(forgotten) <= worth(other),
                forgotten.name + " is forgotten although " + name + " is worth less");
}

void RaceRules::lost(const std::string& name, const std::string& source) {
    const auto found = servers_.find(name);
    if (found == servers_.end()) return;
    found->second.sources.erase(source);
    fewer_endpoints(found->second);
    give_up_unseen(found->second);
}

void RaceRules::interface_gone(std::uint32_t interface) {
    const auto is_there = [interface](const Endpoint& endpoint) { return endpoint.interface == interface; };
    const auto key_is_there = [&](const auto& entry) { return is_there(entry.first); };
    give_up("its interface is gone", false, [&](AttemptId, const Attempt& one) { return is_there(one.at); });
    for (auto& [name, server] : servers_) {
        for (auto& [source, endpoints] : server.sources) std::erase_if(endpoints, is_there);
        std::erase_if(server.sources, [](const auto& source) { return source.second.empty(); });
        for (auto* set : {&server.ever, &server.unreachable, &server.due}) std::erase_if(*set, is_there);
        std::erase_if(server.starts, key_is_there);
        std::erase_if(server.yields, key_is_there);
        fewer_endpoints(server);
    }
}

// Others may take their places. If only those were still to be tried, the rest begins now.
void RaceRules::fewer_endpoints(Server& server) {
    server.tried_since_update.clear();
    server.idle.reset();
}

void RaceRules::reachable(std::uint32_t interface, Time now) {
    for (auto& [name, server] : servers_) {
        for (const Endpoint& endpoint : server.unreachable) {
            if (interface != 0 && endpoint.interface != 0 && endpoint.interface != interface) continue;
            server.due.insert(endpoint);
            server.other_news = now;
        }
    }
}

void RaceRules::try_now(Time now) {
    for (auto& [name, server] : servers_) {
        server.due.merge(server.seen_at());
        server.other_news = now;
    }
}

void RaceRules::reached(AttemptId id, Phase phase, Time now) {
    if (!running_.contains(id)) return;
    Attempt& attempt = running_.at(id);
    attempt.phase = phase;
    attempt.since = now;
    Server& server = servers_.at(attempt.server);
    const auto competes = [&](AttemptId other_id, const Attempt& other) {
        return other_id != id && other.server == server.name;
    };
    if (phase == Phase::handshake) {
        give_up("another connection shakes hands", true, [&](AttemptId other_id, const Attempt& other) {
            return competes(other_id, other) && other.phase == Phase::connecting;
        });
    } else if (phase == Phase::waiting) {
        server.proved = true;
        server.yields.erase(attempt.at);
        give_up("another connection waits for an answer", true, [&](AttemptId other_id, const Attempt& other) {
            const Server& twin = servers_.at(other.server);
            const bool is_twin = twin.configured() != server.configured() && twin.is_seen_at_place(attempt.at);
            return competes(other_id, other) || is_twin;
        });
        give_up_the_longest_silent(id);
    }
}

void RaceRules::give_up_the_longest_silent(AttemptId newest) {
    std::size_t waiting = 0;
    const std::pair<const AttemptId, Attempt>* longest = nullptr;
    for (const auto& entry : running_) {
        if (entry.second.in_flight()) continue;
        ++waiting;
        if (entry.first != newest && (longest == nullptr || entry.second.since < longest->second.since))
            longest = &entry;
    }
    if (waiting <= limits_.waiting || longest == nullptr) return;
    ++met_["too many wait"];
    Server& server = servers_.at(longest->second.server);
    rest(server);
    ++server.yields[longest->second.at];
    const AttemptId id = longest->first;
    give_up("it was silent for longest", false, [id](AttemptId one, const Attempt&) { return one == id; });
}

void RaceRules::failed(AttemptId id, Blame blame) {
    const auto found = running_.find(id);
    if (found == running_.end()) return;
    const Attempt attempt = found->second;
    running_.erase(found);
    Server& server = servers_.at(attempt.server);
    server.due.erase(attempt.at);
    server.unreachable.erase(attempt.at);
    if (attempt.phase == Phase::connecting) server.unreachable.insert(attempt.at);
    if (blame == Blame::server) rest(server);
}

// Nothing of the server is owed a try before a whole rest is over.
void RaceRules::rest(Server& server) {
    server.idle.reset();
    server.unreachable.clear();
    server.due.clear();
}

void RaceRules::answered(AttemptId id) {
    const auto found = running_.find(id);
    if (found == running_.end()) return;
    Server& server = servers_.at(found->second.server);
    server.judged = id;
    running_.erase(found);
    give_up("its server has answered", false,
            [&](AttemptId, const Attempt& other) { return other.server == server.name; });
}

void RaceRules::rejected(AttemptId id) {
    for (auto& [name, server] : servers_) {
        if (server.judged != id) continue;
        server.judged.reset();
        rest(server);
    }
}

}  // namespace bootkey::servers::model
