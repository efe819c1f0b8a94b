// SPDX-License-Identifier: GPL-3.0-or-later
//
// --restore: undoes what a killed instance left behind.
#pragma once

#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"

namespace bootkey::modes {

/// Undoes every journalled change of instances that no longer run, and says how many there were (log, verbosity 1).
[[nodiscard]] base::Result<void> restore(const base::Log& log);

}  // namespace bootkey::modes
