// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/server_ledger.hpp"

#include <algorithm>

#include "bootkey/base/text.hpp"
#include "bootkey/management/fields.hpp"

namespace bootkey::monitor {
namespace {

constexpr std::size_t most_interfaces = 1024;
constexpr std::size_t most_attempts = 64;        // with one server
constexpr std::size_t longest_shown_text = 256;  // bytes

const char* phase_of(const timeline::AttemptRecord& record) {
    if (record.ended) return record.failure.empty() ? "answered" : "failed";
    if (record.receiving) return "receiving";
    if (record.waiting) return "waiting";
    return record.handshake ? "handshake" : "connecting";
}

}  // namespace

void ServerLedger::name_interface(std::uint32_t index, const std::string& name) {
    if (interfaces_.size() < most_interfaces || interfaces_.contains(index))
        interfaces_[index] = name.substr(0, longest_shown_text);
}

void ServerLedger::attempt(const timeline::AttemptKey& key, const AttemptNews& news, std::int64_t when) {
    const timeline::AttemptRecord& record = news.record;
    const Place place{record.server.substr(0, longest_shown_text), record.endpoint};
    if (servers_.size() >= most_servers && !servers_.contains(place)) return;
    Server& server = servers_[place];
    const bool is_new = !server.attempts.contains(key);
    if (is_new && server.attempts.size() >= most_attempts) return;
    Attempt& attempt = server.attempts[key];
    management::ServerRow& row = server.row;
    row.name = place.name;
    row.address = record.endpoint.address;
    row.port = record.endpoint.port;
    const auto interface = interfaces_.find(record.endpoint.interface);
    if (interface != interfaces_.end()) row.interface = interface->second;
    row.tries += is_new;
    // A count that goes back is a lie, and no number of bytes.
    const std::uint64_t received = std::max(news.received, attempt.received);
    const std::uint64_t sent = std::max(news.sent, attempt.sent);
    row.bytes += received - attempt.received;
    received_ += received - attempt.received;
    sent_ += sent - attempt.sent;
    attempt = {received, sent, record.ended && record.failure.empty()};
    set_phase(server, phase_of(record), when);
    if (!record.failure.empty()) {
        row.last_error = base::printable(record.failure, longest_shown_text);
        server.attempts.erase(key);
    }
}

void ServerLedger::rejected(const timeline::AttemptKey& key, const std::string& why, std::int64_t when) {
    for (auto& [place, server] : servers_) {
        if (server.attempts.erase(key) == 0) continue;
        server.row.last_error = base::printable(why, longest_shown_text);
        set_phase(server, "rejected", when);
    }
}

void ServerLedger::interrupted(const std::string& why, std::int64_t when) {
    for (auto& [place, server] : servers_) {
        if (server.attempts.empty()) continue;
        server.attempts.clear();
        server.row.last_error = why;
        set_phase(server, "failed", when);
    }
}

void ServerLedger::set_phase(Server& server, const char* phase, std::int64_t when) {
    if (server.row.phase == phase) return;
    server.row.phase = phase;
    server.row.since = when;
}

std::vector<management::ServerRow> ServerLedger::rows() const {
    std::vector<management::ServerRow> rows;
    for (const auto& [place, server] : servers_) rows.push_back(server.row);
    return rows;
}

management::Totals ServerLedger::totals() const {
    std::size_t connections = 0;
    for (const auto& [place, server] : servers_) connections += server.attempts.size();
    return {.connections = connections, .bytes_in = received_, .bytes_out = sent_};
}

template <typename Matches>
std::vector<timeline::AttemptKey> ServerLedger::attempts_where(Matches matches) const {
    std::vector<timeline::AttemptKey> keys;
    for (const auto& [place, server] : servers_)
        for (const auto& [key, attempt] : server.attempts)
            if (matches(place) && !attempt.answered) keys.push_back(key);
    return keys;
}

// What is shown names one server, where a server can call itself as another one is shown.
std::vector<timeline::AttemptKey> ServerLedger::attempts_with(std::string_view name) const {
    const auto is_shown_so = [&](const Place& place) {
        return base::escaped(place.name) == name || management::field(place.name, ',') == name;
    };
    if (auto keys = attempts_where(is_shown_so); !keys.empty()) return keys;
    return attempts_where([&](const Place& place) { return place.name == name; });
}

bool ServerLedger::is_scope(std::uint32_t interface, std::string_view scope) const {
    if (scope.empty() || base::parse_number(scope, 1, UINT32_MAX) == interface) return true;
    const auto known = interfaces_.find(interface);
    return known != interfaces_.end() && (base::escaped(known->second) == scope || known->second == scope);
}

std::vector<timeline::AttemptKey> ServerLedger::attempts_with(const base::IpAddress& address, std::string_view scope,
                                                              std::uint16_t port) const {
    return attempts_where([&](const Place& place) {
        return place.endpoint.address == address && place.endpoint.port == port &&
               is_scope(place.endpoint.interface, scope);
    });
}

}  // namespace bootkey::monitor
