// SPDX-License-Identifier: GPL-3.0-or-later
//
// The error of a step of confinement that the system refuses. Private to the room.
#pragma once

#include <cerrno>
#include <string>

#include "bootkey/base/result.hpp"

namespace bootkey::sandbox {

/// An error for the step named `what` ("setresuid to 65520") that failed with `errno_value`.
[[nodiscard]] inline base::Error refusal(const std::string& what, int errno_value) {
    const bool permission = errno_value == EPERM || errno_value == EACCES;
    return base::system_error(
        "cannot confine a process of bootkey (" + what + ")", errno_value,
        permission ? "start bootkey as root with all capabilities" : "try --no-sandbox, and report this",
        permission ? base::ExitCode::no_permission : base::ExitCode::os_error);
}

}  // namespace bootkey::sandbox
