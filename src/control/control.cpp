// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/control/control.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <optional>
#include <string_view>
#include <utility>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/console/terminal.hpp"
#include "bootkey/control/command.hpp"
#include "bootkey/control/password_outcome.hpp"
#include "bootkey/control/view.hpp"
#include "dialog.hpp"

namespace bootkey::control {

using base::ExitCode;

// ---- What all have in common

ControlOutput::ControlOutput(bool has_screen)
    : terminal_(isatty(STDOUT_FILENO) != 0), screen_(terminal_ && has_screen) {
}

base::Result<void> ControlOutput::line(std::string_view text) const {
    return write((terminal_ ? shown(text) : std::string(text)) + "\n");
}

ControlSize ControlOutput::size() const {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
    return {size.ws_row, size.ws_col};
}

base::Result<void> ControlOutput::write(std::string_view text) const {
    const int failure = base::write_all(STDOUT_FILENO, base::bytes_of(text));
    if (failure == 0) return {};
    return base::system_error("cannot write to standard output", failure, {}, ExitCode::io_error);
}

std::int64_t offset_of_local_time() {
    const std::time_t now = std::time(nullptr);
    tm local{};
    return localtime_r(&now, &local) != nullptr ? local.tm_gmtoff : 0;
}

std::string command_for(const std::string& address) {
    return address == options::default_management_address ? "bootkey --control"
                                                          : "bootkey --control=" + base::escaped(address);
}

namespace {

// The next line of standard input, without its end.
base::Result<base::Secret> read_line() {
    auto line = base::Secret::with_capacity(longest_command);
    if (!line) return line;
    while (!line->spare().empty()) {
        const auto byte = line->spare().first(1);  // no more: the rest may be for somebody else
        const ssize_t count = read(STDIN_FILENO, byte.data(), byte.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0 || byte[0] == std::byte{'\n'}) return line;
        line->grow(1);
    }
    return line;
}

constexpr std::size_t most_lines_of_greeting = 1000;

std::string needed_type(const std::vector<ControlLine>& lines) {
    std::string type;
    for (const ControlLine& line : lines) {
        const auto needed = needed_password(line.text);
        if (needed && (type.empty() || *needed == "Disk")) type = *needed;
    }
    return type.empty() ? "Disk" : type;
}

}  // namespace

base::Result<base::Secret> ask_for_password(std::string type, const std::vector<ControlLine>& lines) {
    if (type.empty()) type = needed_type(lines);
    auto password = isatty(STDIN_FILENO) != 0
                        ? console::read_password("Password '" + base::printable(type, longest_word) + "': ")
                        : read_line();
    if (!password) return password;
    if (password->empty())
        return base::Error{ExitCode::usage, "command not sent", "the password is empty", "type it, and then Enter"};
    return password_command(type, *password);
}

namespace {

// ---- The password of the interface itself

// The first line of `file`, with a line end.
base::Result<base::Secret> password_in(const std::string& file) {
    constexpr std::size_t longest = 4096;  // bytes of the file
    const auto content = base::read_secret_file(file, longest);
    if (!content) return content.error();
    const auto bytes = base::without_byte_order_mark(content->bytes());
    auto size = static_cast<std::size_t>(std::ranges::find(bytes, std::byte{'\n'}) - bytes.begin());
    if (size > 0 && bytes[size - 1] == std::byte{'\r'}) --size;
    auto line = base::Secret::with_capacity(size + 1);
    if (!line) return line;
    if (!line->append(bytes.first(size)) || !line->append(base::bytes_of("\n")))
        return base::Error{ExitCode::os_error, "cannot keep the password in " + base::escaped(file), "no room", {}};
    return line;
}

ControlConnection::AskPassword interface_password(const std::string& file) {
    return [file, tried = false]() mutable -> base::Result<base::Secret> {
        if (file.empty()) {
            auto typed = console::read_password("Password of the management interface: ");
            if (typed && !typed->append(base::bytes_of("\n")))
                return base::Error{ExitCode::usage, "cannot use the password", "it is too long", {}};
            return typed;
        }
        if (std::exchange(tried, true))
            return base::Error{ExitCode::unavailable, "not let in by the management interface",
                               "the password in " + base::escaped(file) + " is wrong",
                               "name the file that the other one's --management-password-file names"};
        return password_in(file);
    };
}

// ---- One command

// What tells which password is wanted comes behind the greeting, and before the reply to the first command: that has
// states told, from which it is seen what becomes of the password.
base::Result<std::vector<ControlLine>> lines_of_greeting(ControlConnection& connection) {
    std::vector<ControlLine> lines = connection.early();
    if (auto sent = connection.send(base::bytes_of(state_command)); !sent) return std::move(sent).error();
    while (lines.size() < most_lines_of_greeting) {
        auto more = connection.receive_within(ControlConnection::patience);
        if (!more) return std::move(more).error();
        if (!*more) break;
        const bool answered =
            std::ranges::any_of(**more, [](const ControlLine& line) { return line.kind == ControlLine::Kind::reply; });
        lines.insert(lines.end(), (*more)->begin(), (*more)->end());
        if (answered) break;
    }
    return lines;
}

// Nobody is to type a password that nobody wants.
base::Result<void> check_wanted(const std::vector<ControlLine>& lines) {
    if (std::ranges::any_of(lines, [](const ControlLine& line) { return line.text.starts_with(">PASSWORD:Need "); }))
        return {};
    return base::Error{ExitCode::command_refused, "no password given", "the management interface asks for none now",
                       "see what it waits for, by --control --follow"};
}

// Sends the command, and the one whose reply ends the reply. Returns the type of the password that it gives, or
// nothing.
base::Result<std::string> send_command(ControlConnection& connection, const std::string& command) {
    std::string type;
    if (const auto left_out = password_left_out(command)) {
        const auto lines = lines_of_greeting(connection);
        if (!lines) return lines.error();
        if (auto wanted = check_wanted(*lines); !wanted) return std::move(wanted).error();
        type = left_out->empty() ? needed_type(*lines) : *left_out;
        auto line = ask_for_password(type, *lines);
        if (!line) return std::move(line).error();
        if (auto sent = connection.send(line->bytes()); !sent) return std::move(sent).error();
    } else if (auto sent = connection.send(base::bytes_of(command + "\n")); !sent) {
        return std::move(sent).error();
    }
    if (auto sent = connection.send(base::bytes_of(LastReply::command)); !sent) return std::move(sent).error();
    return type;
}

// ---- What becomes of a password

using Verdict = PasswordOutcome::Verdict;

// Only of the disk's it is told in any case: others are good if nothing is said against them for a while.
base::Duration patience_with(const std::string& type) {
    return std::chrono::seconds(type == "Disk" ? 30 : 5);
}

base::Result<ExitCode> tell(Verdict verdict, const ControlOutput& output, const PasswordOutcome& outcome,
                            const std::string& type) {
    const std::string shown_type = "'" + base::printable(type, longest_word) + "'";
    if (verdict == Verdict::wrong)
        return base::Error{ExitCode::command_refused, "the password given for " + shown_type + " was tried",
                           "it is wrong", "give it once more"};
    if (verdict == Verdict::given_up)
        return base::Error{
            ExitCode::unavailable, "the password given for " + shown_type + " was taken",
            "the other program ended and has not unlocked" + (outcome.why().empty() ? "" : ": " + outcome.why()), ""};
    if (auto written = output.line("unlocked"); !written) return std::move(written).error();
    return ExitCode::ok;
}

base::Result<ExitCode> tell_undecided(const ControlOutput& output, const PasswordOutcome& outcome,
                                      const std::string& type) {
    const std::string time = base::format("within %.0f seconds", base::to_seconds(patience_with(type)));
    if (!outcome.handed_over() && type == "Disk")
        return base::Error{ExitCode::temporary, "the password was taken", "it was neither used nor refused " + time,
                           "see what goes on, by --control --follow"};
    const char* const how = outcome.handed_over() ? "handed over, and not refused " : "not refused ";
    if (auto written = output.line(how + time); !written) return std::move(written).error();
    return ExitCode::ok;
}

base::Result<ExitCode> await_outcome(ControlConnection& connection, const ControlOutput& output,
                                     PasswordOutcome& outcome, const std::string& type) {
    const base::Time deadline = base::Clock::now() + patience_with(type);
    for (;;) {
        const base::Duration left = deadline - base::Clock::now();
        if (left <= base::Duration::zero()) return tell_undecided(output, outcome, type);
        auto lines = connection.receive_within(left);
        if (!lines && base::Clock::now() >= deadline) return tell_undecided(output, outcome, type);
        if (!lines) return std::move(lines).error();
        if (!*lines) return tell(outcome.ended(), output, outcome, type);
        for (const ControlLine& line : **lines)
            if (const auto verdict = outcome.take(line.text)) return tell(*verdict, output, outcome, type);
    }
}

base::Error closed_too_early() {
    return {ExitCode::unavailable, "no whole reply to the command", "the management interface closed the connection",
            "see whether the other program still runs"};
}

// The reply, with its end.
struct Replied {
    ExitCode code = ExitCode::ok;
    bool is_complete = false;
    std::optional<Verdict> verdict;  // that came meanwhile
};

base::Result<Replied> take_reply(ControlConnection& connection, const ControlOutput& output, const std::string& command,
                                 PasswordOutcome& outcome) {
    Replied replied;
    replied.is_complete = base::trim(command) == "exit" || base::trim(command) == "quit";  // there is no reply to them
    LastReply last;
    last.sent(command);
    for (;;) {
        auto lines = connection.receive_within(ControlConnection::patience);
        if (!lines) return std::move(lines).error();
        if (!*lines) return replied;
        bool ended = false;
        for (const ControlLine& line : **lines) {
            if (line.kind != ControlLine::Kind::reply) {
                if (const auto verdict = outcome.take(line.text); verdict && !replied.verdict)
                    replied.verdict = verdict;
                continue;
            }
            ended = ended || last.take(line.text);
            if (ended) continue;
            if (auto written = output.line(line.text); !written) return std::move(written).error();
            replied.is_complete = ends_reply(line.text);
            if (is_refusal(line.text)) replied.code = ExitCode::command_refused;
            if (line.text.starts_with("SUCCESS:")) outcome.given();
        }
        if (ended) {
            replied.is_complete = true;
            return replied;
        }
    }
}

// ---- The status, for a person

// Asks for it and draws it. False if the other program tells of no servers, and nothing was written.
base::Result<bool> draw_status(ControlConnection& connection, const ControlOutput& output,
                               const options::ManagementAddress& address) {
    ControlView view(address.text, command_for(address.text), offset_of_local_time());
    const std::string commands = view.overview_commands();
    for (const ControlLine& line : connection.early()) static_cast<void>(view.take(line));
    if (auto sent = connection.send(base::bytes_of(commands)); !sent) return std::move(sent).error();
    while (!view.is_answered()) {
        auto lines = connection.receive_within(ControlConnection::patience);
        if (!lines) return std::move(lines).error();
        if (!*lines) return closed_too_early();
        for (const ControlLine& line : **lines) static_cast<void>(view.take(line));
    }
    if (!view.knows_servers()) return false;
    ControlScreen screen;
    if (const ControlSize size = output.size(); size.columns > 0) screen.columns = size.columns;
    screen.now = std::time(nullptr);
    screen.has_bold = output.is_screen();
    std::string text;
    for (const std::string& line : view.overview(screen)) text += line + "\n";
    if (auto written = output.write(text); !written) return std::move(written).error();
    return true;
}

base::Result<ExitCode> run_command(ControlConnection& connection, const ControlOutput& output,
                                   const std::string& command) {
    const auto type = send_command(connection, command);
    if (!type) return type.error();
    PasswordOutcome outcome(*type);
    const auto replied = take_reply(connection, output, command, outcome);
    if (!replied) return replied.error();
    if (!replied->is_complete) return closed_too_early();
    if (type->empty() || replied->code != ExitCode::ok) return replied->code;
    if (replied->verdict) return tell(*replied->verdict, output, outcome, *type);
    return await_outcome(connection, output, outcome, *type);
}

}  // namespace

base::Result<ExitCode> control(const options::Options& options, bool has_screen) {
    std::string command;
    if (!options.control_words.empty()) {
        auto line = command_from(options.control_words);
        if (!line) return std::move(line).error();
        command = *std::move(line);
    }
    auto connection = ControlConnection::open(options.control, interface_password(options.management.password_file));
    if (!connection) return std::move(connection).error();
    const ControlOutput output(has_screen);
    if (options.follow) return follow(*connection, output, options.control.text);
    if (command.empty()) return converse(*connection, output);
    if (output.is_terminal() && base::trim(command) == "status") {
        const auto drawn = draw_status(*connection, output, options.control);
        if (!drawn) return drawn.error();
        if (*drawn) return ExitCode::ok;
    }
    return run_command(*connection, output, command);
}

}  // namespace bootkey::control
