// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where the servers named on the command line (--connect, --server) can be reached right now. Pure: asked again
// whenever interfaces change, since the scope of a link-local address is the name of an interface that may come, go or
// be renamed.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/network/link_table.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::unlock {

/// The endpoints of `server`, in the order in which they are to be tried. For a link-local address without scope: one
/// for each of `interfaces` (indices of those in use). For any other address: the way that the kernel's routes have,
/// and, if several interfaces are in use, then over each of them: of two default routes the kernel takes one, which may
/// lead nowhere. `only_interface`: the one name given with --interface, or empty; it is the scope of a link-local
/// address that has none, and the way to other addresses where it exists. An interface that does not exist now gives no
/// endpoint.
[[nodiscard]] std::vector<base::Endpoint> endpoints_of(const options::ServerAddress& server,
                                                       const std::string& only_interface,
                                                       const std::set<std::uint32_t>& interfaces,
                                                       const network::LinkTable& links);

}  // namespace bootkey::unlock
