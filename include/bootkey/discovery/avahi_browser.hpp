// SPDX-License-Identifier: GPL-3.0-or-later
//
// Browsing for Mandos servers with an embedded multicast DNS stack, avahi-core, that announces nothing of its own. Owns
// the stack and everything asked of it. Each service is followed by browsing its SRV, TXT, A and AAAA records, so all
// of its addresses and every change are known (Avahi's own service resolver tells a single address).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/discovery/discovery.hpp"
#include "bootkey/discovery/dns_message.hpp"
#include "bootkey/discovery/sighting.hpp"

namespace bootkey::discovery {

class AvahiBrowser {
public:
    /// Called from the loop, never from inside Avahi. join() and leave() may be called from them; the browser may be
    /// destroyed only in `failed`.
    struct Events {
        std::function<void(const ServiceId&)>
            appeared;  ///< an instance was announced, its whereabouts may not be known yet
        /// An announcement on that interface over that protocol (AF_INET6 or AF_INET), before Avahi has looked at it.
        /// The browser is not to be destroyed from here.
        std::function<void(std::uint32_t interface, int family, const DnsAnswer&)> heard;
        std::function<void(const Sighting&)> changed;  ///< all that is known of it now; host, port and an address are
        std::function<void(const ServiceId&)> withdrawn;
        std::function<void()> failed;  ///< this browser is of no use any more
    };

    /// Starts the stack; fails (unavailable) if there is no network at all. Only one at a time gets Avahi's log lines.
    [[nodiscard]] static base::Result<std::unique_ptr<AvahiBrowser>> create(base::Loop& loop, const base::Log& log,
                                                                            Events events);
    ~AvahiBrowser();
    AvahiBrowser(const AvahiBrowser&) = delete;
    AvahiBrowser& operator=(const AvahiBrowser&) = delete;

    /// Browses on the interface too; one that Avahi does not know yet is used when it appears. Nothing if done before.
    void join(std::uint32_t interface);
    /// No longer browses there. No events for the services that were there.
    void leave(std::uint32_t interface);

    static constexpr std::size_t most_services = 256;  ///< followed at a time; the longest known makes room

private:
    class Stack;
    explicit AvahiBrowser(std::unique_ptr<Stack> stack);
    std::unique_ptr<Stack> stack_;
};

}  // namespace bootkey::discovery
