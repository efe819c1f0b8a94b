// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/address.hpp"

#include <arpa/inet.h>

#include <cstring>
#include <functional>

#include "bootkey/base/text.hpp"

namespace bootkey::base {
namespace {

// The IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), or the address itself.
IpAddress unmapped(const IpAddress& address) {
    in6_addr six{};
    if (!address.is_v6()) return address;
    std::memcpy(&six, address.bytes().data(), sizeof six);
    if (!IN6_IS_ADDR_V4MAPPED(&six)) return address;
    return *IpAddress::from_bytes(address.bytes().subspan(12));
}

}  // namespace

IpAddress IpAddress::v4(const in_addr& address) {
    IpAddress result;
    std::memcpy(result.bytes_.data(), &address, sizeof address);
    return result;
}

IpAddress IpAddress::v6(const in6_addr& address) {
    IpAddress result;
    result.is_v6_ = true;
    std::memcpy(result.bytes_.data(), &address, sizeof address);
    return result;
}

std::optional<IpAddress> IpAddress::from_bytes(std::span<const std::byte> bytes) {
    if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
    IpAddress result;
    result.is_v6_ = bytes.size() == 16;
    std::memcpy(result.bytes_.data(), bytes.data(), bytes.size());
    return result;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    const std::string terminated(text);
    if (terminated.size() != std::strlen(terminated.c_str())) return std::nullopt;  // a NUL byte inside
    in_addr four{};
    if (inet_pton(AF_INET, terminated.c_str(), &four) == 1) return v4(four);
    in6_addr six{};
    if (inet_pton(AF_INET6, terminated.c_str(), &six) == 1) return v6(six);
    return std::nullopt;
}

std::span<const std::byte> IpAddress::bytes() const {
    return {bytes_.data(), is_v6_ ? std::size_t{16} : std::size_t{4}};
}

std::string IpAddress::text() const {
    char buffer[INET6_ADDRSTRLEN] = "";
    inet_ntop(family(), bytes_.data(), buffer, sizeof buffer);
    return buffer;
}

bool IpAddress::is_link_local() const {
    const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(bytes_[i]); };
    return is_v6_ ? byte(0) == 0xfe && (byte(1) & 0xc0) == 0x80 : byte(0) == 169 && byte(1) == 254;
}

bool IpAddress::is_loopback() const {
    const IpAddress address = unmapped(*this);
    if (!address.is_v6_) return address.bytes_[0] == std::byte{127};
    return address == *parse("::1");
}

bool IpAddress::is_unspecified() const {
    const IpAddress address = unmapped(*this);
    if (!address.is_v6_) return address.bytes_[0] == std::byte{0};
    return address == *parse("::");
}

bool IpAddress::is_multicast() const {
    const IpAddress address = unmapped(*this);
    if (address.is_v6_) return address.bytes_[0] == std::byte{0xff};
    return (address.bytes_[0] & std::byte{0xf0}) == std::byte{0xe0} || address == *parse("255.255.255.255");
}

std::string Endpoint::text() const {
    if (!address.is_v6()) return address.text() + format(":%u", unsigned{port});
    std::string scope;
    if (interface != 0 && address.is_link_local()) scope = format("%%%u", interface);
    return "[" + address.text() + scope + format("]:%u", unsigned{port});
}

socklen_t Endpoint::to_socket_address(sockaddr_storage& storage) const {
    storage = {};
    if (address.is_v6()) {
        sockaddr_in6 six{};
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(port);
        std::memcpy(&six.sin6_addr, address.bytes().data(), sizeof six.sin6_addr);
        if (address.is_link_local()) six.sin6_scope_id = interface;
        std::memcpy(&storage, &six, sizeof six);
        return sizeof six;
    }
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    std::memcpy(&four.sin_addr, address.bytes().data(), sizeof four.sin_addr);
    std::memcpy(&storage, &four, sizeof four);
    return sizeof four;
}

std::optional<Endpoint> Endpoint::from_socket_address(const sockaddr_storage& storage) {
    std::optional<IpAddress> address;
    Endpoint endpoint;
    if (storage.ss_family == AF_INET6) {
        sockaddr_in6 six{};
        std::memcpy(&six, &storage, sizeof six);
        address = IpAddress::from_bytes(std::as_bytes(std::span(&six.sin6_addr, 1)));
        endpoint.port = ntohs(six.sin6_port);
        endpoint.interface = six.sin6_scope_id;
    } else if (storage.ss_family == AF_INET) {
        sockaddr_in four{};
        std::memcpy(&four, &storage, sizeof four);
        address = IpAddress::from_bytes(std::as_bytes(std::span(&four.sin_addr, 1)));
        endpoint.port = ntohs(four.sin_port);
    }
    if (!address) return std::nullopt;
    endpoint.address = *address;
    return endpoint;
}

}  // namespace bootkey::base

std::size_t std::hash<bootkey::base::IpAddress>::operator()(const bootkey::base::IpAddress& address) const noexcept {
    const auto bytes = address.bytes();
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}
