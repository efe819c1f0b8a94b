// SPDX-License-Identifier: GPL-3.0-or-later
//
// The lines of the command "status", in OpenVPN's three formats. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bootkey/management/steering.hpp"

namespace bootkey::management {

/// Version 1: the statistics of an OpenVPN client. Without END.
[[nodiscard]] std::vector<std::string> statistics(std::int64_t now, const Totals& totals);
/// Versions 2 (`separator` ',') and 3 (TAB): a row for each server. Without END.
[[nodiscard]] std::vector<std::string> server_list(std::int64_t now, const std::vector<ServerRow>& servers,
                                                   char separator);

}  // namespace bootkey::management
