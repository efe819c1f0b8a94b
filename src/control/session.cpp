// SPDX-License-Identifier: GPL-3.0-or-later
//
// A session with a management interface. On a terminal it has a prompt, below whatever comes meanwhile, and long
// replies come in pages; commands from a file or pipe are sent as they are. No library edits the line: libedit and what
// it needs would add 200 kB to a compressed initial RAM disk, and would keep passwords in memory that is not locked.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <deque>
#include <optional>
#include <utility>

#include "bootkey/base/file.hpp"
#include "bootkey/base/held_signals.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/control/columns.hpp"
#include "bootkey/control/command.hpp"
#include "bootkey/control/password_outcome.hpp"
#include "dialog.hpp"
#include "keys.hpp"
#include "prompt.hpp"

namespace bootkey::control {
namespace {

using base::ExitCode;
using base::Result;

// A reply that comes at once is shown before the next prompt, which would have to make room for it.
constexpr auto prompt_pause = std::chrono::milliseconds(100);
constexpr std::size_t most_waiting = 1000;  // lines of replies that wait for a person

// Lines on their way to a screen: when a reply would scroll out of it before it can be read, the rest waits.
class Pages {
public:
    explicit Pages(const ControlOutput& output) : output_(output) {}

    /// Whether this line belongs to a reply whose rest is left out.
    bool leaves_out(const ControlLine& line) {
        return line.kind == ControlLine::Kind::reply && std::exchange(skips_, skips_ && !ends_reply(line.text));
    }
    /// Whether this line waits, since the page is full or others wait.
    bool keep(const ControlLine& line) {
        if (waiting_.empty() && (line.kind != ControlLine::Kind::reply || fits(line.text))) {
            written_ += rows_of(line.text);
            return false;
        }
        waiting_.push_back(line);
        return true;
    }
    [[nodiscard]] bool wait() const { return !waiting_.empty(); }
    [[nodiscard]] bool are_too_many() const { return waiting_.size() >= most_waiting; }
    /// What the next page has, or, with `all`, the rest.
    std::vector<ControlLine> next(bool all) {
        written_ = 0;
        std::vector<ControlLine> page;
        while (!waiting_.empty() && (all || page.empty() || fits(waiting_.front().text))) {
            written_ += rows_of(waiting_.front().text);
            page.push_back(std::move(waiting_.front()));
            waiting_.pop_front();
        }
        return page;
    }
    /// Leaves out what waits, and the rest of the reply, but no notifications: these.
    std::vector<ControlLine> leave_out() {
        std::vector<ControlLine> notifications;
        for (ControlLine& line : std::exchange(waiting_, {})) {
            if (line.kind == ControlLine::Kind::reply)
                skips_ = !ends_reply(line.text);
            else
                notifications.push_back(std::move(line));
        }
        written_ = 0;
        return notifications;
    }
    /// The person has seen what there is.
    void begin() { written_ = 0; }

private:
    // Nothing waits on a terminal whose size nobody knows, such as a serial line, or that has no room for a prompt.
    [[nodiscard]] bool fits(std::string_view text) const {
        constexpr std::size_t least = 3;
        const std::size_t rows = output_.size().rows;
        return rows < least || written_ + rows_of(text) < rows;
    }
    [[nodiscard]] std::size_t rows_of(std::string_view text) const {
        const std::size_t columns = std::max<std::size_t>(columns_of(text), 1);
        return (columns - 1) / std::max<std::size_t>(output_.size().columns, 1) + 1;
    }

    const ControlOutput& output_;
    std::deque<ControlLine> waiting_;
    std::size_t written_ = 0;  // rows since the person pressed a key
    bool skips_ = false;       // the rest of a reply
};

class TerminalSession {
public:
    TerminalSession(ControlConnection& connection, const ControlOutput& output, ControlPrompt prompt,
                    base::HeldSignals& held)
        : connection_(connection), output_(output), prompt_(std::move(prompt)), held_(held), pages_(output) {
        prompt_.ask(label, false);
    }

    Result<ExitCode> run() {
        if (auto begun = take(connection_.early()); !begun) return std::move(begun).error();
        if (auto sent = connection_.send(base::bytes_of(state_command)); !sent) return std::move(sent).error();
        hides_reply_ = true;
        auto done = Result<void>();
        while (done && !ended_ && !left_) done = step();
        if (done) done = end();
        if (!done) return std::move(done).error();
        if (left_ || leaving_) return ExitCode::ok;
        return session_closed(output_, outcome_);
    }

private:
    static constexpr const char* label = "bootkey> ";
    enum class Asks { command, password, page };

