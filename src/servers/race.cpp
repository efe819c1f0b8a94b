// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/servers/race.hpp"

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

namespace bootkey::servers {

Race::Race(base::Duration retry, Random random, RaceLimits limits)
    : retry_(std::max<base::Duration>(retry, limits.least_retry)), random_(std::move(random)), limits_(limits) {
}

// --- What is known of servers ---------------------------------------------------------------------------------------

std::optional<Race::Found> Race::find(AttemptId attempt) {
    for (auto& [key, server] : servers_) {
        for (std::size_t i = 0; i < server.tries.size(); ++i) {
            if (server.tries[i].id == attempt) return Found{&server, i};
        }
    }
    return std::nullopt;
}

// The server's record, made if need be at the cost of the least valuable other. Nothing if a person configured them
// all.
KnownServer* Race::remember(const std::string& name, const std::string& host, base::Time now) {
    const Key key(host.empty(), name);
    if (const auto known = servers_.find(key); known != servers_.end()) return &known->second;
    if (servers_.size() >= limits_.servers) {
        const auto least = std::min_element(servers_.begin(), servers_.end(), [](const auto& a, const auto& b) {
            return a.second.worth_less_than(b.second);
        });
        if (least->second.configured()) return nullptr;
        while (!least->second.tries.empty()) cancel({&least->second, 0}, "too many servers are known");
        servers_.erase(least);
    }
    KnownServer& server = servers_[key];
    server.name = name;
    server.known_since = now;
    return &server;
}

void Race::update(const std::string& name, const std::string& host, const std::string& source,
                  const std::vector<base::Endpoint>& endpoints, base::Time now) {
    KnownServer* server = remember(name, host, now);
    if (server == nullptr) return;
    server->host = host;
    server->seen = now;
    server->seen_by(source, endpoints, endpoint_limits());
    cancel_unlisted(*server);
}

void Race::lost(const std::string& name, const std::string& source) {
    for (const bool configured : {false, true}) {
        const auto known = servers_.find(Key(configured, name));
        if (known == servers_.end()) continue;
        known->second.lost_by(source, endpoint_limits());
        cancel_unlisted(known->second);
    }
}

void Race::interface_gone(std::uint32_t interface) {
    for (auto& [key, server] : servers_) {
        cancel_if(server, "its network interface is gone",
                  [interface](const Try& one) { return one.endpoint.interface == interface; });
        server.forget(interface, endpoint_limits());
    }
}

void Race::reachable(std::uint32_t interface) {
    for (auto& [key, server] : servers_) server.retry_unreachable(interface);
}

void Race::try_now() {
    for (auto& [key, server] : servers_) server.retry_all();
}

// --- What becomes of attempts ---------------------------------------------------------------------------------------

// Tells the owner to give the attempt up.
void Race::cancel(const Found& found, const std::string& why) {
    auto& tries = found.server->tries;
    actions_.push_back(Cancel{tries[found.index].id, why});
    tries.erase(tries.begin() + static_cast<std::ptrdiff_t>(found.index));
}

template <typename Which>
void Race::cancel_if(KnownServer& server, const std::string& why, Which which) {
    for (std::size_t i = server.tries.size(); i-- > 0;) {
        if (which(server.tries[i])) cancel({&server, i}, why);
    }
}

// What is connected proves that there is a server; what still connects to a place that nobody announces any more does
// not.
void Race::cancel_unlisted(KnownServer& server) {
    cancel_if(server, "it is no longer announced there", [&server](const Try& one) {
        const Candidate* where = server.candidate(one.endpoint);
        return one.phase == Phase::connecting && (where == nullptr || !where->listed);
    });
}

// The others have another turn, should this attempt fail.
template <typename Which>
void Race::cancel_others(KnownServer& server, AttemptId attempt, const std::string& why, Which which) {
    cancel_if(server, why, [&](const Try& other) {
        if (other.id == attempt || !which(other)) return false;
        if (Candidate* where = server.candidate(other.endpoint)) where->retry();
        return true;
    });
}

void Race::reached(AttemptId attempt, Phase phase, base::Time now) {
    const auto found = find(attempt);
    if (!found) return;
    KnownServer& server = *found->server;
    Try& one = server.tries[found->index];
    one.phase = phase;
    one.since = now;
    if (phase == Phase::handshake) {
        // Further connections would only be more work for the server.
        cancel_others(server, attempt, "another connection to it was faster",
                      [](const Try& other) { return other.phase == Phase::connecting; });
    } else if (phase == Phase::waiting) {
        server.proved = true;
        server.next_round.reset();
        const base::Endpoint place = one.endpoint;
        server.prefer(place, limits_.patience);
        const auto all = [](const Try&) { return true; };
        cancel_others(server, attempt, "another connection to it took its place", all);
        for_twins(server, [&](KnownServer& twin) {
            if (twin.is_listed_at(place)) cancel_others(twin, attempt, "another connection to it took its place", all);
        });
        limit_waiting(attempt, now);
    }
}

void Race::limit_waiting(AttemptId newest, base::Time now) {
    std::size_t waiting = 0;
    const Try* longest = nullptr;
    for (const auto& [key, server] : servers_) {
        for (const Try& one : server.tries) {
            if (one.in_flight()) continue;
            ++waiting;
            if (one.id != newest && (longest == nullptr || one.since < longest->since)) longest = &one;
        }
    }
    if (waiting > limits_.waiting && longest != nullptr) yield(longest->id, now);
}

// An attempt makes room for another: as if it had failed, and its endpoint may take twice as long the next time.
void Race::yield(AttemptId attempt, base::Time now) {
    const auto found = find(attempt);
    if (!found) return;
    const Try& one = found->server->tries[found->index];
    if (Candidate* where = found->server->candidate(one.endpoint))
        where->patience = std::min(where->patience * 2, limits_.most_patience);
    const std::string why = "it made room for others after a silence";
    const Blame blame = one.in_flight() ? Blame::endpoint : Blame::server;
    actions_.push_back(Cancel{attempt, why});
    failed(attempt, blame, why, now);
}

void Race::failed(AttemptId attempt, Blame blame, const std::string& why, base::Time now) {
    const auto found = find(attempt);
    if (!found) return;
    KnownServer& server = *found->server;
    const Try one = server.tries[found->index];
    server.tries.erase(server.tries.begin() + static_cast<std::ptrdiff_t>(found->index));
    server.last_error = why;
    if (Candidate* where = server.candidate(one.endpoint)) {
        where->tried = true;
        where->unreachable = one.phase == Phase::connecting;
    }
    if (blame == Blame::server) server.rest_until(now + retry_delay(retry_, random_));
}

void Race::answered(AttemptId attempt) {
    const auto found = find(attempt);
    if (!found) return;
    KnownServer& server = *found->server;
    server.answer = attempt;
    server.tries.erase(server.tries.begin() + static_cast<std::ptrdiff_t>(found->index));
    cancel_if(server, "it has answered", [](const Try&) { return true; });
}

std::optional<std::string> Race::rejected(AttemptId attempt, const std::string& why, base::Time now) {
    const auto found = std::find_if(servers_.begin(), servers_.end(),
                                    [&](const auto& entry) { return entry.second.answer == attempt; });
    if (found == servers_.end()) return std::nullopt;
    KnownServer& server = found->second;
    server.answer.reset();
    server.last_error = why;
    server.rest_until(now + retry_delay(retry_, random_));
    return server.name;
}

// --- What is tried next ---------------------------------------------------------------------------------------------

std::vector<Action> Race::decide(base::Time now) {
    deadline_.reset();
    count_.reset();
    const std::vector<KnownServer*> order = order_of_turns();
    // Room made for one may leave room for another that was passed over, so again until nobody moves.
    for (bool again = true; again;) {
        again = false;
        for (KnownServer* server : order) {
            while (start_one(*server, now)) again = true;
        }
    }
    return std::exchange(actions_, {});
}

// Whoever has waited longest for a turn comes first, servers that were never tried before all others; but now and then
// one of those, since anybody can announce new servers without end. Of the new, each host's first comes before any
// host's second, so that one host's many do not keep another's waiting.
std::vector<KnownServer*> Race::order_of_turns() {
    std::map<std::string, std::size_t> turns;
    std::vector<KnownServer*> order;
    for (auto& [key, server] : servers_) {
        turns[server.host] += server.tries.size();
        order.push_back(&server);
    }
    std::stable_sort(order.begin(), order.end(), [](const KnownServer* a, const KnownServer* b) {
        return std::tie(a->last_start, a->known_since) < std::tie(b->last_start, b->known_since);
    });
    const auto first_tried = std::find_if_not(order.begin(), order.end(), std::mem_fn(&KnownServer::never_tried));
    std::map<const KnownServer*, std::size_t> turn;
    for (auto next = order.begin(); next != first_tried; ++next)
        turn[*next] = (*next)->configured() ? 0 : turns[(*next)->host]++;
    std::stable_sort(order.begin(), first_tried,
                     [&](const KnownServer* a, const KnownServer* b) { return turn[a] < turn[b]; });
    if (newcomers_ >= limits_.newcomers) std::rotate(order.begin(), first_tried, order.end());
    return order;
}

const Race::Count& Race::count() {
    if (count_) return *count_;
    count_ = Count{};
    for (const auto& [key, server] : servers_) {
        const std::size_t in_flight = server.in_flight();
        count_->in_flight += in_flight;
        count_->in_flight_of_host[server.host] += in_flight;
        count_->attempts_of_host[server.host] += server.tries.size();
    }
    std::size_t most = 0;
    for (const auto& [host, places] : count_->in_flight_of_host) {
        if (host.empty() || places <= most) continue;
        most = places;
        count_->greediest = host;
    }
    return *count_;
}

void Race::wake_at(base::Time time) {
    if (!deadline_ || time < *deadline_) deadline_ = time;
}

// A configured server may be announced as well, and then has two records. These are the ones of the other kind; whether
// they mean the same server shows where they are tried.
template <typename Visit>
void Race::for_twins(const KnownServer& server, Visit visit) {
    const auto first_configured = servers_.lower_bound(Key(true, {}));
    auto next = server.configured() ? servers_.begin() : first_configured;
    const auto end = server.configured() ? first_configured : servers_.end();
    for (; next != end; ++next) visit(next->second);
}

bool Race::twin_waits_for(const KnownServer& server) {
    bool waits = false;
    for_twins(server, [&](const KnownServer& twin) {
        waits = waits || std::any_of(twin.tries.begin(), twin.tries.end(), [&](const Try& one) {
                    return !one.in_flight() && server.is_listed_at(one.endpoint);
                });
    });
    return waits;
}

bool Race::twin_is_tried_at(const KnownServer& server, const base::Endpoint& place) {
    bool tried = false;
    for_twins(server, [&](const KnownServer& twin) {
        tried = tried || std::any_of(twin.tries.begin(), twin.tries.end(),
                                     [&](const Try& one) { return same_place(one.endpoint, place); });
    });
    return tried;
}

// Starts one more attempt with the server if there is anything to try and room for it.
bool Race::start_one(KnownServer& server, base::Time now) {
    if (server.answer || server.waits_where_listed() || twin_waits_for(server)) return false;
    begin_round(server, now);
    Candidate* next = next_candidate(server, now);
    if (next == nullptr || !make_room_for(server, now)) return false;
    // Making room may have ended an attempt with this very server, but removes no candidate.
    count_.reset();
    next->tried = true;
    next->last_start = now;
    newcomers_ = server.never_tried() ? newcomers_ + 1 : 0;
    server.last_start = now;
    ++server.attempts;
    server.tries.push_back({++last_id_, next->endpoint, Phase::connecting, now});
    actions_.push_back(Start{last_id_, server.name, next->endpoint, server.configured()});
    return true;
}

// A round is over when every endpoint has been tried and has failed; the next one begins after a rest.
void Race::begin_round(KnownServer& server, base::Time now) {
    if (server.next_round && now >= *server.next_round) {
        server.next_round.reset();
        server.retry_all();
    }
    if (!server.round_is_over() || server.in_flight() > 0) return;
    if (!server.next_round) server.next_round = now + retry_delay(retry_, random_);
    wake_at(*server.next_round);
}

Candidate* Race::next_candidate(KnownServer& server, base::Time now) {
    Candidate* first = nullptr;
    for (auto& one : server.candidates) {
        if (one.tried || !one.listed || server.is_tried_at(one.endpoint)) continue;
        if (twin_is_tried_at(server, one.endpoint)) continue;
        if (one.not_before > now)
            wake_at(one.not_before);
        else if (first == nullptr)
            first = &one;
    }
    return first;
}

// Finds a place for one more attempt with the server under all three bounds, at the cost of others only if all can be
// met.
bool Race::make_room_for(const KnownServer& server, base::Time now) {
    const Room here = room_in_server(server, now);
    if (!here.possible) return false;
    const Room with_host = here.taken_from ? here : room_for_host(server, now);
    if (!with_host.possible) return false;
    // Whoever gives up a place in flight gives it up under the general bound too.
    const Room overall = with_host.was_in_flight ? Room{.possible = true} : room_in_flight(server, now);
    if (!overall.possible) return false;
    for (const auto& victim : {with_host.taken_from, overall.taken_from}) {
        if (victim) yield(*victim, now);
    }
    return true;
}

// The first endpoint has a head start over the second; a third takes the place of one that has had time enough.
Race::Room Race::room_in_server(const KnownServer& server, base::Time now) {
    const Try* last = nullptr;
    for (const Try& one : server.tries) {
        if (one.in_flight() && (last == nullptr || one.since > last->since)) last = &one;
    }
    if (last == nullptr) return {.possible = true};
    const auto head_start = last->phase == Phase::connecting ? limits_.second_endpoint : limits_.slow_handshake;
    if (now < last->since + head_start) {
        wake_at(last->since + head_start);
        return {};
    }
    if (server.in_flight() < limits_.in_flight_per_server) return {.possible = true};
    return room_of(
        [&](const KnownServer& other, const Try& one) { return &other == &server && one.phase == Phase::connecting; },
        now);
}

Race::Room Race::room_for_host(const KnownServer& server, base::Time now) {
    if (server.configured()) return {.possible = true};
    if (count().attempts_of_host.at(server.host) < limits_.per_host) return {.possible = true};
    return room_of([&](const KnownServer& other, const Try&) { return other.host == server.host; }, now);
}

Race::Room Race::room_in_flight(const KnownServer& server, base::Time now) {
    if (count().in_flight < limits_.in_flight) return {.possible = true};
    const Room room = room_of([](const KnownServer&, const Try& one) { return one.in_flight(); }, now);
    return room.possible ? room : room_of_the_greediest(server);
}

// A host (or a configured server) that has nothing in flight need not wait: it gets the oldest place of the host that
// has most of them, if that keeps another one.
Race::Room Race::room_of_the_greediest(const KnownServer& server) {
    const auto& places = count().in_flight_of_host;
    const std::string& greediest = count().greediest;
    const bool has_any = server.configured() ? server.in_flight() > 0 : places.at(server.host) > 0;
    if (has_any || greediest.empty() || places.at(greediest) < 2) return {};
    const Try* oldest = nullptr;
    for (const auto& [key, other] : servers_) {
        if (other.configured() || other.host != greediest) continue;
        for (const Try& one : other.tries)
            if (one.in_flight() && (oldest == nullptr || one.since < oldest->since)) oldest = &one;
    }
    return {.possible = true, .taken_from = oldest->id, .was_in_flight = true};
}

// Of those that compete for the same place, the one whose patience ended first may be asked to yield; those in flight
// before those that wait for a person.
template <typename Competes>
Race::Room Race::room_of(Competes competes, base::Time now) {
    const Try* victim = nullptr;
    std::tuple<bool, base::Time> victims_rank;
    for (const auto& [key, server] : servers_) {
        for (const Try& one : server.tries) {
            if (!competes(server, one)) continue;
            const Candidate* where = server.candidate(one.endpoint);
            const auto until = one.since + (where != nullptr ? where->patience : limits_.patience);
            if (until > now) {
                wake_at(until);
                continue;
            }
            const std::tuple rank(!one.in_flight(), until);
            if (victim != nullptr && victims_rank <= rank) continue;
            victim = &one;
            victims_rank = rank;
        }
    }
    if (victim == nullptr) return {};
    return {.possible = true, .taken_from = victim->id, .was_in_flight = victim->in_flight()};
}

// --- For people -----------------------------------------------------------------------------------------------------

std::vector<std::string> Race::status(base::Time now) const {
    std::vector<std::string> lines;
    for (const auto& [key, server] : servers_) lines.push_back(server.status(now));
    return lines;
}

}  // namespace bootkey::servers
