// SPDX-License-Identifier: GPL-3.0-or-later
//
// The network as the kernel has it now, as lines for a person: interfaces, their addresses, their routes.
#pragma once

#include <string>
#include <vector>

namespace bootkey::network {

/// At most some thousands of lines, without line ends; one that says why where the kernel does not tell.
[[nodiscard]] std::vector<std::string> network_report();

}  // namespace bootkey::network
