// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is asked of the kernel over rtnetlink(7): one interface, its addresses and routes, and changes to them. The
// kernel carries a request out while it is being sent, so the answer is there at once and no function here waits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/network/link_table.hpp"
#include "bootkey/network/netlink_message.hpp"

namespace bootkey::network {

class NetlinkSocket;

class NetlinkRequests {
public:
    [[nodiscard]] static base::Result<NetlinkRequests> open();
    NetlinkRequests(NetlinkRequests&&) noexcept;
    NetlinkRequests& operator=(NetlinkRequests&&) noexcept;
    ~NetlinkRequests();

    /// The interface with this index; nothing if there is none.
    [[nodiscard]] base::Result<std::optional<Link>> link(std::uint32_t index);
    /// All addresses of the interface, usable or not.
    [[nodiscard]] base::Result<std::vector<AddressDetail>> addresses(std::uint32_t index);
    /// All routes, of every table, that leave by the interface.
    [[nodiscard]] base::Result<std::vector<RouteDetail>> routes(std::uint32_t index);
    /// Whether the kernel knows a way to `destination`. A way that an administrator has forbidden counts as known.
    [[nodiscard]] base::Result<bool> has_route(const base::IpAddress& destination);

    /// Sets or clears IFF_UP. Error no_permission without CAP_NET_ADMIN.
    [[nodiscard]] base::Result<void> set_up(const Link& link, bool up);
    /// Adds a route to the one address over the interface. False if there is just such a route already.
    [[nodiscard]] base::Result<bool> add_host_route(const base::IpAddress& destination, std::uint32_t index);
    /// Deletes what add_host_route() added. False if it (or its interface) is gone already.
    [[nodiscard]] base::Result<bool> delete_host_route(const base::IpAddress& destination, std::uint32_t index);

private:
    explicit NetlinkRequests(NetlinkSocket socket);
    std::unique_ptr<NetlinkSocket> socket_;
};

}  // namespace bootkey::network
