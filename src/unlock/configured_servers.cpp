// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/unlock/configured_servers.hpp"

namespace bootkey::unlock {

std::vector<base::Endpoint> endpoints_of(const options::ServerAddress& server, const std::string& only_interface,
                                         const std::set<std::uint32_t>& interfaces, const network::LinkTable& links) {
    const std::string& name = server.scope.empty() ? only_interface : server.scope;
    const network::Link* link = name.empty() ? nullptr : links.find(name);
    if (link != nullptr) return {{server.address, server.port, link->index}};
    const bool needs_scope = server.address.is_v6() && server.address.is_link_local();
    std::vector<base::Endpoint> endpoints;
    if (!needs_scope) endpoints.push_back({server.address, server.port, 0});
    if (name.empty() && (needs_scope || interfaces.size() > 1))
        for (const std::uint32_t interface : interfaces) endpoints.push_back({server.address, server.port, interface});
    return endpoints;
}

}  // namespace bootkey::unlock
