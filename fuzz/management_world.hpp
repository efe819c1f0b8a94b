// SPDX-License-Identifier: GPL-3.0-or-later
//
// An Interface with clients that check what they are sent: whole lines, no notification inside a reply, and never the
// secret that some of them send.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "bootkey/management/interface.hpp"
#include "fuzz.hpp"

namespace bootkey::fuzz {

class CheckedClient {
public:
    /// Takes what it is sent; returns whether it wants more at once.
    bool take(std::string_view lines, std::string_view secret) {
        require(lines.find(secret) == std::string_view::npos, "no client is sent a secret");
        while (!lines.empty()) {
            if (lines == "ENTER PASSWORD:") break;
            const auto end = lines.find("\r\n");
            require(end != std::string_view::npos, "whole lines are sent");
            check(lines.substr(0, end));
            lines.remove_prefix(end + 2);
        }
        return ++unread_ < 3;  // pieces
    }
    void read() { unread_ = 0; }
    [[nodiscard]] bool is_in_reply() const { return is_in_reply_; }

    std::string input;  // sent by it, not used yet
    bool closed = false;
    bool paused = false;
    bool succeeded = false;

private:
    void check(std::string_view line) {
        require(line.find_first_of("\r\n") == std::string_view::npos, "lines end with CR LF");
        const bool alone = line.starts_with(">") || line.starts_with("SUCCESS: ") || line.starts_with("ERROR: ");
        if (line.starts_with("ERROR: ")) require_readable(line);
        require(!(is_in_reply_ && alone), "nothing comes inside a reply of several lines");
        is_in_reply_ = !alone && line != "END";
        succeeded = succeeded || line.starts_with("SUCCESS: ");
    }

    std::size_t unread_ = 0;
    bool is_in_reply_ = false;
};

struct ManagementWorld {
    explicit ManagementWorld(std::string token, bool with_password)
        : secret(std::move(token)), interface(settings(with_password), steering(), log) {
        interface.attach({.send = [this](auto client, auto lines) { return clients.at(client).take(lines, secret); },
                          .close = [this](auto client) { clients.at(client).closed = true; },
                          .drop = [this](auto client) { clients.erase(client); },
                          .pause = [this](auto client, bool on) { clients.at(client).paused = on; }});
        log.add_sink([this](const base::LogEntry& entry) {
            require(entry.text.find(secret) == std::string::npos, "no secret is logged");
            interface.logged(entry);
        });
    }

    void come(management::ClientId id) {
        if (!clients.try_emplace(id).second) return;
        require(interface.client_came(id, {"a", "a"}, now).ok(), "there is memory for a client");
    }
    void leave(management::ClientId id) {
        if (clients.erase(id) > 0) interface.client_left(id);
    }
    /// The client sends `text`, which is used as far as the client keeps up.
    void send(management::ClientId id, std::string_view text) {
        const auto client = clients.find(id);
        if (client == clients.end() || client->second.closed) return;
        auto& input = client->second.input += text;
        if (client->second.paused) return;
        const auto used = interface.received(id, base::bytes_of(input), now);
        require(used <= input.size(), "no more is used than there is");
        input.erase(0, used);
        succeeded = succeeded || client->second.succeeded;
    }
    /// The client sends the secret, rightly or wrongly, with `text` behind it.
    void send_secret(management::ClientId id, std::string_view text) {
        constexpr std::array commands{"password Disk ", "username Disk ",     "needstr Disk ",   "passw Disk ",
                                      "\"Disk\" '",     "password Disk \"a ", "password Disk x "};
        std::string line = "\n";
        line += commands.at(text.size() % commands.size());
        ((line += secret) += text) += '\n';
        send(id, line);
    }
    /// The client reads what it was sent, and gets more.
    void read(management::ClientId id) {
        const auto client = clients.find(id);
        if (client == clients.end()) return;
        client->second.read();
        interface.drained(id);
        send(id, "");
    }
    /// All clients read until they have everything.
    void settle() {
        for (management::ClientId id = 0; id < 4; ++id) {
            for (int turn = 0; has_more(id, turn); ++turn) {
                require(turn < 100'000, "a client that reads gets everything");
                read(id);
                if (clients.contains(id) && clients.at(id).paused) interface.run_due(now += std::chrono::seconds(8));
            }
        }
    }

    bool succeeded = false;  // a command
    std::string secret;
    base::Log log{15};
    base::Time now{std::chrono::hours(1)};
    std::map<management::ClientId, CheckedClient> clients;
    management::Interface interface;

private:
    [[nodiscard]] bool has_more(management::ClientId id, int turn) const {
        const auto client = clients.find(id);
        return client != clients.end() && !client->second.closed &&
               (turn < 3 || client->second.is_in_reply() || !client->second.input.empty());
    }
    static management::Settings settings(bool with_password) {
        management::Settings chosen;
        chosen.log_cache = 50;
        chosen.signal = true;
        if (!with_password) return chosen;
        chosen.password = std::move(*base::Secret::with_capacity(1));
        require(chosen.password.append(base::bytes_of("x")), "there is room for a password");
        return chosen;
    }
    // Whatever is ordered is done and told at once.
    management::Steering steering() {
        return {.password = [this](auto name, auto) { say(name); },
                .credentials = [this](auto name, auto, auto) { say(name); },
                .confirmation = [this](auto name, bool) { say(name); },
                .text = [this](auto name, auto) { say(name); },
                .forget_passwords = [this] { say("forget"); },
                .auth_retry_changed = [this](auto) { say("auth-retry"); },
                .hold_released = [this] { say("released"); },
                .signal = [this](int number) { number % 2 == 0 ? interface.hold() : say("signal"); },
                .kill_by_name =
                    [this](auto name) {
                        say(name);
                        return name.size() % 3;
                    },
                .kill_by_address = [](const auto&, auto, auto port) { return port % 3u; },
                .verb_changed = [this](int level) { log.set_level(level); },
                .mute_changed = [this](unsigned) { say("mute"); },
                .servers = [] { return std::vector<management::ServerRow>(3); },
                .network = [] { return std::vector<std::string>(3, "lo"); },
                .totals =
                    [] {
                        return management::Totals{1, 2, 3};
                    },
                .unix_time = [] { return std::int64_t{5}; }};
    }
    void say(std::string_view text) {
        interface.state_changed({.state = management::State::reconnecting, .description = std::string(text)});
        interface.echoed(text);
    }
};

}  // namespace bootkey::fuzz
