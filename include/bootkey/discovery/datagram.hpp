// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading a datagram together with where it came from: recvmsg(2), ip(7), ipv6(7).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "bootkey/base/address.hpp"

namespace bootkey::discovery {

/// The port of multicast DNS (RFC 6762 section 2).
inline constexpr std::uint16_t mdns_port = 5353;
/// Bytes, with headers: no multicast DNS message is longer (RFC 6762 section 17).
inline constexpr std::size_t largest_mdns_message = 9000;

/// How a datagram came in.
struct Arrival {
    std::uint32_t interface = 0;  ///< index; 0 unless the socket has IP_PKTINFO or IPV6_RECVPKTINFO
    std::optional<base::IpAddress> source;
    std::uint16_t source_port = 0;
    bool to_group = false;   ///< sent to a multicast address; known like `interface`
    bool truncated = false;  ///< longer than the buffer
};

/// recvmsg(fd, …, flags): how many bytes were put into `buffer`, or -1 and errno.
[[nodiscard]] ssize_t receive_datagram(int fd, std::span<std::byte> buffer, int flags, Arrival& arrival);

}  // namespace bootkey::discovery
