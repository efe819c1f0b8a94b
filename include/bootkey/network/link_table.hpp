// SPDX-License-Identifier: GPL-3.0-or-later
//
// The network interfaces and addresses of the machine as the kernel last reported them, and what each report
// changes. Pure: rtnetlink.hpp feeds it decoded messages; it returns events for whoever decides what to do.
// All bookkeeping is by interface index, since names change.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "bootkey/base/address.hpp"

namespace bootkey::network {

/// An interface (struct ifinfomsg and its attributes, rtnetlink(7)).
struct Link {
    std::uint32_t index = 0;
    std::string name;
    unsigned flags = 0;            ///< IFF_*: netdevice(7)
    std::uint32_t controller = 0;  ///< index of the bridge, bond, ... that has enslaved it (IFLA_MASTER), or 0
    std::uint32_t mtu = 0;         ///< bytes (IFLA_MTU); 0: not known
    /// Whether the kernel gives it IPv6 addresses: IFLA_AF_SPEC, where IPv6 is missing for a small MTU or altogether.
    enum class Ipv6 { on, off, missing } ipv6 = Ipv6::missing;
    friend bool operator==(const Link&, const Link&) = default;
};

/// The index of the loopback interface in every network namespace (LOOPBACK_IFINDEX in Linux's net/flow.h).
inline constexpr std::uint32_t loopback_interface = 1;

/// An address on an interface. Only usable ones are in the table: not DADFAILED, and not TENTATIVE unless OPTIMISTIC.
struct InterfaceAddress {
    std::uint32_t interface = 0;
    base::IpAddress address;
    friend auto operator<=>(const InterfaceAddress&, const InterfaceAddress&) = default;
};

/// What a kernel message may carry, decoded.
struct LinkReport {
    Link link;
};
struct LinkGoneReport {
    std::uint32_t index = 0;
};
struct AddressReport {
    InterfaceAddress address;
    unsigned flags = 0;  ///< IFA_F_*, from IFA_FLAGS where present
};
struct AddressGoneReport {
    InterfaceAddress address;
};
using Report = std::variant<LinkReport, LinkGoneReport, AddressReport, AddressGoneReport>;

/// What changed. `LinkChanged` is said for every new interface and whenever name, flags or controller change.
struct LinkChanged {
    Link link;
    bool is_new = false;
};
struct LinkRemoved {
    Link link;
};
struct AddressUsable {
    InterfaceAddress address;
};
struct AddressGone {
    InterfaceAddress address;
};
using Event = std::variant<LinkChanged, LinkRemoved, AddressUsable, AddressGone>;

class LinkTable {
public:
    /// Takes one report in; returns what it changed, in order (a removed link's addresses go before it).
    [[nodiscard]] std::vector<Event> apply(const Report& report);
    /// Begins a new dump: whatever is not reported until end_dump() has gone in the meantime.
    void begin_dump();
    [[nodiscard]] std::vector<Event> end_dump();

    [[nodiscard]] const Link* find(std::uint32_t index) const;
    [[nodiscard]] const Link* find(const std::string& name) const;
    [[nodiscard]] const std::map<std::uint32_t, Link>& links() const { return links_; }
    [[nodiscard]] const std::set<InterfaceAddress>& addresses() const { return addresses_; }
    /// Whether the interface is up and running (IFF_UP, IFF_RUNNING) and has a usable address.
    [[nodiscard]] bool usable(std::uint32_t index) const;
    /// Whether any interface of the machine has this address.
    [[nodiscard]] bool is_own(const base::IpAddress& address) const;

private:
    std::vector<Event> link_reported(const Link& link);
    std::vector<Event> link_gone(std::uint32_t index);
    std::vector<Event> address_usable(const InterfaceAddress& address);
    std::vector<Event> address_gone(const InterfaceAddress& address);

    std::map<std::uint32_t, Link> links_;
    std::set<InterfaceAddress> addresses_;
    std::set<std::uint32_t> links_unseen_;  // since begin_dump()
    std::set<InterfaceAddress> addresses_unseen_;
};

}  // namespace bootkey::network
