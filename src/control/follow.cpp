// SPDX-License-Identifier: GPL-3.0-or-later
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

#include "bootkey/base/file.hpp"
#include "bootkey/base/held_signals.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/control/command.hpp"
#include "bootkey/control/line_editor.hpp"
#include "bootkey/control/view.hpp"
#include "dialog.hpp"
#include "keys.hpp"

namespace bootkey::control {
namespace {

using base::ExitCode;
using base::Result;

// How often the servers are asked for again and times are shown anew, how soon news are drawn, and how often what has
// not changed is drawn, too, since others may have written over it, such as the kernel. A serial line takes some lines
// a second.
constexpr auto look_pause = std::chrono::seconds(1);
constexpr auto draw_pause = std::chrono::milliseconds(100);
constexpr auto whole_pause = std::chrono::seconds(5);

// `cursor`: the byte is the last one of such a sequence.
std::optional<ControlKey> key_of(char byte, bool cursor) {
    if (cursor) {
        if (byte == 'A') return ControlKey::previous_server;
        if (byte == 'B') return ControlKey::next_server;
        return std::nullopt;
    }
    switch (byte) {
        case 'h':
            return ControlKey::hold;
        case 'k':
            return ControlKey::kill;
        case 'v':
            return ControlKey::more_log;
        case 'V':
            return ControlKey::less_log;
        case '?':
            return ControlKey::help;
        default:
            return std::nullopt;
    }
}

class Follower {
public:
    Follower(ControlConnection& connection, const ControlOutput& output, const std::string& address, bool takes_keys,
             base::HeldSignals& held)
        : connection_(connection),
          output_(output),
          view_(address, command_for(address), offset_of_local_time()),
          takes_keys_(takes_keys),
          held_(held) {}

    Result<ExitCode> run() {
        if (auto begun = connection_.send(base::bytes_of(view_.first_commands())); !begun)
            return std::move(begun).error();
        if (auto told = tell(connection_.early()); !told) return std::move(told).error();
        while (!ended_ && !left_)
            if (auto done = step(); !done) return std::move(done).error();
        if (!left_ && !view_.over())
            return base::Error{ExitCode::unavailable, "nothing more to follow",
                               "the management interface closed the connection in state " + view_.last_state(),
                               "see whether the other program still runs"};
        return ExitCode::ok;
    }

private:
    // Until something has come, but not beyond the time at which something is to be drawn.
    Result<void> step() {
        const auto next = news_ ? std::min(next_look_, next_draw_) : next_look_;
        const auto rest = std::chrono::ceil<std::chrono::milliseconds>(next - base::Clock::now());
        pollfd waits[] = {
            {connection_.fd(), POLLIN, 0}, {takes_keys_ ? STDIN_FILENO : -1, POLLIN, 0}, {held_.fd(), POLLIN, 0}};
        const int ready = poll(waits, 3, static_cast<int>(std::max<std::int64_t>(rest.count(), 0)));
        if (ready < 0 && errno != EINTR) return base::system_error("cannot wait for news", errno);
        left_ = ready > 0 && waits[2].revents != 0;
        if (ready > 0 && waits[1].revents != 0)
            if (auto taken = take_keys(); !taken) return taken;
        if (ready > 0 && waits[0].revents != 0) {
            auto lines = connection_.receive();
            if (!lines) return std::move(lines).error();
            ended_ = !*lines;
            if (auto told = *lines ? tell(**lines) : Result<void>(); !told) return told;
        }
        const auto now = base::Clock::now();
        if (now >= next_look_) {
            next_look_ = now + look_pause;
            if (auto sent = connection_.send(base::bytes_of(view_.next_commands())); !sent) return sent;
        } else if (!ended_ && !(news_ && now >= next_draw_)) {
            return {};
        }
        next_draw_ = now + draw_pause;
        return draw(now);
    }

    Result<void> tell(const std::vector<ControlLine>& lines) {
        std::string text;
        for (const ControlLine& line : lines)
            for (const std::string& news : view_.take(line)) text += news + "\n";
        news_ = true;
        if (const std::string commands = view_.take_commands(); !commands.empty())
            if (auto sent = connection_.send(base::bytes_of(commands)); !sent) return sent;
        return output_.is_screen() || text.empty() ? Result<void>() : output_.write(text);
    }

    // One byte at a time, for it may be one of a password.
    Result<void> take_keys() {
        constexpr int most_at_once = 64;
        news_ = true;
        for (int i = 0; i < most_at_once && !left_; ++i) {
            std::byte byte{};
            const ssize_t count = read(STDIN_FILENO, password_ ? password_->place() : &byte, 1);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) {  // it is gone
                takes_keys_ = false;
                return {};
            }
            auto taken = password_ ? take_letter() : take_key(static_cast<char>(byte));
            if (!taken) return taken;
            pollfd wait{STDIN_FILENO, POLLIN, 0};
            if (poll(&wait, 1, 0) <= 0) break;
        }
        return {};
    }

