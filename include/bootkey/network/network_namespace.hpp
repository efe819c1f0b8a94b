// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which network namespace (namespaces(7)) the caller is in.
#pragma once

#include <cstdint>

namespace bootkey::network {

/// The inode number of the caller's network namespace; 0 if the kernel has no namespaces.
[[nodiscard]] std::uint64_t own_network_namespace();
/// Whether the caller is in the network namespace of process 1, where udev works. Also if that cannot be told.
[[nodiscard]] bool in_first_network_namespace();

}  // namespace bootkey::network
