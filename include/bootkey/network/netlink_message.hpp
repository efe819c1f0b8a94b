// SPDX-License-Identifier: GPL-3.0-or-later
//
// rtnetlink messages as bytes: taking them apart without ever reading past what is there. Pure; whatever bytes come,
// the answer is a decoded value or nothing. Everything returned is a copy or a view into the bytes given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bootkey/network/link_table.hpp"

namespace bootkey::network {

using Bytes = std::span<const std::byte>;

/// What struct nlmsghdr says of a message (netlink(7)), and the bytes behind it.
struct Message {
    std::uint16_t type = 0;
    std::uint16_t flags = 0;
    std::uint32_t sequence = 0;
    std::uint32_t port = 0;  ///< of whom it answers
    Bytes payload;
    Bytes whole;  ///< header included
};
/// Takes the next message off the front of `rest`; nothing at the end, or if what follows is no whole message.
[[nodiscard]] std::optional<Message> take_message(Bytes& rest);

/// An attribute (struct nlattr): its type without the nested and byte order bits, and its content.
struct Attribute {
    std::uint16_t type = 0;
    Bytes content;
};
/// Takes the next attribute off the front of `rest`, in the same way.
[[nodiscard]] std::optional<Attribute> take_attribute(Bytes& rest);

/// An address with what tells who made it.
struct AddressDetail {
    InterfaceAddress address;
    unsigned flags = 0;  ///< IFA_F_*
    unsigned prefix_length = 0;
    std::uint8_t protocol = 0;  ///< IFAPROT_*, since Linux 5.18; 0: not said
};
/// Of an RTM_NEWADDR or RTM_DELADDR message.
[[nodiscard]] std::optional<AddressDetail> decode_address(const Message& message);

struct RouteDetail {
    std::uint8_t type = 0;                         ///< RTN_*
    std::uint8_t protocol = 0;                     ///< RTPROT_*
    std::uint32_t table = 0;                       ///< RT_TABLE_*
    std::vector<std::uint32_t> interfaces;         ///< it leaves by; several for a multipath route
    int family = 0;                                ///< AF_INET or AF_INET6
    std::optional<base::IpAddress> destination{};  ///< none: everywhere
    unsigned prefix_length = 0;
    std::optional<base::IpAddress> gateway{};  ///< none: on the link
};
/// Of an RTM_NEWROUTE message.
[[nodiscard]] std::optional<RouteDetail> decode_route(const Message& message);

/// What the kernel said to a request: 0 or an errno, and its own explanation if it gave one (NETLINK_EXT_ACK).
struct Acknowledgement {
    int errno_value = 0;
    std::string explanation;
};
/// Of an NLMSG_ERROR or NLMSG_DONE message.
[[nodiscard]] std::optional<Acknowledgement> decode_acknowledgement(const Message& message);

}  // namespace bootkey::network
