// SPDX-License-Identifier: GPL-3.0-or-later
//
// Decoding by copying: structures are copied out of the bytes, so that neither alignment nor a false length can do
// harm. (libmnl's mnl_attr_for_each walks by void pointer arithmetic, which is not C++, and trusts the header's
// length.)
#include "bootkey/network/netlink_message.hpp"

#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>

#include "bootkey/base/text.hpp"
#include "bootkey/network/rtnetlink.hpp"

namespace bootkey::network {
namespace {

constexpr std::size_t aligned(std::size_t length) {
    return (length + 3) & ~std::size_t{3};
}

// The structure at the front of `bytes`, if they hold it whole.
template <typename T>
std::optional<T> read_front(Bytes bytes) {
    if (bytes.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

// What follows the first `length` bytes, rounded up to the alignment of netlink.
Bytes after(Bytes bytes, std::size_t length) {
    return bytes.subspan(std::min(aligned(length), bytes.size()));
}

// Text up to its NUL, or to the end of the content.
std::string text_of(Bytes content) {
    const auto end = std::find(content.begin(), content.end(), std::byte{0});
    return {reinterpret_cast<const char*>(content.data()), static_cast<std::size_t>(end - content.begin())};
}

// From the settings of each address family: those of IPv6 are an array of numbers, net.ipv6.conf.INTERFACE.*.
Link::Ipv6 ipv6_of(Bytes families) {
    while (const auto family = take_attribute(families)) {
        if (family->type != AF_INET6) continue;
        Bytes rest = family->content;
        while (const auto attribute = take_attribute(rest)) {
            constexpr std::size_t place = DEVCONF_DISABLE_IPV6 * sizeof(std::int32_t);
            if (attribute->type != IFLA_INET6_CONF || attribute->content.size() < place) continue;
            if (read_front<std::int32_t>(attribute->content.subspan(place)).value_or(0) != 0) return Link::Ipv6::off;
        }
        return Link::Ipv6::on;
    }
    return Link::Ipv6::missing;
}

std::optional<Link> decode_link(const Message& message) {
    const auto info = read_front<ifinfomsg>(message.payload);
    // Bridges report their ports with AF_BRIDGE: a port that leaves its bridge is no interface that is gone.
    if (!info || info->ifi_family != AF_UNSPEC || info->ifi_index <= 0) return std::nullopt;
    Link link;
    link.index = static_cast<std::uint32_t>(info->ifi_index);
    link.flags = info->ifi_flags;
    Bytes rest = after(message.payload, sizeof *info);
    while (const auto attribute = take_attribute(rest)) {
        if (attribute->type == IFLA_IFNAME) link.name = text_of(attribute->content);
        if (attribute->type == IFLA_MASTER) link.controller = read_front<std::uint32_t>(attribute->content).value_or(0);
        if (attribute->type == IFLA_MTU) link.mtu = read_front<std::uint32_t>(attribute->content).value_or(0);
        if (attribute->type == IFLA_AF_SPEC) link.ipv6 = ipv6_of(attribute->content);
    }
    return link;
}

// The interfaces of a multipath route: a list of struct rtnexthop, each with attributes of its own.
void add_next_hops(Bytes rest, std::vector<std::uint32_t>& interfaces) {
    while (const auto hop = read_front<rtnexthop>(rest)) {
        if (hop->rtnh_len < sizeof *hop || hop->rtnh_len > rest.size()) return;
        interfaces.push_back(static_cast<std::uint32_t>(hop->rtnh_ifindex));
        rest = after(rest, hop->rtnh_len);
    }
}

}  // namespace

std::optional<Message> take_message(Bytes& rest) {
    const auto header = read_front<nlmsghdr>(rest);
    if (!header || header->nlmsg_len < sizeof *header || header->nlmsg_len > rest.size()) return std::nullopt;
    const Bytes whole = rest.first(header->nlmsg_len);
    rest = after(rest, whole.size());
    return Message{header->nlmsg_type, header->nlmsg_flags,           header->nlmsg_seq,
                   header->nlmsg_pid,  whole.subspan(sizeof *header), whole};
}

std::optional<Attribute> take_attribute(Bytes& rest) {
    const auto header = read_front<nlattr>(rest);
    if (!header || header->nla_len < sizeof *header || header->nla_len > rest.size()) return std::nullopt;
    const Bytes whole = rest.first(header->nla_len);
    rest = after(rest, whole.size());
    return Attribute{static_cast<std::uint16_t>(header->nla_type & NLA_TYPE_MASK), whole.subspan(sizeof *header)};
}

std::optional<AddressDetail> decode_address(const Message& message) {
    const auto info = read_front<ifaddrmsg>(message.payload);
    if (!info || info->ifa_index == 0) return std::nullopt;
    if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6) return std::nullopt;
    AddressDetail detail;
    detail.flags = info->ifa_flags;
    detail.prefix_length = info->ifa_prefixlen;
    // With a peer, IFA_ADDRESS is the peer's and IFA_LOCAL our own; without one, IPv6 has IFA_ADDRESS only.
    std::optional<base::IpAddress> local, address;
    Bytes rest = after(message.payload, sizeof *info);
    while (const auto attribute = take_attribute(rest)) {
        if (attribute->type == IFA_LOCAL) local = base::IpAddress::from_bytes(attribute->content);
        if (attribute->type == IFA_ADDRESS) address = base::IpAddress::from_bytes(attribute->content);
        if (attribute->type == IFA_FLAGS)
            detail.flags = read_front<std::uint32_t>(attribute->content).value_or(detail.flags);
        if (attribute->type == IFA_PROTO) detail.protocol = read_front<std::uint8_t>(attribute->content).value_or(0);
    }
    const auto own = local ? local : address;
    if (!own || own->family() != info->ifa_family) return std::nullopt;
    detail.address = {info->ifa_index, *own};
    return detail;
}

std::optional<RouteDetail> decode_route(const Message& message) {
    const auto info = read_front<rtmsg>(message.payload);
    if (!info || (info->rtm_family != AF_INET && info->rtm_family != AF_INET6)) return std::nullopt;
    RouteDetail detail{info->rtm_type, info->rtm_protocol, info->rtm_table, {}, info->rtm_family};
    detail.prefix_length = info->rtm_dst_len;
    Bytes rest = after(message.payload, sizeof *info);
    while (const auto attribute = take_attribute(rest)) {
        const auto number = read_front<std::uint32_t>(attribute->content);
        if (attribute->type == RTA_TABLE && number) detail.table = *number;
        if (attribute->type == RTA_DST) detail.destination = base::IpAddress::from_bytes(attribute->content);
        if (attribute->type == RTA_GATEWAY) detail.gateway = base::IpAddress::from_bytes(attribute->content);
        if (attribute->type == RTA_OIF && number) detail.interfaces.push_back(*number);
        if (attribute->type == RTA_MULTIPATH) add_next_hops(attribute->content, detail.interfaces);
    }
    return detail;
}

std::optional<Acknowledgement> decode_acknowledgement(const Message& message) {
    if (message.type != NLMSG_ERROR && message.type != NLMSG_DONE) return std::nullopt;
    // NLMSG_DONE carries the status of a dump, with no request behind it; an old kernel may leave it out.
    const auto status = read_front<std::int32_t>(message.payload);
    if (!status) return message.type == NLMSG_DONE ? std::optional<Acknowledgement>(Acknowledgement{}) : std::nullopt;
    if (*status > 0 || *status < -4095) return std::nullopt;  // the range of errno in the kernel
    Acknowledgement answer{-*status, {}};
    if ((message.flags & NLM_F_ACK_TLVS) == 0) return answer;
    Bytes rest = after(message.payload, sizeof *status);
    if (message.type == NLMSG_ERROR) {
        const auto request = read_front<nlmsghdr>(rest);
        if (!request) return answer;
        const bool capped = (message.flags & NLM_F_CAPPED) != 0;  // the request's header alone is repeated
        rest = after(rest, capped ? sizeof *request : std::max<std::size_t>(request->nlmsg_len, sizeof *request));
    }
    while (const auto attribute = take_attribute(rest))
        if (attribute->type == NLMSGERR_ATTR_MSG) answer.explanation = base::escaped(text_of(attribute->content));
    return answer;
}

std::optional<Report> decode(std::span<const std::byte> message) {
    const auto taken = take_message(message);
    if (!taken) return std::nullopt;
    switch (taken->type) {
        case RTM_NEWLINK: {
            auto link = decode_link(*taken);
            // Wireless extensions send RTM_NEWLINK without a name: an event, no description of the interface.
            if (!link || link->name.empty()) return std::nullopt;
            return LinkReport{std::move(*link)};
        }
        case RTM_DELLINK: {
            const auto link = decode_link(*taken);
            if (!link) return std::nullopt;
            return LinkGoneReport{link->index};
        }
        case RTM_NEWADDR:
        case RTM_DELADDR: {
            const auto detail = decode_address(*taken);
            if (!detail) return std::nullopt;
            if (taken->type == RTM_DELADDR) return AddressGoneReport{detail->address};
            return AddressReport{detail->address, detail->flags};
        }
        default:
            return std::nullopt;
    }
}

}  // namespace bootkey::network
