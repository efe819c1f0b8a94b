// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/unlock_state.hpp"

#include <utility>

namespace bootkey::monitor {

using management::State;

namespace {

State state_of(const timeline::AttemptRecord& record) {
    if (record.waiting) return State::get_config;
    return record.handshake ? State::auth : State::tcp_connect;
}

// Why an attempt failed, in the words of OpenVPN's clients; the log has the details.
const char* reason_of(const timeline::AttemptRecord& record) {
    switch (state_of(record)) {
        case State::get_config:
            return "server_closed";
        case State::auth:
            return "tls-error";
        default:
            return "connection-failed";
    }
}

std::optional<base::Endpoint> known(const base::Endpoint& endpoint) {
    if (endpoint.port == 0) return std::nullopt;
    return endpoint;
}

}  // namespace

void UnlockState::begun() {
    connected_ = false;
    show_({.state = State::connecting, .description = {}});
}

void UnlockState::address_usable(const base::IpAddress& address, bool browsing) {
    if (connected_ || !attempts_.empty()) return;
    show_({.state = State::assign_ip, .description = {}, .local = address});
    if (browsing) show_({.state = State::resolve, .description = {}});
}

void UnlockState::route_added(const base::IpAddress& destination) {
    if (connected_ || !attempts_.empty()) return;
    show_({.state = State::add_routes, .description = {}, .server = base::Endpoint{destination, 0, 0}});
}

void UnlockState::attempt(const timeline::AttemptKey& key, const AttemptNews& news, base::Time now) {
    const timeline::AttemptRecord& record = news.record;
    if (record.ended && !record.failure.empty()) return forget(key, reason_of(record));
    if (attempts_.size() >= most_attempts && !attempts_.contains(key)) return;
    Attempt& attempt = attempts_[key];
    const State state = state_of(record);
    if (state == State::get_config && attempt.state != State::get_config) attempt.waiting_since = now;
    attempt.state = state;
    attempt.server = record.endpoint;
    attempt.local = news.local;
    if (record.receiving || record.ended) attempt.waiting_since = {};  // it was approved
    show_furthest();
}

void UnlockState::rejected(const timeline::AttemptKey& key, const std::string& reason) {
    if (std::exchange(connected_, false) && !attempts_.contains(key))
        show_({.state = State::reconnecting, .description = reason});
    forget(key, reason);
}

void UnlockState::idle(const std::string& until) {
    if (connected_ || !attempts_.empty()) return;
    show_({.state = State::wait, .description = "until " + until});
}

void UnlockState::trying_anew(const std::string& reason) {
    if (!connected_ && attempts_.empty()) show_({.state = State::reconnecting, .description = reason});
}

void UnlockState::interrupted(const std::string& reason) {
    attempts_.clear();
    shown_.reset();
    connected_ = false;
    show_({.state = State::reconnecting, .description = reason});
}

void UnlockState::connected(const timeline::AttemptKey& key) {
    connected_ = true;
    const auto found = attempts_.find(key);
    const auto server = found == attempts_.end() ? std::nullopt : known(found->second.server);
    const auto local = found == attempts_.end() ? std::nullopt : known(found->second.local);
    show_({.state = State::connected,
           .description = "SUCCESS",
           .local = local ? std::optional(local->address) : std::nullopt,
           .server = server,
           .from = local});
}

void UnlockState::connected(const std::string& by) {
    connected_ = true;
    show_({.state = State::connected, .description = "SUCCESS", .by = by});
}

void UnlockState::forget(const timeline::AttemptKey& key, const std::string& reason) {
    if (attempts_.erase(key) == 0) return;
    if (shown_ == key) shown_.reset();
    if (connected_) return;
    if (attempts_.empty())
        show_({.state = State::reconnecting, .description = reason});
    else
        show_furthest();
}

// Among those that are equally far the one that is shown already stays.
void UnlockState::show_furthest() {
    if (connected_ || attempts_.empty()) return;
    auto furthest = shown_ ? attempts_.find(*shown_) : attempts_.begin();
    if (furthest == attempts_.end()) furthest = attempts_.begin();
    for (auto other = attempts_.begin(); other != attempts_.end(); ++other)
        if (other->second.state > furthest->second.state) furthest = other;
    const auto& [key, attempt] = *furthest;
    const bool same =
        shown_ == key && shown_as_ && shown_as_->state == attempt.state && shown_as_->approval == attempt.approval;
    if (!same) show(key, attempt);
}

void UnlockState::show(const timeline::AttemptKey& key, const Attempt& attempt) {
    shown_ = key;
    shown_as_ = attempt;
    show_({.state = attempt.state,
           .description = attempt.approval ? "approval" : "",
           .server = known(attempt.server),
           .from = known(attempt.local)});
}

std::optional<base::Time> UnlockState::deadline() const {
    if (connected_ || !shown_) return std::nullopt;
    const auto found = attempts_.find(*shown_);
    if (found == attempts_.end() || found->second.approval || found->second.waiting_since == base::Time{})
        return std::nullopt;
    return found->second.waiting_since + approval_after;
}

void UnlockState::run_due(base::Time now) {
    const auto due = deadline();
    if (!due || now < *due) return;
    attempts_.at(*shown_).approval = true;
    show_furthest();
}

}  // namespace bootkey::monitor
