// SPDX-License-Identifier: GPL-3.0-or-later
//
// --enroll: prints what a Mandos server needs to know of this machine.
#pragma once

#include <string>
#include <vector>

#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::modes {

/// Writes a section for the server's clients.conf, or a shell script that adds it, to standard output. The password
/// comes from a file or, typed twice, from the terminal; if it is to be signed, `keyring` leads to the person's keyring
/// (see keyring_environment.hpp). Errors: usage (a name, host or password that cannot be, or one not
/// signed where that is demanded), no_input (keys or the password file), unavailable (no terminal, no gpg), io_error
/// (standard output).
[[nodiscard]] base::Result<void> enroll(const options::Options& options, const std::vector<std::string>& keyring,
                                        const base::Log& log);

}  // namespace bootkey::modes
