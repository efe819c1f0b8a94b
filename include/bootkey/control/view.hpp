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
#include <utility>
#include <vector>

#include "bootkey/control/lines.hpp"

namespace bootkey::control {

/// Seconds since 1970 (UTC), by the wall clock.
using UnixTime = std::int64_t;

/// The screen to draw on.
struct ControlScreen {
    std::size_t rows = 24;
    std::size_t columns = 80;
    UnixTime now = 0;
    bool takes_keys = false;    ///< keys are read, so that their names are shown
    std::string question = {};  ///< is being asked in the last line
    bool has_bold = true;       ///< whole lines may be bold or reversed
};

/// What a person wants done by a key.
enum class ControlKey { hold, kill, more_log, less_log, next_server, previous_server, help };

class ControlView {
public:
    using News = std::vector<std::string>;

    /// `address`: of the interface, as given. `command`: how a person on this machine gives it a command, for hints.
    /// `offset`: of local time, seconds east of UTC.
    ControlView(std::string_view address, std::string command, std::int64_t offset);

    /// The commands to send first, in whole lines; the replies are expected in their order.
    [[nodiscard]] std::string first_commands();
    /// The same for a look at once, without history and log: for overview().
    [[nodiscard]] std::string overview_commands();
    /// Whether all that was asked is answered.
    [[nodiscard]] bool is_answered() const { return asked_.empty(); }
    /// Whether the other program has told which servers there are, which an OpenVPN does not.
    [[nodiscard]] bool knows_servers() const { return !header_.empty(); }
    /// What to send every other second to hear of the servers again; empty as long as the last such command is not
    /// answered, and where the other program has no servers.
    [[nodiscard]] std::string next_commands();
    /// The commands that a key stands for, in whole lines; sent in the order in which they are returned, like all here.
    [[nodiscard]] std::string press(ControlKey key);
    /// The type of the password that is waited for: "Disk" before all others; nothing if none is.
    [[nodiscard]] std::optional<std::string> wanted_password() const;
    /// A command with a reply of one line has been sent, which tells a password.
    void password_sent() { asked_.push_back(Question::command); }
    /// What is to be sent because of what was taken, in whole lines.
    [[nodiscard]] std::string take_commands() { return std::exchange(commands_, {}); }
    /// Shows this where replies to commands are shown.
    void say(std::string text) { message_ = std::move(text); }
    /// Takes one line; returns what it tells that was not known before, in lines fit for a terminal.
    [[nodiscard]] News take(const ControlLine& line);
    /// The screen: at most `screen.rows` - 1 lines of at most `screen.columns` columns each. A whole line may be bold
    /// or reversed, which takes escape sequences; there are no others. What a person has to type is never cut.
    [[nodiscard]] News draw(const ControlScreen& screen) const;
    /// The state, what a person is waited for and all servers, in as many lines as that needs; of the screen, the rows
    /// do not matter.
    [[nodiscard]] News overview(const ControlScreen& screen) const;
    /// The state that is the last one known, in words: "EXITING (SIGTERM)". `now`: what is still to come is told in
    /// seconds from then; nothing: by the clock.
    [[nodiscard]] std::string last_state(std::optional<UnixTime> now = {}) const;
    /// Whether the other program has said that it ends.
    [[nodiscard]] bool over() const { return !states_.empty() && states_.back().name == "EXITING"; }

private:
    enum class Question { state, log, status, hold, more_log, less_log, command };
    struct State {
        UnixTime time = 0;
        std::string name, rest;  // the rest in words, or empty
        UnixTime until = 0;      // how long nothing is tried; 0: something is
    };
    struct Entry {
        UnixTime time = 0;
        std::string text;  // with what kind of message it is
    };
    struct Server {
        std::string name, place, phase, tries, error;
        UnixTime since = 0;
        std::string kill;  // what the command "kill" calls it
    };
    struct Want {
        std::string what;          // as the notification has it
        std::string text;          // for a person
        std::string command;       // that a person may type
        bool is_password = false;  // alone, without a user name
    };
    struct ServerColumns {
        std::size_t name = 0, what = 0, place = 0;  // place: 0 if it stands in a line of its own
        bool times = true;
    };

    [[nodiscard]] std::string clock(UnixTime time) const;
    [[nodiscard]] News take_reply(std::string_view text);
    void take_answer(Question question, std::string_view text);
    std::string ask(Question question, std::string command);
    void move_mark(bool forward);
    [[nodiscard]] std::vector<Server>::const_iterator marked() const;
    [[nodiscard]] std::string rest_of(const State& state, std::optional<UnixTime> now) const;
    // `live`: it begins now, and is not one of the history.
    [[nodiscard]] News take_state(std::string_view fields, bool live);
    [[nodiscard]] News take_log(std::string_view fields);
    void take_status_row(std::string_view row);
    [[nodiscard]] News take_servers();
    [[nodiscard]] News take_info(std::string_view text);
    [[nodiscard]] News take_want(std::string_view kind, std::string_view what);

    [[nodiscard]] News draw_head(const ControlScreen& screen) const;
    [[nodiscard]] News draw_wants(const ControlScreen& screen, std::size_t most) const;
    [[nodiscard]] std::string what_it_does(const Server& server, UnixTime now) const;
    [[nodiscard]] ServerColumns columns_for_servers(const ControlScreen& screen) const;
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
    std::vector<Server> servers_;  // those that are furthest first
    std::vector<Server> listed_;   // as far as the reply has come that is under way
    std::string marked_;           // what "kill" calls the server that a person has marked; empty: none
    std::string commands_;         // to be sent
    std::string message_;          // the last reply to a command of the person's, or why there is none
    bool shows_help_ = false;
};

}  // namespace bootkey::control