    Result<void> take_key(char byte) {
        const bool in_sequence = sequence_.takes(byte);
        if (!in_sequence) {
            left_ = byte == 'q' || byte == keys::ctrl_c;
            // Held back until the terminal is as it was.
            if (byte == keys::ctrl_c) static_cast<void>(std::raise(SIGINT));
            if (byte == 'p') return begin_password();
        }
        const auto key = !in_sequence        ? key_of(byte, false)
                         : sequence_.ended() ? key_of(*sequence_.ended(), true)
                                             : std::nullopt;
        if (!key) return {};
        const std::string commands = view_.press(*key);
        return commands.empty() ? Result<void>() : connection_.send(base::bytes_of(commands));
    }

    Result<void> begin_password() {
        type_ = view_.wanted_password();
        if (!type_) {
            view_.say("no password is asked for now");
            return {};
        }
        auto editor = LineEditor::create(longest_word);
        if (!editor) return std::move(editor).error();
        password_ = *std::move(editor);
        return {};
    }

    Result<void> take_letter() {
        switch (password_->take()) {
            case LineEditor::Event::cancelled:
            case LineEditor::Event::ended:
                password_.reset();
                view_.say("no password was sent");
                return {};
            case LineEditor::Event::entered:
                return send_password();
            default:
                return {};
        }
    }

    Result<void> send_password() {
        const LineEditor password = *std::exchange(password_, std::nullopt);
        if (password.too_long() || password.line().empty()) {
            view_.say(password.too_long() ? "the password is too long, and was not sent" : "no password was sent");
            return {};
        }
        const auto command = password_command(*type_, password.line());
        if (!command) {
            view_.say(command.error().message());
            return {};
        }
        view_.password_sent();
        return connection_.send(command->bytes());
    }

    // In the place of what was drawn before, in one write: whenever the program is ended, the cursor is below it, and
    // lines are wrapped again.
    Result<void> draw(base::Time now) {
        news_ = false;
        if (!output_.is_screen()) return {};
        const ControlScreen screen = screen_now();
        if (now >= next_whole_ || screen.rows != screen_.rows || screen.columns != screen_.columns) {
            next_whole_ = now + whole_pause;
            drawn_.assign(drawn_.size(), {});
        }
        screen_ = screen;
        // ECMA-48: CUU, EL, ED; the private mode 7 is wrapping (DECAWM), which a wide character would cause.
        std::string text = "\x1b[?7l\r";
        if (!drawn_.empty()) text += base::format("\x1b[%zuA", drawn_.size());
        auto lines = view_.draw(screen);
        for (std::size_t i = 0; i < lines.size(); ++i)
            text +=
                (i < drawn_.size() && !lines[i].empty() && lines[i] == drawn_[i] ? "" : "\x1b[K" + lines[i]) + "\r\n";
        drawn_ = std::move(lines);
        return output_.write(text + "\x1b[J\x1b[?7h");
    }

    [[nodiscard]] ControlScreen screen_now() const {
        ControlScreen screen;
        screen.takes_keys = takes_keys_;
        if (password_)
            screen.question = "Password '" + base::printable(*type_, longest_word) +
                              "': what you type is not shown; Enter sends it, Ctrl-C does not";
        if (const ControlSize size = output_.size(); size.rows > 0 && size.columns > 0) {
            screen.rows = size.rows;
            screen.columns = size.columns;
        }
        screen.now = std::time(nullptr);
        return screen;
    }

    ControlConnection& connection_;
    const ControlOutput& output_;
    ControlView view_;
    bool takes_keys_;
    base::HeldSignals& held_;
    EscapeSequence sequence_;
    std::optional<LineEditor> password_;  // what has been typed of one; nothing: keys are commands
    std::optional<std::string> type_;     // of that
    base::Time next_look_ = base::Clock::now() + look_pause;
    base::Time next_draw_{}, next_whole_{};
    bool news_ = false;               // there is something to draw
    ControlScreen screen_;            // that was drawn for
    std::vector<std::string> drawn_;  // its lines; an empty one is drawn in any case
    bool ended_ = false;
    bool left_ = false;  // a person wants no more, or a signal says so
};

}  // namespace

Result<ExitCode> follow(ControlConnection& connection, const ControlOutput& output, const std::string& address) {
    base::HeldSignals held;  // first: the terminal is as it was before they are let through
    const Keys keys(output.is_screen());
    return Follower(connection, output, address, keys.on(), held).run();
}

}  // namespace bootkey::control
