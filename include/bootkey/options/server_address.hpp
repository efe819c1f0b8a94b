// SPDX-License-Identifier: GPL-3.0-or-later
//
// ADDRESS:PORT as a person writes it, and names of network interfaces. Pure: nothing is looked up, neither host names
// nor interfaces.
#pragma once

#include <string_view>

#include "bootkey/base/result.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::options {

/// Whether the kernel could have an interface of this name (dev_valid_name() in Linux's net/core/dev.c): 1 to 15 bytes,
/// none of them '/', ':' or white space, and neither "." nor "..". Stricter than the kernel, no other control
/// character.
[[nodiscard]] bool is_interface_name(std::string_view name);

/// Reads "192.0.2.1:4711", "2001:db8::1:4711" (the last colon separates the port), "[2001:db8::1]:4711",
/// "fe80::1%eth0:4711" or "[fe80::1%eth0]:4711". Errors (usage): anything else, host names above all; a port outside of
/// 1-65535; a scope on an address that is not link-local; addresses that no server can have (unspecified, multicast).
[[nodiscard]] base::Result<ServerAddress> parse_server_address(std::string_view text);

}  // namespace bootkey::options
