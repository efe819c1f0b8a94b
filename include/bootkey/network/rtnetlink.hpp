// SPDX-License-Identifier: GPL-3.0-or-later
//
// rtnetlink(7) through libmnl: the kernel's reports on links and addresses, dumped once and followed by
// multicast notifications, and the requests that change links and routes. Decoding is a pure function of bytes.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/network/link_table.hpp"

namespace bootkey::network {

/// Decodes one netlink message (header included); nothing for kinds that do not concern us or malformed ones.
[[nodiscard]] std::optional<Report> decode(std::span<const std::byte> message);

/// Follows the kernel's view into a LinkTable. Needs no privilege. After an overrun (ENOBUFS) it dumps anew.
class RtnetlinkMonitor {
public:
    using Listener = std::function<void(const Event&)>;

    /// Opens the sockets and subscribes; events come from the loop, the first dump's among them, after which `dumped`
    /// is called once. The table is up to date with every event said so far.
    [[nodiscard]] static base::Result<std::unique_ptr<RtnetlinkMonitor>> open(base::Loop& loop, const base::Log& log,
                                                                              Listener listener,
                                                                              std::function<void()> dumped);
    virtual ~RtnetlinkMonitor() = default;
    [[nodiscard]] virtual const LinkTable& table() const = 0;
};

}  // namespace bootkey::network