    Result<void> step() {
        const auto now = base::Clock::now();
        if (!prompt_.is_shown() && now >= next_prompt_)
            if (auto shown = prompt_.show(); !shown) return shown;
        const auto rest = std::chrono::ceil<std::chrono::milliseconds>(next_prompt_ - now);
        pollfd waits[] = {{connection_.fd(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}, {held_.fd(), POLLIN, 0}};
        const int ready = poll(waits, 3, prompt_.is_shown() ? -1 : static_cast<int>(rest.count()));
        if (ready < 0 && errno != EINTR) return base::system_error("cannot wait for input", errno);
        if (ready <= 0) return {};
        left_ = waits[2].revents != 0;
        if (waits[0].revents != 0)
            if (auto taken = take_lines(); !taken) return taken;
        return waits[1].revents != 0 && !ended_ ? take_key() : Result<void>();
    }

    Result<void> end() {
        if (auto shown = write(pages_.next(true)); !shown) return shown;
        return ended_ && !leaving_ ? prompt_.hide() : prompt_.leave();
    }

    // ---- What comes

    Result<void> take_lines() {
        auto lines = connection_.receive();
        if (!lines) return std::move(lines).error();
        ended_ = !*lines;
        const bool was_shown = prompt_.is_shown();
        if (auto taken = *lines ? take(**lines) : Result<void>(); !taken) return taken;
        return was_shown && !ended_ ? prompt_.show() : Result<void>();
    }

    Result<void> take(const std::vector<ControlLine>& lines) {
        std::vector<ControlLine> seen;
        // Whoever types is not asked something else.
        const bool may_wait = pages_.wait() || (asks_ == Asks::command && prompt_.typed().text().empty());
        for (const ControlLine& line : lines) {
            const bool is_reply = line.kind == ControlLine::Kind::reply;
            static_cast<void>(outcome_.take(line.text));
            if (const auto type = needed_password(line.text); type && (needed_.empty() || *type == "Disk"))
                needed_ = *type;
            if (is_reply && std::exchange(hides_reply_, false)) continue;
            if (!shows_states_ && line.text.starts_with(">STATE:")) continue;
            if (!pages_.leaves_out(line) && !(may_wait && pages_.keep(line))) seen.push_back(line);
        }
        if (pages_.are_too_many())
            for (ControlLine& line : pages_.next(true)) seen.push_back(std::move(line));
        if (auto written = write(seen); !written) return written;
        if (pages_.wait() && asks_ == Asks::command)
            return ask(Asks::page, "-- Enter or Space: go on;  q: leave out the rest -- ");
        return {};
    }

    Result<void> write(const std::vector<ControlLine>& lines) {
        if (lines.empty()) return {};
        if (auto hidden = prompt_.hide(); !hidden) return hidden;
        for (const ControlLine& line : lines)
            if (auto written = output_.line(line.text); !written) return written;
        return {};
    }

    // ---- What is typed

    Result<void> ask(Asks what, const std::string& question) {
        if (auto hidden = prompt_.hide(); !hidden) return hidden;
        asks_ = what;
        prompt_.ask(question, what != Asks::command);
        return prompt_.show();
    }

    Result<void> take_key() {
        const auto event = prompt_.take_key();
        if (!event) return event.error();
        switch (asks_) {
            case Asks::command:
                return take_command_key(*event);
            case Asks::password:
                return take_password_key(*event);
            case Asks::page:
                return take_page_key(*event);
        }
        return {};
    }

    Result<void> take_command_key(LineEditor::Event event) {
        switch (event) {
            case LineEditor::Event::entered:
                return send_line();
            case LineEditor::Event::ended:
                leaving_ = ended_ = true;
                return {};
            case LineEditor::Event::cancelled:
                left_ = prompt_.typed().text().empty();
                if (left_) static_cast<void>(std::raise(SIGINT));  // held back until the terminal is as it was
                if (auto left = prompt_.leave("^C"); !left || left_) return left;
                prompt_.clear();
                return prompt_.show();
            default:
                return {};
        }
    }

    Result<void> send_line() {
        if (auto shown = prompt_.show(); !shown) return shown;  // what was typed before the prompt came
        if (auto left = prompt_.leave(); !left) return left;
        next_prompt_ = base::Clock::now() + prompt_pause;
        pages_.begin();
        const std::string_view command = base::trim(prompt_.typed().text());
        auto done = Result<void>();
        if (prompt_.typed().too_long()) {
            done = output_.line(too_long_text());
        } else if (const auto type = password_left_out(command)) {
            type_ = !type->empty() ? *type : !needed_.empty() ? needed_ : "Disk";
            return ask(Asks::password, "Password '" + base::printable(type_, longest_word) + "': ");
        } else if (!command.empty()) {
            leaving_ = leaving_ || is_exit(command);
            shows_states_ = shows_states(command, shows_states_);
            done = connection_.send(command == "?" ? base::bytes_of("help") : prompt_.typed().line().bytes());
            if (done) done = connection_.send(base::bytes_of("\n"));
        } else {
            next_prompt_ = {};
        }
        prompt_.clear();
        return done;
    }

    // A person who has changed their mind gets the session back.
    Result<void> take_password_key(LineEditor::Event event) {
        const bool gone = event == LineEditor::Event::cancelled || event == LineEditor::Event::ended;
        if (!gone && event != LineEditor::Event::entered) return {};
        if (auto left = prompt_.leave(); !left) return left;
        auto done = gone ? output_.line("(no password was sent)") : send_password();
        asks_ = Asks::command;
        prompt_.ask(label, false);
        next_prompt_ = base::Clock::now() + (gone ? base::Duration() : prompt_pause);
        return done;
    }

    Result<void> send_password() {
        const LineEditor& typed = prompt_.typed();
        if (typed.line().empty()) return output_.line("(command not sent: the password is empty)");
        const auto command = password_command(type_, typed.line());
        if (!command || typed.too_long())
            return output_.line(
                "(" + (command ? "command not sent: the password is too long" : command.error().message()) + ")");
        needed_.clear();  // a wrong one is asked for again
        return connection_.send(command->bytes());
    }

    Result<void> take_page_key(LineEditor::Event event) {
        const std::string_view typed = prompt_.typed().text();
        const bool goes_on = event == LineEditor::Event::entered || typed == " ";
        const bool leaves_out =
            event == LineEditor::Event::cancelled || event == LineEditor::Event::ended || typed == "q";
        prompt_.clear();
        if (!goes_on && !leaves_out) return {};
        if (auto written = write(goes_on ? pages_.next(false) : pages_.leave_out()); !written) return written;
        if (pages_.wait()) return prompt_.show();
        return ask(Asks::command, label);
    }

    ControlConnection& connection_;
    const ControlOutput& output_;
    ControlPrompt prompt_;
    base::HeldSignals& held_;
    Pages pages_;
    Asks asks_ = Asks::command;
    base::Time next_prompt_{};
    std::string needed_;  // the type of the password that is waited for; empty: none is
    std::string type_;    // of the one that is asked for
    PasswordOutcome outcome_{""};
    bool hides_reply_ = false;   // the next one is to a command that nobody typed
    bool shows_states_ = false;  // they were asked for by the person; else they tell only how it ends
    bool leaving_ = false;       // the end was asked for
    bool ended_ = false;
    bool left_ = false;  // by Ctrl-C, or a signal says so
};

}  // namespace

bool is_exit(std::string_view command) {
    return command == "exit" || command == "quit";
}

bool shows_states(std::string_view command, bool before) {
    if (!command.starts_with("state ")) return before;
    return command.find(" on") != command.npos || (before && command.find(" off") == command.npos);
}

std::string too_long_text() {
    return base::format("(not sent: a command has at most %zu bytes)", longest_command);
}

base::Error session_lost(std::string why) {
    return {ExitCode::unavailable, "cannot go on with the management interface", std::move(why),
            "see whether the other program still runs"};
}

Result<ExitCode> session_closed(const ControlOutput& output, const PasswordOutcome& outcome) {
    if (outcome.ended() != PasswordOutcome::Verdict::unlocked)
        return session_lost("it closed the connection" + (outcome.why().empty() ? "" : " (" + outcome.why() + ")"));
    if (auto written = output.line("unlocked"); !written) return std::move(written).error();
    return ExitCode::ok;
}

Result<ExitCode> converse(ControlConnection& connection, const ControlOutput& output) {
    {
        base::HeldSignals held;  // first: the terminal is as it was before they are let through
        const Keys keys(output.is_terminal());
        if (keys.on()) {
            auto prompt = ControlPrompt::create(output, longest_command);
            if (!prompt) return std::move(prompt).error();
            return TerminalSession(connection, output, *std::move(prompt), held).run();
        }
    }
    return converse_by_lines(connection, output);
}

}  // namespace bootkey::control
