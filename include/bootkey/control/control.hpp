// SPDX-License-Identifier: GPL-3.0-or-later
//
// --control: a small client of the management interface of a bootkey that unlocks, or of an OpenVPN, which speaks the
// same protocol.
#pragma once

#include "bootkey/base/result.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::control {

/// Does what `options` ask for: sends one command and prints the reply, or shows what goes on until it ends, or takes
/// commands from standard input until its end. Returns ok, or command_refused if the reply to the one command, or to
/// any of those that no person has typed, was an ERROR. Errors: usage (a command that cannot be sent), no_input (the
/// password file), unavailable (no interface there, no reply, connection lost), io_error (standard output), those of
/// console::read_password().
/// `has_screen`: standard output, if it is a terminal, can be redrawn (TextStyle::screen).
[[nodiscard]] base::Result<base::ExitCode> control(const options::Options& options, bool has_screen);

}  // namespace bootkey::control
