// SPDX-License-Identifier: GPL-3.0-or-later
//
// A secret that is typed unseen, and where a slip of the finger would be noticed too late: so it is typed twice.
#pragma once

#include <string>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::modes {

/// Asks for `what` ("Password", say) on the terminal, twice. Errors: usage (empty, or not the same twice), those of
/// console::read_password().
[[nodiscard]] base::Result<base::Secret> ask_twice(const std::string& what);

}  // namespace bootkey::modes
