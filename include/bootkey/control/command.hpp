// SPDX-License-Identifier: GPL-3.0-or-later
//
// Commands for a management interface, from words or as typed, in the lexical rules of OpenVPN's configuration file:
// blanks separate words, double and single quotes enclose them, a backslash takes the next character's meaning away.
// Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::control {

/// Bytes of a line without its end, and of a word, that every server takes (OpenVPN 2.6: buffers of 1024 and 256, NUL
/// included). OpenVPN takes the rest of a longer line for another command.
inline constexpr std::size_t longest_command = 1000;
inline constexpr std::size_t longest_word = 255;

/// One command line, without line end, from the words of our own command line: several are quoted where that is needed,
/// a single one goes as it is, so that a whole command can be given in the shell's quotes. Errors (usage): nothing in
/// it, a comment, too long, control characters, or a password, which everybody could read in the list of processes.
[[nodiscard]] base::Result<std::string> command_from(const std::vector<std::string>& words);

/// The type of the password for which this line asks the person, since it gives none itself: "Private Key" of
/// `password "Private Key"`, an empty text of `password` alone, nothing of every other line.
[[nodiscard]] std::optional<std::string> password_left_out(std::string_view line);

/// The whole line, with its end, that gives a password. Errors: usage (too long, or with characters that the interface
/// does not let through), os_error (no memory).
[[nodiscard]] base::Result<base::Secret> password_command(std::string_view type, const base::Secret& password);

/// The type of password in a notification that one is needed: "Disk" of ">PASSWORD:Need 'Disk' password"; nothing of
/// every other line.
[[nodiscard]] std::optional<std::string> needed_password(std::string_view notification);

/// Finds where the replies to commands end, whatever form each has: by the reply to one more command, sent behind them,
/// that is one line and like no other. (To be told "exit" would be an end, too, but OpenVPN 2.6 then drops what it has
/// not sent yet.)
class LastReply {
public:
    /// That command, a whole line.
    static constexpr std::string_view command = "pid\n";

    /// One of the commands before it has been sent.
    void sent(std::string_view line);
    /// Whether `reply`, the next line of a reply, is the one to `command`.
    [[nodiscard]] bool take(std::string_view reply);

private:
    std::size_t alike_ = 0;  // commands whose replies look the same, and have not come
};

}  // namespace bootkey::control
