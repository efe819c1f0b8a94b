// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the race may decide, and what it must.
#include "race_rules.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "model/sequences.hpp"

namespace bootkey::servers::model {
namespace {

using base::Endpoint;
using base::Time;
using bootkey::model::Broken;
using bootkey::model::require;

std::string seconds(base::Duration duration) {
    return std::to_string(base::to_seconds(duration)) + " s";
}

}  // namespace

void RaceRules::decided(const std::vector<Action>& actions, std::optional<Time> deadline, Time now) {
    for (const Action& action : actions) {
        if (const auto* cancelled = std::get_if<Cancel>(&action)) {
            if (to_cancel_.erase(cancelled->attempt) == 0) make_room(cancelled->attempt);
        } else {
            start(std::get<Start>(action), now);
        }
    }
    require(made_room_.empty(),
            "an attempt at " + (made_room_.empty() ? "" : made_room_[0].server) + " made room for nobody");
    for (const auto& [id, why] : to_cancel_)
        throw Broken("attempt " + std::to_string(id) + " is not given up although " + why);
    require(!deadline || *deadline > now, "the next deadline is in the past");
    for (auto& [name, server] : servers_) check_not_starved(server, deadline, now);
}

// The race gives an attempt up without having to: then only for another that needs the place.
void RaceRules::make_room(AttemptId victim) {
    require(running_.contains(victim), "attempt " + std::to_string(victim) + " is given up, and does not run");
    const Attempt attempt = running_.at(victim);
    made_room_.push_back(attempt);
    failed(victim, attempt.in_flight() ? Blame::endpoint : Blame::server);
}

void RaceRules::start(const Start& action, Time now) {
    require(servers_.contains(action.server), action.server + " is tried, and not known");
    Server& server = servers_.at(action.server);
    const Endpoint& endpoint = action.endpoint;
    const auto at_once_with_host =
        attempts_of_host(server.host) +
        static_cast<std::size_t>(std::count_if(made_room_.begin(), made_room_.end(), [&](const Attempt& one) {
            return servers_.at(one.server).host == server.host;
        }));
    check_room_made_for(server, now);
    check_allowed(server, endpoint);
    check_rested(server, endpoint, now);
    check_head_start(server, now);
    require(running_.emplace(action.attempt, Attempt{server.name, endpoint, Phase::connecting, now}).second,
            "attempt " + std::to_string(action.attempt) + " is started twice");
    check_bounds(server, at_once_with_host);
    auto& starts = server.starts[endpoint];
    starts = {now, starts.last};
    server.idle.reset();
    server.tried_since_update.insert(endpoint);
    require(server.tried_since_update.size() <= limits_.endpoints, server.name + " is tried at too many endpoints");
}

void RaceRules::check_allowed(const Server& server, const Endpoint& endpoint) const {
    const std::string tried = server.name + " is tried at " + endpoint.text();
    require(server.is_seen_at(endpoint), tried + ", where nobody sees it");
    require(!server.judged, tried + " while its answer is judged");
    require(!is_waited_for(server) || server.too_many, tried + " while its answer is awaited");
    require(may_be_tried_at(server, endpoint), tried + ", where it is tried already");
}

// Without news an endpoint that was tried rests. News are a reason to try at once, announcements once a second, but do
// not put off the next round for which the server's other endpoints rest: that is one more, as soon as there is room.
void RaceRules::check_rested(const Server& server, const Endpoint& endpoint, Time now) const {
    const auto found = server.starts.find(endpoint);
    if (found == server.starts.end() || server.too_many) return;
    const auto is_recent = [&](Time time) { return now - time <= 3 * retry_; };
    const std::string tried = server.name + " is tried again at " + endpoint.text() + " after ";
    if (is_recent(server.other_news)) return;
    const auto rest = now - found->second.last;
    if (!is_recent(server.announced)) {
        require(base::to_seconds(rest) >= 0.9 * base::to_seconds(retry_) - 1e-6,
                tried + seconds(rest) + " without news");
        ++met_["an endpoint is tried again after a rest"];
    } else {
        require(now - found->second.before_last >= limits_.announcements,
                tried + seconds(rest) + ", the second time in a second");
    }
}

void RaceRules::check_head_start(const Server& server, Time now) const {
    for (const auto& [id, other] : running_) {
        if (other.server != server.name || !other.in_flight()) continue;
        const auto head_start = other.phase == Phase::connecting ? limits_.second_endpoint : limits_.slow_handshake;
        require(now - other.since >= head_start, server.name + " is tried twice within " + seconds(now - other.since));
        ++met_["a second endpoint is tried"];
    }
}

// A server that changes its host keeps its attempts, so a host may come to have more than its share; but no further
// ones.
void RaceRules::check_bounds(const Server& server, std::size_t before) const {
    require(in_flight() <= limits_.in_flight, "too many attempts are in flight");
    require(in_flight_of(server.name) <= limits_.in_flight_per_server, "too many attempts at " + server.name);
    require(server.configured() || attempts_of_host(server.host) <= std::max(limits_.per_host, before),
            "too many attempts at servers of " + server.host);
}

// Whoever makes room has had time, or belongs to the many of one host while the other has nothing at all; and the room
// is needed.
void RaceRules::check_room_made_for(const Server& server, Time now) {
    const bool has_none = server.configured() ? in_flight_of(server.name) == 0 : in_flight_of_host(server.host) == 0;
    std::size_t places = in_flight();
    for (const Attempt& victim : made_room_) places += victim.in_flight() ? 1 : 0;
    for (const Attempt& victim : made_room_) {
        const std::string what = victim.server + " at " + victim.at.text() + " makes room for " + server.name;
        const bool patient = now - victim.since >= patience_with(victim);
        const Server& its = servers_.at(victim.server);
        const bool greedy = victim.in_flight() && has_none && !its.configured() && in_flight_of_host(its.host) >= 1;
        require(patient || greedy, what + " after " + seconds(now - victim.since));
        const bool in_server =
            victim.server == server.name && in_flight_of(server.name) + 1 >= limits_.in_flight_per_server;
        const bool in_host = its.host == server.host && attempts_of_host(server.host) + 1 >= limits_.per_host;
        const bool overall = victim.in_flight() && places >= limits_.in_flight;
        require(in_server || (in_host && !server.configured()) || overall, what + " without need");
        ++met_[in_server ? "an endpoint makes room for another of its server"
               : overall
                   ? (patient ? "an attempt makes room for another" : "one of many makes room for another host's first")
                   : "an attempt makes room for another of its host"];
    }
    for (const Attempt& victim : made_room_) ++servers_.at(victim.server).yields[victim.at];
    made_room_.clear();
}

// A server that is seen, with nothing in flight, not waited for and with a place free for it, rests for a bounded time,
// and not at all if there are news.
void RaceRules::check_not_starved(Server& server, std::optional<Time> deadline, Time now) const {
    const auto due = std::exchange(server.due, {});
    const auto open = [&](const Endpoint& endpoint) {
        return server.is_seen_at(endpoint) && may_be_tried_at(server, endpoint);
    };
    const auto seen_at = server.seen_at();
    const bool is_tried_nowhere = in_flight_of(server.name) == 0 && std::all_of(seen_at.begin(), seen_at.end(), open);
    const bool asks = server.judged || is_waited_for(server);
    if (asks) server.asked = now;
    if (seen_at.empty() || asks || !is_tried_nowhere) return server.idle.reset();
    if (!server.idle) server.idle = now;
    if (!has_room(server)) return check_waits_for_room(server, deadline, now);
    const auto open_due = std::find_if(due.begin(), due.end(), open);
    if (open_due != due.end() && !server.too_many)
        throw Broken(server.name + " is not tried at " + open_due->text() + " although there are news of it");
    const auto latest = *server.idle + base::from_seconds(1.1 * base::to_seconds(retry_) + 1e-6);
    if (!deadline || *deadline > latest) throw Broken(server.name + " is not going to be tried although there is room");
    if (now > latest) throw Broken(server.name + " has been left alone for " + seconds(now - *server.idle));
}

// Whoever has rested and only lacks a place in flight gets the next one whose owner has had its time.
void RaceRules::check_waits_for_room(const Server& server, std::optional<Time> deadline, Time now) const {
    const bool has_rested = now - *server.idle > base::from_seconds(1.1 * base::to_seconds(retry_));
    const bool has_share = server.configured() || attempts_of_host(server.host) < limits_.per_host;
    if (!has_rested || !has_share) return;
    for (const auto& [id, one] : running_) {
        if (!one.in_flight() || servers_.at(one.server).too_many) continue;
        const auto until = one.since + patience_with(one);
        if (until > now && deadline && *deadline <= until) continue;
        throw Broken(server.name + " is not going to get the place of " + one.server + ", which has had it for " +
                     seconds(now - one.since));
    }
}

void RaceRules::check_all_tried_since(Time then) const {
    const auto tried = [&](const Server& server, const Endpoint& place) {
        return std::any_of(server.starts.begin(), server.starts.end(), [&](const auto& entry) {
            return entry.second.last >= then && same_place(entry.first, place);
        });
    };
    for (const auto& [name, server] : servers_) {
        const auto seen_at = server.seen_at();
        if (server.asked >= then || seen_at.size() > limits_.endpoints) continue;
        for (const Endpoint& endpoint : seen_at) {
            const bool by_anybody = std::any_of(servers_.begin(), servers_.end(), [&](const auto& entry) {
                return (entry.first == name || entry.second.configured() != server.configured()) &&
                       tried(entry.second, endpoint);
            });
            require(by_anybody, name + " has not been tried at " + endpoint.text() + " for long");
        }
    }
}

}  // namespace bootkey::servers::model
