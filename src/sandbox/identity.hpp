// SPDX-License-Identifier: GPL-3.0-or-later
//
// Giving up root: user, groups and capabilities of the calling process. Private to the room.
#pragma once

#include "bootkey/base/result.hpp"
#include "bootkey/sandbox/confinement.hpp"

namespace bootkey::sandbox {

/// Empties the capability bounding set, which only a process with CAP_SETPCAP can and only it needs.
[[nodiscard]] base::Result<void> empty_bounding_set();
/// Makes the process's real, effective and saved ids those of `identity`, without supplementary groups. Needs root.
[[nodiscard]] base::Result<void> take_identity(Identity identity);
/// Gives up every capability of every set.
[[nodiscard]] base::Result<void> drop_capabilities();
/// Tries to become root again. An error if that works, or if a capability is left.
[[nodiscard]] base::Result<void> check_root_is_gone();

}  // namespace bootkey::sandbox
