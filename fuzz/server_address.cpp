// SPDX-License-Identifier: GPL-3.0-or-later
//
// ADDRESS:PORT as --connect and --server take it. Accepted: what means one endpoint.
#include "bootkey/options/server_address.hpp"

#include "fuzz.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    const auto parsed = options::parse_server_address(text_of(input));
    if (!parsed) {
        require_readable(parsed.error().message());
        return false;
    }
    const auto& [address, port, scope, text] = *parsed;
    require(text == text_of(input), "network hooks are told the address as it was given");
    require(port != 0 && !address.is_unspecified() && !address.is_multicast(), "a server can have the address");
    require(scope.empty() || (address.is_link_local() && options::is_interface_name(scope)), "a scope is an interface");
    // The last colon separates the port, also without brackets.
    const auto written = address.text() + (scope.empty() ? "" : "%" + scope) + ":" + std::to_string(port);
    const auto again = options::parse_server_address(written);
    require(again && again->address == address && again->port == port && again->scope == scope, "it is read back");
    return true;
}
