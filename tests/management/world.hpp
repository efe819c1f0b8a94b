// SPDX-License-Identifier: GPL-3.0-or-later
//
// An Interface with everything round it: what clients are sent, and what they make the program do, in words.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bootkey/base/text.hpp"
#include "bootkey/management/interface.hpp"
#include "management/secrets.hpp"

namespace bootkey::management::testing {

constexpr const char* banner = ">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n";

struct World {
    std::vector<std::string> orders;  // what the program was made to do
    std::int64_t unix_time = 1000;
    base::Time now{std::chrono::hours(1)};
    std::vector<ServerRow> servers;
    std::vector<std::string> network{"lo: up, loopback", "127.0.0.1/8 on lo"};
    Totals totals{2, 1234, 56};
    std::size_t killed = 0;           // what a kill reports
    std::function<void()> on_signal;  // what the program says when it is thrown a signal
    std::map<ClientId, std::string> sent;
    std::map<ClientId, std::size_t> room;  // bytes that a client takes before it is full; without: any number
    std::set<ClientId> closed;
    std::set<ClientId> dropped;
    std::map<ClientId, bool> paused;

    base::Log log{3};
    std::vector<std::string> logged;
    Interface interface;

    explicit World(Settings settings = {}) : interface(std::move(settings), steering(), log) {
        interface.attach({.send = [this](ClientId client, std::string_view lines) { return take(client, lines); },
                          .close = [this](ClientId client) { closed.insert(client); },
                          .drop = [this](ClientId client) { dropped.insert(client); },
                          .pause = [this](ClientId client, bool on) { paused[client] = on; }});
        log.add_sink([this](const base::LogEntry& entry) {
            logged.push_back(entry.text);
            interface.logged(entry);
        });
    }

    /// A client comes; returns what it is sent.
    std::string connect(ClientId client, const std::string& address = "192.0.2.1") {
        REQUIRE(interface.client_came(client, {address, address}, now));
        return read(client);
    }
    /// Time passes.
    void wait(base::Duration duration) { interface.run_due(now += duration); }
    /// It sends this; returns how much of it was used.
    std::size_t send(ClientId client, std::string_view text) {
        return interface.received(client, base::bytes_of(text), now);
    }
    /// What it was sent since the last time.
    std::string read(ClientId client) { return std::exchange(sent[client], {}); }
    /// What it is sent for the command.
    std::string ask(ClientId client, const std::string& command) {
        const std::string line = command + "\r\n";
        CHECK(send(client, line) == line.size());
        return read(client);
    }
    std::vector<std::string> take_orders() { return std::exchange(orders, {}); }

private:
    bool take(ClientId client, std::string_view lines) {
        sent[client] += lines;
        return !room.contains(client) || sent[client].size() < room[client];
    }

    Steering steering() {
        const auto order = [this](std::string text) { orders.push_back(std::move(text)); };
        return {
            .password = [order](auto name,
                                auto value) { order("password " + std::string(name) + " " + text_of(value)); },
            .credentials =
                [order](auto name, auto username, auto value) {
                    order("credentials " + std::string(name) + " " + text_of(username) + " " + text_of(value));
                },
            .confirmation = [order](auto name,
                                    bool ok) { order((ok ? "confirmed " : "cancelled ") + std::string(name)); },
            .text = [order](auto name, auto value) { order("text " + std::string(name) + " " + text_of(value)); },
            .forget_passwords = [order] { order("forget passwords"); },
            .auth_retry_changed =
                [order](AuthRetry mode) { order("auth-retry " + std::to_string(static_cast<int>(mode))); },
            .hold_released = [order] { order("hold released"); },
            .signal =
                [this, order](int number) {
                    order("signal " + std::to_string(number));
                    if (on_signal) on_signal();
                },
            .kill_by_name =
                [this, order](auto name) {
                    order("kill " + std::string(name));
                    return killed;
                },
            .kill_by_address =
                [this, order](const auto& address, auto scope, auto port) {
                    const std::string where = scope.empty() ? "" : "%" + std::string(scope);
                    order("kill " + address.text() + where + " " + std::to_string(port));
                    return killed;
                },
            .verb_changed = [order](int level) { order("verb " + std::to_string(level)); },
            .mute_changed = [order](unsigned messages) { order("mute " + std::to_string(messages)); },
            .servers = [this] { return servers; },
            .network = [this] { return network; },
            .totals = [this] { return totals; },
            .unix_time = [this] { return unix_time; },
        };
    }
};

}  // namespace bootkey::management::testing
