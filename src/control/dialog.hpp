// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the ways of using a management interface have in common, and those that are not over with one reply.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/control/connection.hpp"
#include "bootkey/control/password_outcome.hpp"

namespace bootkey::control {

/// What a terminal has room for; 0: unknown.
struct ControlSize {
    std::size_t rows = 0;
    std::size_t columns = 0;
};

/// Standard output, line by line.
class ControlOutput {
public:
    /// `has_screen`: if it is a terminal, it can be redrawn.
    explicit ControlOutput(bool has_screen);
    /// Whether a person looks at it.
    [[nodiscard]] bool is_terminal() const { return terminal_; }
    /// Whether it is one that can be redrawn.
    [[nodiscard]] bool is_screen() const { return screen_; }
    /// Of the terminal, now.
    [[nodiscard]] ControlSize size() const;
    /// Writes a line from the server, made fit for a terminal if that is where it goes. Errors: io_error.
    [[nodiscard]] base::Result<void> line(std::string_view text) const;
    /// Writes `text` as it is. Errors: io_error.
    [[nodiscard]] base::Result<void> write(std::string_view text) const;

private:
    bool terminal_;
    bool screen_;
};

/// Of the clocks that are shown: seconds east of UTC.
[[nodiscard]] std::int64_t offset_of_local_time();
/// How a person on this machine gives a command to the interface at `address`, for hints.
[[nodiscard]] std::string command_for(const std::string& address);

/// Has states told from now on; one line of reply.
inline constexpr std::string_view state_command = "state on\n";

/// Asks for the password of this type, on the terminal, or, where standard input is none, takes its next line; the
/// command that gives it. `type` empty: the one that the server needs, as `lines` from it say, "Disk" above all others.
[[nodiscard]] base::Result<base::Secret> ask_for_password(std::string type, const std::vector<ControlLine>& lines);

/// Sends what is typed and shows what comes, until either ends. Result and errors as of control().
[[nodiscard]] base::Result<base::ExitCode> converse(ControlConnection& connection, const ControlOutput& output);
/// The same without a prompt: for commands that no person types on a terminal of this program's own.
[[nodiscard]] base::Result<base::ExitCode> converse_by_lines(ControlConnection& connection,
                                                             const ControlOutput& output);

/// Whether the command asks the server to close the connection.
[[nodiscard]] bool is_exit(std::string_view command);
/// Whether states are told behind this command that were told `before` it or not.
[[nodiscard]] bool shows_states(std::string_view command, bool before);
/// Why a command was not sent that is longer than any server takes.
[[nodiscard]] std::string too_long_text();
/// The error (unavailable) of a session that cannot go on.
[[nodiscard]] base::Error session_lost(std::string why);
/// What a session comes to whose connection the server has closed: that error, unless the machine is unlocked.
[[nodiscard]] base::Result<base::ExitCode> session_closed(const ControlOutput& output, const PasswordOutcome& outcome);

/// Shows what goes on until the other program ends: on a terminal drawn anew all the time, else as lines that tell what
/// is new. `address`: of the interface, as given. Errors: unavailable (it ended without saying so), io_error.
[[nodiscard]] base::Result<base::ExitCode> follow(ControlConnection& connection, const ControlOutput& output,
                                                  const std::string& address);

}  // namespace bootkey::control
