// SPDX-License-Identifier: GPL-3.0-or-later
//
// UDP multicast on one interface: ip(7), ipv6(7), getifaddrs(3).
#include "bootkey/discovery/mdns_socket.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "bootkey/base/text.hpp"
#include "bootkey/discovery/datagram.hpp"

namespace bootkey::discovery {
namespace {

struct Setting {
    int level;
    int name;
    int value;
    const char* text;
};

// Both multicast and unicast leave with 255 hops (RFC 6762 section 11); our own questions need not come back to us; and
// packet information tells the interface that an answer came in by.
constexpr Setting settings_v6[] = {
    {IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY"},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 255, "IPV6_MULTICAST_HOPS"},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, "IPV6_MULTICAST_LOOP"},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO"},
};
constexpr Setting settings_v4[] = {
    {IPPROTO_IP, IP_MULTICAST_TTL, 255, "IP_MULTICAST_TTL"},
    {IPPROTO_IP, IP_MULTICAST_LOOP, 0, "IP_MULTICAST_LOOP"},
    {IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO"},
};

struct IfaddrsDeleter {
    void operator()(ifaddrs* list) const noexcept { ::freeifaddrs(list); }
};

std::optional<base::IpAddress> address_in(const sockaddr* address) {
    if (address == nullptr) return std::nullopt;
    if (address->sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, address, sizeof v4);
        return base::IpAddress::v4(v4.sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, address, sizeof v6);
        return base::IpAddress::v6(v6.sin6_addr);
    }
    return std::nullopt;
}

bool same_network(const base::IpAddress& a, const base::IpAddress& b, const base::IpAddress& mask) {
    if (a.family() != b.family() || a.family() != mask.family()) return false;
    for (std::size_t i = 0; i < mask.bytes().size(); ++i)
        if (((a.bytes()[i] ^ b.bytes()[i]) & mask.bytes()[i]) != std::byte{0}) return false;
    return true;
}

}  // namespace

base::Result<MdnsSocket> MdnsSocket::open(std::uint32_t interface, int family) {
    const auto failure = [&](const char* what) {
        return base::system_error(base::format("cannot prepare a multicast DNS question on interface %u (%s, %s)",
                                               interface, family == AF_INET6 ? "IPv6" : "IPv4", what),
                                  errno);
    };
    base::UniqueFd fd(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return failure("socket");
    const auto settings =
        family == AF_INET6 ? std::span<const Setting>(settings_v6) : std::span<const Setting>(settings_v4);
    for (const Setting& setting : settings)
        if (::setsockopt(fd.get(), setting.level, setting.name, &setting.value, sizeof setting.value) != 0)
            return failure(setting.text);
    if (family == AF_INET6) {
        const int index = static_cast<int>(interface);
        if (::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) != 0)
            return failure("IPV6_MULTICAST_IF");
    }
    return MdnsSocket(std::move(fd), interface, family);
}

int MdnsSocket::send(std::span<const std::byte> message, const base::IpAddress& source) {
    sockaddr_storage target{};
    socklen_t length = 0;
    if (family_ == AF_INET6) {
        static constexpr in6_addr group = {{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb}}};  // ff02::fb
        length = base::Endpoint{base::IpAddress::v6(group), mdns_port, interface_}.to_socket_address(target);
    } else {
        const in_addr group{htonl(0xe00000fb)};  // 224.0.0.251
        length = base::Endpoint{base::IpAddress::v4(group), mdns_port, interface_}.to_socket_address(target);
        ip_mreqn route{};
        route.imr_ifindex = static_cast<int>(interface_);
        if (!source.is_v6()) std::memcpy(&route.imr_address, source.bytes().data(), sizeof route.imr_address);
        if (::setsockopt(fd_.get(), IPPROTO_IP, IP_MULTICAST_IF, &route, sizeof route) != 0) return errno;
    }
    // A datagram goes whole or not at all.
    const auto* address = reinterpret_cast<const sockaddr*>(&target);
    return ::sendto(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL, address, length) >= 0 ? 0 : errno;
}

bool MdnsSocket::receive(std::vector<std::byte>& message) {
    message.resize(largest_mdns_message);
    Arrival arrival;
    const ssize_t size = receive_datagram(fd_.get(), message, 0, arrival);
    const int failure = errno;
    message.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    // An error that an earlier question left behind ("network is down") has been taken off the socket by this call.
    if (size < 0) return failure != EAGAIN && failure != EWOULDBLOCK;

    const bool wanted = !arrival.truncated && arrival.interface == interface_ && arrival.source_port == mdns_port &&
                        arrival.source && is_on_link(*arrival.source);
    if (!wanted) message.clear();
    return true;
}

bool MdnsSocket::is_on_link(const base::IpAddress& address) {
    if (address.is_v6() && address.is_link_local()) return true;  // never forwarded
    char name[IF_NAMESIZE];
    ifaddrs* raw = nullptr;
    if (::if_indextoname(interface_, name) == nullptr || ::getifaddrs(&raw) != 0) return false;
    const std::unique_ptr<ifaddrs, IfaddrsDeleter> list(raw);
    for (const ifaddrs* entry = raw; entry != nullptr; entry = entry->ifa_next) {
        if (std::strcmp(entry->ifa_name, name) != 0) continue;
        // What comes out of a point-to-point link was put in by its other end.
        if ((entry->ifa_flags & IFF_POINTOPOINT) != 0) return true;
        const auto local = address_in(entry->ifa_addr);
        const auto mask = address_in(entry->ifa_netmask);
        if (local && mask && same_network(address, *local, *mask)) return true;
    }
    return false;
}

}  // namespace bootkey::discovery
