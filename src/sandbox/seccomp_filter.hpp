// SPDX-License-Identifier: GPL-3.0-or-later
//
// Puts a role's table of system calls into force, by libseccomp (seccomp(2)). Private to the room.
#pragma once

#include <optional>
#include <string>

#include "bootkey/base/result.hpp"
#include "bootkey/sandbox/confinement.hpp"

namespace bootkey::sandbox {

/// From now on the calling process, and all that it starts, can make the system calls of the role's table and is ended
/// by any other; needs no_new_privs. Returns a remark if the kernel has no such filters.
[[nodiscard]] base::Result<std::optional<std::string>> filter_system_calls(Role role);

}  // namespace bootkey::sandbox
