// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/servers/known_server.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::servers {
namespace {

bool contains(const std::vector<base::Endpoint>& endpoints, const base::Endpoint& endpoint) {
    return std::find(endpoints.begin(), endpoints.end(), endpoint) != endpoints.end();
}

template <typename Candidates>
auto find_in(Candidates& candidates, const base::Endpoint& endpoint) {
    return std::find_if(candidates.begin(), candidates.end(),
                        [&](const Candidate& one) { return one.endpoint == endpoint; });
}

}  // namespace

bool same_place(const base::Endpoint& a, const base::Endpoint& b) {
    if (a.address != b.address || a.port != b.port) return false;
    return a.interface == b.interface || !a.address.is_link_local();
}

void Candidate::retry() {
    tried = false;
    not_before = {};
}

void Candidate::retry_after(base::Duration spacing) {
    tried = false;
    not_before = last_start + spacing;
}

bool KnownServer::worth_less_than(const KnownServer& other) const {
    const auto worth = [](const KnownServer& server) {
        return std::tuple(server.configured(), !server.tries.empty(), !server.sources.empty(), server.proved,
                          server.seen);
    };
    return worth(*this) < worth(other);
}

Candidate* KnownServer::candidate(const base::Endpoint& endpoint) {
    const auto found = find_in(candidates, endpoint);
    return found != candidates.end() ? &*found : nullptr;
}

const Candidate* KnownServer::candidate(const base::Endpoint& endpoint) const {
    const auto found = find_in(candidates, endpoint);
    return found != candidates.end() ? &*found : nullptr;
}

std::size_t KnownServer::in_flight() const {
    return static_cast<std::size_t>(
        std::count_if(tries.begin(), tries.end(), [](const Try& one) { return one.in_flight(); }));
}

bool KnownServer::is_tried_at(const base::Endpoint& endpoint) const {
    return std::any_of(tries.begin(), tries.end(), [&](const Try& one) { return one.endpoint == endpoint; });
}

bool KnownServer::is_listed_at(const base::Endpoint& place) const {
    return std::any_of(candidates.begin(), candidates.end(),
                       [&](const Candidate& one) { return one.listed && same_place(one.endpoint, place); });
}

bool KnownServer::waits_where_listed() const {
    return std::any_of(tries.begin(), tries.end(), [this](const Try& one) {
        const Candidate* where = candidate(one.endpoint);
        return !one.in_flight() && where != nullptr && where->listed;
    });
}

bool KnownServer::round_is_over() const {
    bool any_listed = false;
    for (const auto& one : candidates) {
        if (one.listed && !one.tried) return false;
        any_listed = any_listed || one.listed;
    }
    return any_listed;
}

void KnownServer::seen_by(const std::string& source, const std::vector<base::Endpoint>& endpoints,
                          const EndpointLimits& limits) {
    auto& seen_here = sources[source];
    seen_here.clear();
    for (const auto& endpoint : endpoints) {
        if (seen_here.size() < limits.most && !contains(seen_here, endpoint)) seen_here.push_back(endpoint);
    }
    // A repeated announcement may mean that the server has been restarted. A configured server is not announced.
    for (auto& one : candidates) {
        if (!configured() && one.listed && one.tried && contains(seen_here, one.endpoint))
            one.retry_after(limits.spacing);
    }
    if (seen_here.empty()) sources.erase(source);
    relist(limits);
}

void KnownServer::lost_by(const std::string& source, const EndpointLimits& limits) {
    sources.erase(source);
    relist(limits);
}

// Finds out anew which endpoints are listed by some source. One that found no place before may find one now.
void KnownServer::relist(const EndpointLimits& limits) {
    for (auto& one : candidates) {
        const bool listed = std::any_of(sources.begin(), sources.end(),
                                        [&](const auto& source) { return contains(source.second, one.endpoint); });
        if (listed && !one.listed) one.retry_after(limits.spacing);
        one.listed = listed;
    }
    for (const auto& [source, endpoints] : sources)
        for (const auto& endpoint : endpoints) add(endpoint, limits);
}

void KnownServer::add(const base::Endpoint& endpoint, const EndpointLimits& limits) {
    if (candidate(endpoint) != nullptr) return;
    if (candidates.size() >= limits.most) {
        const auto unlisted =
            std::find_if(candidates.begin(), candidates.end(), [](const auto& one) { return !one.listed; });
        if (unlisted == candidates.end()) return;
        candidates.erase(unlisted);
    }
    Candidate added;
    added.endpoint = endpoint;
    added.patience = limits.patience;
    candidates.push_back(added);
}

void KnownServer::forget(std::uint32_t interface, const EndpointLimits& limits) {
    const auto is_on_it = [interface](const base::Endpoint& endpoint) { return endpoint.interface == interface; };
    for (auto& [source, endpoints] : sources) std::erase_if(endpoints, is_on_it);
    std::erase_if(sources, [](const auto& source) { return source.second.empty(); });
    std::erase_if(candidates, [&](const Candidate& one) { return is_on_it(one.endpoint); });
    relist(limits);
}

void KnownServer::retry_unreachable(std::uint32_t interface) {
    for (auto& one : candidates) {
        const bool concerned = interface == 0 || one.endpoint.interface == 0 || one.endpoint.interface == interface;
        if (concerned && one.listed && one.unreachable) one.retry();
    }
}

void KnownServer::retry_all() {
    for (auto& one : candidates) {
        if (one.listed && !is_tried_at(one.endpoint)) one.retry();
    }
}

void KnownServer::rest_until(base::Time next) {
    for (auto& one : candidates) {
        one.tried = true;
        one.unreachable = false;
    }
    next_round = next;
}

void KnownServer::prefer(const base::Endpoint& endpoint, base::Duration patience) {
    const auto found = find_in(candidates, endpoint);
    if (found == candidates.end()) return;
    found->patience = patience;
    std::rotate(candidates.begin(), found, found + 1);
}

std::string KnownServer::status(base::Time now) const {
    std::string line = base::escaped(name) + ": ";
    if (answer) line += "its answer is being decrypted, ";
    for (const auto& one : tries)
        line += base::format("%s at %s for %.1f s, ", servers::name(one.phase), one.endpoint.text().c_str(),
                             base::to_seconds(now - one.since));
    if (!answer && tries.empty()) {
        if (sources.empty())
            line += "no longer seen, ";
        else if (next_round && *next_round > now)
            line += base::format("next try in %.1f s, ", base::to_seconds(*next_round - now));
        else
            line += "about to be tried, ";
    }
    line += base::format("%llu tries", static_cast<unsigned long long>(attempts));
    if (!last_error.empty()) line += ", last failure: " + last_error;
    return line;
}

}  // namespace bootkey::servers
