// SPDX-License-Identifier: GPL-3.0-or-later
//
// Asking the person at the controlling terminal for a password.
#pragma once

#include <string>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::console {

/// Writes `prompt` to /dev/tty, or, if this process has none, to the terminal that is its standard input, and reads one
/// line from there without echo; its line end is not part of the secret. Blocks; for the modes of the program that a
/// person runs. The terminal's settings are put back on every way out, also when a signal (interrupt, quit, terminate,
/// hang-up) ends the program here. Errors: unavailable (no terminal, end of input).
[[nodiscard]] base::Result<base::Secret> read_password(const std::string& prompt);

}  // namespace bootkey::console
