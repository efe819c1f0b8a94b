// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/network/network_report.hpp"

#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "bootkey/base/text.hpp"
#include "bootkey/network/netlink_request.hpp"

namespace bootkey::network {
namespace {

using base::format;

constexpr std::size_t most_lines = 4096;

struct FreeNames {
    void operator()(struct if_nameindex* names) const { if_freenameindex(names); }
};

void add_interface(NetlinkRequests& kernel, const Link& link, std::vector<std::string>& lines) {
    lines.push_back(format("interface %u %s %s%s", link.index, base::escaped(link.name).c_str(),
                           (link.flags & IFF_UP) != 0 ? "up" : "down",
                           (link.flags & IFF_RUNNING) != 0 ? ", running" : ""));
    if (const auto addresses = kernel.addresses(link.index); addresses)
        for (const AddressDetail& detail : *addresses)
            lines.push_back(format("  address %s/%u", detail.address.address.text().c_str(), detail.prefix_length));
    if (const auto routes = kernel.routes(link.index); routes)
        for (const RouteDetail& route : *routes) {
            if (route.table != RT_TABLE_MAIN || route.type != RTN_UNICAST) continue;  // ip-route(8) shows the same
            const std::string destination =
                route.destination ? format("%s/%u", route.destination->text().c_str(), route.prefix_length) : "default";
            lines.push_back("  route " + destination + (route.gateway ? " via " + route.gateway->text() : ""));
        }
}

}  // namespace

std::vector<std::string> network_report() {
    auto kernel = NetlinkRequests::open();
    if (!kernel) return {kernel.error().message()};
    const std::unique_ptr<struct if_nameindex, FreeNames> names(if_nameindex());
    if (!names) return {std::string("cannot list interfaces: ") + std::strerror(errno)};
    std::vector<std::string> lines;
    for (const struct if_nameindex* name = names.get(); name->if_index != 0 && lines.size() < most_lines; ++name)
        if (const auto link = kernel->link(name->if_index); link && *link) add_interface(*kernel, **link, lines);
    return lines;
}

}  // namespace bootkey::network
