// SPDX-License-Identifier: GPL-3.0-or-later
//
// One number in a file below /proc/sys/net/ipv6/conf. Private to this room.
#pragma once

#include <optional>
#include <string>

namespace bootkey::changes {

/// Its value (0-2); nothing if there is no such file (IPv6 is off, the interface is gone) or it holds something else.
[[nodiscard]] std::optional<unsigned> read_ipv6_setting(const std::string& path);
/// Returns 0 or errno.
[[nodiscard]] int write_ipv6_setting(const std::string& path, unsigned value);

}  // namespace bootkey::changes
