// SPDX-License-Identifier: GPL-3.0-or-later
//
// --generate-keys: makes the machine's keys.
#pragma once

#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::modes {

/// Makes the keys that `options` ask for, asking for a passphrase on the terminal if they say so, and tells (log,
/// verbosity 1) where they are and what to do next. Errors: usage (a passphrase without TLS key files), those of
/// console::read_password() and openpgp::generate_keys().
[[nodiscard]] base::Result<void> generate_keys(const options::Options& options, const base::Log& log);

}  // namespace bootkey::modes
