// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/discovery/datagram.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace bootkey::discovery {
namespace {

void take_source(const sockaddr_storage& address, Arrival& arrival) {
    if (address.ss_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        arrival.source = base::IpAddress::v4(v4.sin_addr);
        arrival.source_port = ntohs(v4.sin_port);
    } else if (address.ss_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address, sizeof v6);
        arrival.source = base::IpAddress::v6(v6.sin6_addr);
        arrival.source_port = ntohs(v6.sin6_port);
    }
}

void take_packet_information(msghdr& header, Arrival& arrival) {
    for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
        if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(control), sizeof info);
            arrival.interface = info.ipi6_ifindex;
            arrival.to_group = base::IpAddress::v6(info.ipi6_addr).is_multicast();
        }
        if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
            in_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(control), sizeof info);
            arrival.interface = static_cast<std::uint32_t>(info.ipi_ifindex);
            arrival.to_group = base::IpAddress::v4(info.ipi_addr).is_multicast();
        }
    }
}

}  // namespace

ssize_t receive_datagram(int fd, std::span<std::byte> buffer, int flags, Arrival& arrival) {
    sockaddr_storage source{};
    alignas(cmsghdr) std::array<std::byte, 256> control{};
    iovec piece{buffer.data(), buffer.size()};
    msghdr header{};
    header.msg_name = &source;
    header.msg_namelen = sizeof source;
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(fd, &header, flags);
    if (size < 0) return size;
    arrival = {};
    arrival.truncated = (header.msg_flags & MSG_TRUNC) != 0;
    take_source(source, arrival);
    if ((header.msg_flags & MSG_CTRUNC) == 0) take_packet_information(header, arrival);
    return size;
}

}  // namespace bootkey::discovery
