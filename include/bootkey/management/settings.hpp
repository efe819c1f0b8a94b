// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a person chose about the management interface, and the words of the command "auth-retry".
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "bootkey/base/address.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::management {

/// A client, for as long as it is connected; numbers are not used twice.
using ClientId = std::uint64_t;

/// What follows a password that turned out wrong.
enum class AuthRetry {
    none,        ///< that source of passwords is given up
    nointeract,  ///< the same answer is tried again
    interact,    ///< a person is asked anew
};

/// The path of a Unix socket, or an IP address and port.
using Place = std::variant<std::string, base::Endpoint>;

struct Settings {
    Place place;                   ///< --management
    bool connect = false;          ///< --management-client: connects to `place` instead of listening there
    base::Secret password;         ///< first line of --management-password-file without its end; empty: nobody is asked
    bool hold = false;             ///< --management-hold: the hold flag at the start
    bool query_passwords = false;  ///< --management-query-passwords; the owner heeds it
    bool confirm = false;          ///< --management-confirm; the owner heeds it
    bool signal = false;           ///< --management-signal: SIGUSR1 when the last client leaves
    std::size_t log_cache = 250;   ///< --management-log-cache: entries kept, at most 10000
    int verb = 1;                  ///< level of the log at the start, 0-15
    unsigned mute = 0;             ///< --mute at the start
    pid_t pid = 0;                 ///< what the command "pid" tells
};

/// The first line of the file `path` (--management-password-file), without its end. Errors (usage): there is none, or
/// no client could type it, for it has more than 1024 bytes or control characters.
[[nodiscard]] base::Result<base::Secret> read_password(const std::string& path);

}  // namespace bootkey::management
