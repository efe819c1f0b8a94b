// SPDX-License-Identifier: GPL-3.0-or-later
//
// The text form of where a management interface is: unix:PATH, ADDRESS:PORT with an IP address, or a PORT of 127.0.0.1.
#pragma once

#include <string_view>

#include "bootkey/base/result.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::options {

/// Reads such a text. Names are not looked up. Errors (usage): why not, and what to give instead.
[[nodiscard]] base::Result<ManagementAddress> parse_management_address(std::string_view text);

/// Whether others than the programs on this machine can reach it.
[[nodiscard]] bool is_reached_by_others(const ManagementAddress& address);

}  // namespace bootkey::options
