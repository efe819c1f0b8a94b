// SPDX-License-Identifier: GPL-3.0-or-later
//
// protect_memory() for a process that is about to lose its capabilities. Private to the room.
#pragma once

#include <string>
#include <vector>

namespace bootkey::sandbox {

/// As protect_memory(); but a capability that permits more locked memory than RLIMIT_MEMLOCK does not count, as it will
/// not be there when the memory is mapped.
std::vector<std::string> protect_memory_without_capabilities();

}  // namespace bootkey::sandbox
