// SPDX-License-Identifier: GPL-3.0-or-later
//
// What bootkey changes on a machine, and what it looks at to tell whether a change is still its own. Abstract, so that
// what is recorded, made and undone in which order can be tried on a toy that is killed at every step. Nothing here
// waits, but for an agent that is told to end (half a second).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/changes/instance.hpp"
#include "bootkey/network/link_table.hpp"
#include "bootkey/network/netlink_message.hpp"

namespace bootkey::changes {

class Machine {
public:
    virtual ~Machine() = default;

    // Interfaces, addresses and routes: see network::NetlinkRequests.
    [[nodiscard]] virtual base::Result<std::optional<network::Link>> link(std::uint32_t index) = 0;
    [[nodiscard]] virtual base::Result<std::vector<network::AddressDetail>> addresses(std::uint32_t index) = 0;
    [[nodiscard]] virtual base::Result<std::vector<network::RouteDetail>> routes(std::uint32_t index) = 0;
    [[nodiscard]] virtual base::Result<bool> has_route(const base::IpAddress& destination) = 0;
    [[nodiscard]] virtual base::Result<void> set_up(const network::Link& link, bool up) = 0;
    [[nodiscard]] virtual base::Result<bool> add_host_route(const base::IpAddress& destination,
                                                            std::uint32_t index) = 0;
    [[nodiscard]] virtual base::Result<bool> delete_host_route(const base::IpAddress& destination,
                                                               std::uint32_t index) = 0;

    /// An IPv6 setting below /proc/sys (0-2); nothing if it cannot be read.
    [[nodiscard]] virtual std::optional<unsigned> ipv6_setting(const std::string& path) = 0;
    /// Returns 0 or errno, as the following do.
    [[nodiscard]] virtual int set_ipv6_setting(const std::string& path, unsigned value) = 0;
    /// See console_level.hpp.
    [[nodiscard]] virtual std::optional<unsigned> console_level(const std::string& printk_file) = 0;
    [[nodiscard]] virtual int set_console_level(const std::string& printk_file, unsigned level) = 0;
    [[nodiscard]] virtual int replace_hidden_console_level(const std::string& printk_file, unsigned expected,
                                                           unsigned level) = 0;

    [[nodiscard]] virtual bool exists(const std::string& path) = 0;
    /// Whether files in the directory are in memory only.
    [[nodiscard]] virtual bool is_in_memory(const std::string& directory) = 0;
    /// Whether a home fits into the directory's file system.
    [[nodiscard]] virtual bool has_room(const std::string& directory) = 0;
    /// For the owner alone (mode 0700).
    [[nodiscard]] virtual int make_directory(const std::string& path) = 0;
    /// Removes a directory for OpenPGP keys with all below it and ends the agent in it. Success if there is none.
    [[nodiscard]] virtual base::Result<void> remove_home(const std::string& path) = 0;

    [[nodiscard]] virtual bool is_running(const Instance& instance) = 0;
};

/// The machine that this program runs on, in its network namespace. Fails with os_error.
[[nodiscard]] base::Result<std::unique_ptr<Machine>> this_machine();

}  // namespace bootkey::changes
