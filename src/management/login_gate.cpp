// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/login_gate.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace bootkey::management {

LoginGate::Waiting* LoginGate::find(ClientId client) {
    const auto found = std::ranges::find(waiting_, client, &Waiting::client);
    return found == waiting_.end() ? nullptr : &*found;
}

const LoginGate::Record& LoginGate::record_of(const Waiting& waiting) const {
    static const Record none;  // of an address that had to be forgotten
    const auto found = records_.find(waiting.origin.address);
    return found == records_.end() ? none : found->second;
}

std::optional<ClientId> LoginGate::came(ClientId client, Origin origin, base::Time now) {
    Record& record = record_for(origin.address, now);
    ++record.connections;
    record.last = std::max(record.last, now);
    const auto deadline = has_limits_ ? std::optional(now + max_login_time) : std::nullopt;
    waiting_.push_back({client, std::move(origin), deadline, std::nullopt});
    if (!has_limits_ || waiting_.size() <= max_clients) return std::nullopt;
    const auto going = one_to_go();
    const ClientId gone = going->client;
    waiting_.erase(going);
    return gone;
}

// Among equals, those whose first password is about to be compared stay.
std::vector<LoginGate::Waiting>::iterator LoginGate::one_to_go() {
    std::map<std::string, long> networks, addresses;
    for (const Waiting& each : waiting_) {
        ++networks[each.origin.network];
        ++addresses[each.origin.address];
    }
    const auto nuisance = [&](const Waiting& each) {
        const Record& record = record_of(each);
        return std::tuple(networks[each.origin.network], addresses[each.origin.address],
                          record.connections + record.wrong, !each.given || record.wrong > 0);
    };
    return std::max_element(waiting_.begin(), waiting_.end(),
                            [&](const auto& one, const auto& other) { return nuisance(one) < nuisance(other); });
}

void LoginGate::gave_password(ClientId client, base::Time now) {
    Waiting* const waiting = find(client);
    if (waiting == nullptr) return;
    waiting->deadline.reset();
    waiting->given = now;
}

base::Time LoginGate::comparison_of(const Waiting& waiting) const {
    return std::max(next_, record_of(waiting).next);
}

std::optional<ClientId> LoginGate::next(base::Time now) const {
    const Waiting* chosen = nullptr;
    const auto rank = [this](const Waiting& each) { return std::pair(record_of(each).wrong > 0, *each.given); };
    for (const Waiting& each : waiting_)
        if (each.given && comparison_of(each) <= now && (chosen == nullptr || rank(each) < rank(*chosen)))
            chosen = &each;
    return chosen == nullptr ? std::nullopt : std::optional(chosen->client);
}

void LoginGate::was_right(ClientId client) {
    if (const Waiting* const waiting = find(client)) records_.erase(waiting->origin.address);
    left(client);
}

void LoginGate::was_wrong(ClientId client, base::Time now) {
    Waiting* const waiting = find(client);
    if (waiting == nullptr) return;
    waiting->given.reset();
    if (has_limits_) waiting->deadline = now + max_login_time;
    Record& record = record_for(waiting->origin.address, now);
    ++record.wrong;
    record.pause = record.pause == base::Duration{} ? min_pause : std::min(2 * record.pause, max_pause);
    record.last = record.next = now + record.pause;
    next_ = std::max(next_, now - max_burst * min_interval) + min_interval;
}

void LoginGate::forget_old_records(base::Time now) {
    std::erase_if(records_, [now](const auto& each) { return each.second.last + memory <= now; });
}

// If there are too many, the one that has been quiet for longest makes room.
LoginGate::Record& LoginGate::record_for(const std::string& address, base::Time now) {
    forget_old_records(now);
    if (!records_.contains(address) && records_.size() >= max_addresses)
        records_.erase(std::ranges::min_element(records_, {}, [](const auto& each) { return each.second.last; }));
    return records_[address];
}

void LoginGate::left(ClientId client) {
    std::erase_if(waiting_, [client](const Waiting& each) { return each.client == client; });
}

bool LoginGate::waits_for_comparison(ClientId client) const {
    const auto found = std::ranges::find(waiting_, client, &Waiting::client);
    return found != waiting_.end() && found->given;
}

std::vector<ClientId> LoginGate::overdue(base::Time now) const {
    std::vector<ClientId> late;
    for (const Waiting& each : waiting_)
        if (each.deadline && *each.deadline <= now) late.push_back(each.client);
    return late;
}

std::optional<base::Time> LoginGate::next_deadline() const {
    std::optional<base::Time> earliest;
    const auto consider = [&](base::Time moment) { earliest = earliest ? std::min(*earliest, moment) : moment; };
    for (const Waiting& each : waiting_) {
        if (each.deadline) consider(*each.deadline);
        if (each.given) consider(comparison_of(each));
    }
    return earliest;
}

}  // namespace bootkey::management
