// SPDX-License-Identifier: GPL-3.0-or-later
//
// IP addresses and TCP endpoints as values: comparable, printable, and made into socket addresses only at the edge.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bootkey::base {

/// An IPv4 or IPv6 address without scope.
class IpAddress {
public:
    /// 0.0.0.0
    IpAddress() = default;
    [[nodiscard]] static IpAddress v4(const in_addr& address);
    [[nodiscard]] static IpAddress v6(const in6_addr& address);
    /// From 4 or 16 bytes in network order; anything else is nothing.
    [[nodiscard]] static std::optional<IpAddress> from_bytes(std::span<const std::byte> bytes);
    /// From its text form (inet_pton(3)); no scope, no brackets, no names.
    [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);

    [[nodiscard]] int family() const { return is_v6_ ? AF_INET6 : AF_INET; }
    [[nodiscard]] bool is_v6() const { return is_v6_; }
    [[nodiscard]] std::span<const std::byte> bytes() const;
    [[nodiscard]] std::string text() const;

    [[nodiscard]] bool is_link_local() const;   ///< fe80::/10, 169.254/16
    [[nodiscard]] bool is_loopback() const;     ///< ::1, 127/8, also IPv4-mapped
    [[nodiscard]] bool is_unspecified() const;  ///< ::, 0/8 (RFC 1122: never a destination)
    [[nodiscard]] bool is_multicast() const;    ///< ff00::/8, 224/4, and 255.255.255.255

    friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

private:
    bool is_v6_ = false;
    std::array<std::byte, 16> bytes_{};
};

/// Where a server listens: address, port, and the interface it is reached over (0: whatever the kernel routes by).
struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;       ///< host byte order
    std::uint32_t interface = 0;  ///< interface index; the scope of a link-local address

    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
    /// "192.0.2.1:4711", "[fe80::1%3]:4711"
    [[nodiscard]] std::string text() const;
    /// The endpoint that the kernel wrote into `storage`; nothing if that is of neither IPv4 nor IPv6.
    [[nodiscard]] static std::optional<Endpoint> from_socket_address(const sockaddr_storage& storage);
    /// Fills `storage`; returns the length that connect(2) wants.
    socklen_t to_socket_address(sockaddr_storage& storage) const;
};

}  // namespace bootkey::base

template <>
struct std::hash<bootkey::base::IpAddress> {
    std::size_t operator()(const bootkey::base::IpAddress& address) const noexcept;
};
