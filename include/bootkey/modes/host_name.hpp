// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the machine calls itself.
#pragma once

#include <unistd.h>

#include <string>

namespace bootkey::modes {

/// The host's name as the kernel has it (gethostname(2)); "localhost" if it has none.
[[nodiscard]] inline std::string host_name() {
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
    return name;
}

}  // namespace bootkey::modes
