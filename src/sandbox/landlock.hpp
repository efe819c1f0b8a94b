// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a role may see of the file system, by Landlock (landlock(7)). Private to the room.
#pragma once

#include <optional>
#include <string>

#include "bootkey/base/result.hpp"
#include "bootkey/sandbox/confinement.hpp"

namespace bootkey::sandbox {

/// Takes from the calling process all access to files but what the role needs, for good; needs no_new_privs. Returns a
/// remark if the kernel has no Landlock. `writable_directory` as in Confinement.
[[nodiscard]] base::Result<std::optional<std::string>> restrict_with_landlock(Role role,
                                                                              const std::string& writable_directory);

}  // namespace bootkey::sandbox
