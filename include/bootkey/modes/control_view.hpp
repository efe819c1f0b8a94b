// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a person sees of an unlock that they follow over its management interface: everything that the lines from there
// have told so far, drawn as a screen, or told as news, one line each. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bootkey/modes/control_lines.hpp"

namespace bootkey::modes {

/// Seconds since 1970 (UTC), by the wall clock.
using UnixTime = std::int64_t;

/// The screen to draw on.
struct ControlScreen {
    std::size_t rows = 24;
    std::size_t columns = 80;
    UnixTime now = 0;
};

class ControlView {
public:
    using News = std::vector<std::string>;

    /// `address`: of the interface, as given. `command`: how a person on this machine gives it a command, for hints.
    /// `offset`: of local time, seconds east of UTC.
    ControlView(std::string_view address, std::string command, std::int64_t offset);

    /// The commands to send first, in whole lines; the replies are expected in their order.
    [[nodiscard]] std::string first_commands();
    /// What to send every other second to hear of the servers again; empty as long as the last such command is not
    /// answered, and where the other program has no servers.
    [[nodiscard]] std::string next_commands();
    /// Takes one line; returns what it tells that was not known before, in lines fit for a terminal.
    [[nodiscard]] News take(const ControlLine& line);
    /// The screen: at most `screen.rows` - 1 lines of at most `screen.columns` characters each, with no other escape
    /// sequences than for bold text, which are not counted.
    [[nodiscard]] News draw(const ControlScreen& screen) const;
    /// The state that is the last one known, in words: "EXITING (SIGTERM)".
    [[nodiscard]] std::string last_state() const;
    /// Whether the other program has said that it ends.
    [[nodiscard]] bool over() const { return !states_.empty() && states_.back().name == "EXITING"; }

private:
    enum class Question { state, log, status };
    struct State {
        UnixTime time = 0;
        std::string name, rest;  // the rest in words, or empty
    };
    struct Entry {
        UnixTime time = 0;
        std::string text;  // with what kind of message it is
    };
    struct Server {
        std::string name, place, phase, tries, error;
        UnixTime since = 0;
    };
    struct Want {
        std::string what;  // as the notification has it
        std::string text;  // for a person
    };

    [[nodiscard]] std::string clock(UnixTime time) const;
    [[nodiscard]] News take_reply(std::string_view text);
    // `live`: it begins now, and is not one of the history.
    [[nodiscard]] News take_state(std::string_view fields, bool live);
    [[nodiscard]] News take_log(std::string_view fields);
    void take_status_row(std::string_view row);
    [[nodiscard]] News take_servers();
    [[nodiscard]] News take_info(std::string_view text);
    [[nodiscard]] News take_want(std::string_view kind, std::string_view what);

    [[nodiscard]] News draw_head(const ControlScreen& screen) const;
    [[nodiscard]] News draw_servers(const ControlScreen& screen, std::size_t most) const;
    [[nodiscard]] News draw_states(std::size_t most) const;
    [[nodiscard]] News draw_log(std::size_t most) const;

    std::string address_;
    std::string command_;
    std::int64_t offset_;
    std::deque<Question> asked_;
    std::deque<State> states_;
    std::deque<Entry> log_;
    std::vector<Want> wants_;  // what the other program waits for a person for
    std::vector<std::string> header_;
    std::vector<Server> servers_;
    std::vector<Server> listed_;  // as far as the reply has come that is under way
};

}  // namespace bootkey::modes
