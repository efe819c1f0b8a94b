// SPDX-License-Identifier: GPL-3.0-or-later
//
// A session whose commands come from a file or pipe, or from a terminal that edits its lines itself (termios(3),
// canonical mode), since it is not this program's own or is not where the output goes.
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <span>
#include <utility>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/control/command.hpp"
#include "bootkey/control/password_outcome.hpp"
#include "dialog.hpp"

namespace bootkey::control {
namespace {

using base::ExitCode;
using base::Result;

std::string_view text_of_line(const base::Secret& line) {
    return {reinterpret_cast<const char*>(line.bytes().data()), line.size()};
}

class LineSession {
public:
    LineSession(ControlConnection& connection, const ControlOutput& output, base::Secret line)
        : connection_(connection), output_(output), typed_(isatty(STDIN_FILENO) != 0), line_(std::move(line)) {}

    Result<ExitCode> run() {
        if (auto begun = show(connection_.early()); !begun) return std::move(begun).error();
        if (typed_) {
            if (auto sent = connection_.send(base::bytes_of(state_command)); !sent) return std::move(sent).error();
            hides_reply_ = true;
        }
        while (!ended_) {
            pollfd waits[] = {{connection_.fd(), POLLIN, 0}, {input_open_ ? STDIN_FILENO : -1, POLLIN, 0}};
            const int ready = poll(waits, 2, leaving_ ? patience : -1);
            if (ready < 0 && errno != EINTR) return base::system_error("cannot wait for input", errno);
            if (ready == 0) return session_lost("it does not answer");
            // What comes is shown first: so it is also taken from a server that waits for that before it reads on.
            auto done = waits[0].revents != 0 ? take_lines() : waits[1].revents != 0 ? take_input() : Result<void>();
            if (!done) return std::move(done).error();
        }
        if (!leaving_) return session_closed(output_, outcome_);
        return refused_ && !typed_ ? ExitCode::command_refused : ExitCode::ok;
    }

private:
    static constexpr int patience = ControlConnection::patience / std::chrono::milliseconds(1);
    static constexpr std::size_t most_needs = 16;

    Result<void> show(const std::vector<ControlLine>& lines) {
        for (const ControlLine& line : lines) {
            if (line.kind == ControlLine::Kind::reply && last_.take(line.text)) {
                ended_ = true;
                return {};
            }
            refused_ = refused_ || (line.kind == ControlLine::Kind::reply && is_refusal(line.text));
            static_cast<void>(outcome_.take(line.text));
            if (line.kind == ControlLine::Kind::reply && std::exchange(hides_reply_, false)) continue;
            if (!shows_states_ && typed_ && line.text.starts_with(">STATE:")) continue;
            if (needs_.size() < most_needs && needed_password(line.text)) needs_.push_back(line);
            if (auto written = output_.line(line.text); !written) return written;
        }
        return {};
    }

    Result<void> take_lines() {
        auto lines = connection_.receive();
        if (!lines) return std::move(lines).error();
        ended_ = !*lines;
        return *lines ? show(**lines) : Result<void>();
    }

    // One byte at a time: poll() tells whether there is another one, and a terminal keeps the rest of its line.
    Result<void> take_input() {
        std::byte beyond{};
        const auto place = line_.spare().empty() ? std::span(&beyond, 1) : line_.spare().first(1);
        const ssize_t count = read(STDIN_FILENO, place.data(), 1);
        if (count < 0 && errno == EINTR) return {};
        if (count <= 0) {
            input_open_ = false;
            if (auto sent = line_.empty() ? Result<void>() : send_line(); !sent) return sent;
            return leave();
        }
        if (place.front() == std::byte{'\n'}) return send_line();
        if (line_.spare().empty())
            is_too_long_ = true;
        else
            line_.grow(1);
        return {};
    }

    // A person has seen what they wanted to see; everybody else gets the replies that are still to come.
    Result<void> leave() {
        leaving_ = true;
        ended_ = typed_;
        return typed_ ? Result<void>() : connection_.send(base::bytes_of(LastReply::command));
    }

    Result<void> send_line() {
        if (std::exchange(is_too_long_, false)) {
            line_.clear();
            refused_ = true;
            return output_.line(too_long_text());
        }
        const std::string_view command = base::trim(text_of_line(line_));
        leaving_ = leaving_ || is_exit(command);
        shows_states_ = shows_states(command, shows_states_);
        last_.sent(command);
        const auto type = typed_ ? password_left_out(command) : std::nullopt;
        auto done = type ? send_password(*type) : connection_.send(line_.bytes());
        line_.clear();
        if (!done || type) return done;
        return connection_.send(base::bytes_of("\n"));
    }

    Result<void> send_password(const std::string& type) {
        const auto command = ask_for_password(type, needs_);
        if (command) {
            needs_.clear();  // a wrong one is asked for again
            return connection_.send(command->bytes());
        }
        // A person who has changed their mind wants the session back.
        return output_.line("(" + command.error().message() + ")");
    }

    ControlConnection& connection_;
    const ControlOutput& output_;
    bool typed_;         // by a person
    base::Secret line_;  // what has come of the next command; it may hold a password
    LastReply last_;
    bool is_too_long_ = false;
    bool input_open_ = true;
    bool leaving_ = false;  // the end was asked for
    bool ended_ = false;
    bool hides_reply_ = false;   // the next one is to a command that nobody typed
    bool shows_states_ = false;  // they were asked for by the person; else they tell only how it ends
    PasswordOutcome outcome_{""};
    bool refused_ = false;            // a command was
    std::vector<ControlLine> needs_;  // notifications that tell which passwords are wanted
};

}  // namespace

Result<ExitCode> converse_by_lines(ControlConnection& connection, const ControlOutput& output) {
    auto line = base::Secret::with_capacity(longest_command);
    if (!line) return std::move(line).error();
    return LineSession(connection, output, *std::move(line)).run();
}

}  // namespace bootkey::control
