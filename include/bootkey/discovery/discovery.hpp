// SPDX-License-Identifier: GPL-3.0-or-later
//
// Finding Mandos servers by DNS-SD over multicast DNS (RFC 6762, 6763): one-shot questions the moment an interface is
// usable, and avahi-core's browser beside them for everything that comes, goes or moves later. What both find is merged
// and checked, and told as services found, changed and lost.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"

namespace bootkey::discovery {

/// One service instance as seen on one interface over one protocol.
struct ServiceId {
    std::string name;  ///< instance name, UTF-8 without control characters, ≤ 256 bytes (not to be trusted further)
    std::uint32_t interface = 0;  ///< interface index
    int family = 0;               ///< AF_INET or AF_INET6
    friend auto operator<=>(const ServiceId&, const ServiceId&) = default;
};

struct Service {
    ServiceId id;
    std::string host;                       ///< the announcing host's name (SRV target)
    std::vector<base::Endpoint> endpoints;  ///< 1 to 16; loopback, unspecified, multicast and own addresses left out
    std::vector<std::string> txt;           ///< TXT strings, checked like the name
    friend bool operator==(const Service&, const Service&) = default;
};

/// Who wants to know. Called from the loop.
struct Listener {
    std::function<void(const Service&)>
        found;  ///< new, or known with other contents (port, addresses, host), or announced anew
    std::function<void(const ServiceId&)> lost;
};

/// Whether avahi-core is used too. Without it everything is found by one-shot questions, every 10 s: for a process that
/// has seen its predecessor die and cannot know whether a packet did that.
enum class Browsing { on, off };

class Discovery {
public:
    /// `is_own`: whether an address is one of this machine's (such announcements are refused). The result is not to be
    /// destroyed from a listener call; everything else may be called from there. Fails (os_error) if the kernel refuses
    /// a timer.
    [[nodiscard]] static base::Result<std::unique_ptr<Discovery>> create(
        base::Loop& loop, const base::Log& log, Listener listener, std::function<bool(const base::IpAddress&)> is_own,
        Browsing browsing = Browsing::on);
    virtual ~Discovery() = default;

    /// `local` became usable on the interface: asks the one-shot question there and, the first time, joins the
    /// interface to the browser. Called for every address.
    virtual void address_usable(std::uint32_t interface, const base::IpAddress& local) = 0;
    /// The interface is gone, down or no longer to be used: its services are forgotten (without telling).
    virtual void interface_gone(std::uint32_t interface) = 0;
    /// Asks again everywhere, now (SIGUSR1).
    virtual void ask_again() = 0;
};

}  // namespace bootkey::discovery
