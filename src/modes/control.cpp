// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/control.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/console/terminal.hpp"
#include "bootkey/modes/control_command.hpp"
#include "control_dialog.hpp"

namespace bootkey::modes {

using base::ExitCode;

// ---- What all have in common

ControlOutput::ControlOutput() : terminal_(isatty(STDOUT_FILENO) != 0) {
}

base::Result<void> ControlOutput::line(std::string_view text) const {
    return write((terminal_ ? shown(text) : std::string(text)) + "\n");
}

base::Result<void> ControlOutput::write(std::string_view text) const {
    const int failure = base::write_all(STDOUT_FILENO, base::bytes_of(text));
    if (failure == 0) return {};
    return base::system_error("cannot write to standard output", failure, {}, ExitCode::io_error);
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
base::Result<base::Secret> first_line(const std::string& file) {
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
        return first_line(file);
    };
}

// ---- One command

// What tells which password is wanted comes behind the greeting, if not with it.
std::vector<ControlLine> lines_of_greeting(ControlConnection& connection) {
    constexpr auto moment = base::from_seconds(0.1);
    std::vector<ControlLine> lines = connection.early();
    if (auto more = connection.receive_within(moment); more && *more)
        lines.insert(lines.end(), (*more)->begin(), (*more)->end());
    return lines;
}

// Sends the command, and the one whose reply ends the reply.
base::Result<void> send_command(ControlConnection& connection, const std::string& command) {
    if (const auto type = password_left_out(command)) {
        auto line = ask_for_password(*type, lines_of_greeting(connection));
        if (!line) return std::move(line).error();
        if (auto sent = connection.send(line->bytes()); !sent) return sent;
    } else if (auto sent = connection.send(base::bytes_of(command + "\n")); !sent) {
        return sent;
    }
    return connection.send(base::bytes_of(LastReply::command));
}

base::Result<ExitCode> run_command(ControlConnection& connection, const ControlOutput& output,
                                   const std::string& command) {
    if (auto sent = send_command(connection, command); !sent) return std::move(sent).error();
    bool complete = base::trim(command) == "exit" || base::trim(command) == "quit";  // there is no reply to them
    ExitCode code = ExitCode::ok;
    LastReply last;
    last.sent(command);
    for (;;) {
        auto lines = connection.receive_within(ControlConnection::patience);
        if (!lines) return std::move(lines).error();
        if (!*lines) break;
        for (const ControlLine& line : **lines) {
            if (line.kind != ControlLine::Kind::reply) continue;
            if (last.take(line.text)) return code;
            if (auto written = output.line(line.text); !written) return std::move(written).error();
            complete = ends_reply(line.text);
            if (is_refusal(line.text)) code = ExitCode::command_refused;
        }
    }
    if (complete) return code;
    return base::Error{ExitCode::unavailable, "no whole reply to the command",
                       "the management interface closed the connection", "see whether the other program still runs"};
}

}  // namespace

base::Result<ExitCode> control(const options::Options& options) {
    std::string command;
    if (!options.control_words.empty()) {
        auto line = command_from(options.control_words);
        if (!line) return std::move(line).error();
        command = *std::move(line);
    }
    auto connection = ControlConnection::open(options.control, interface_password(options.management.password_file));
    if (!connection) return std::move(connection).error();
    const ControlOutput output;
    if (options.follow) return follow(*connection, output, options.control.text);
    return command.empty() ? converse(*connection, output) : run_command(*connection, output, command);
}

}  // namespace bootkey::modes
