// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/options/server_address.hpp"

#include <net/if.h>

#include <algorithm>

#include "bootkey/base/text.hpp"

namespace bootkey::options {
namespace {

constexpr std::string_view forms = "give ADDRESS:PORT, as in 192.0.2.1:4711, [2001:db8::1]:4711 or fe80::1%eth0:4711";

base::Error bad_server_address(std::string_view text, std::string why, std::string_view advice = forms) {
    return {base::ExitCode::usage, "server address '" + base::escaped(text) + "'", std::move(why), std::string(advice)};
}

// RFC 4291 section 2.5.5.2: ::ffff:0:0/96.
bool is_ipv4_mapped(const base::IpAddress& address) {
    if (!address.is_v6()) return false;
    constexpr std::byte prefix[12] = {{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, std::byte{0xff}, std::byte{0xff}};
    return std::ranges::equal(prefix, address.bytes().first(12));
}

// What stands before and after the colon in front of the port.
struct Halves {
    std::string_view host;
    std::string_view port;
    bool bracketed = false;
};

base::Result<Halves> split_port(std::string_view text) {
    const auto colon = text.rfind(':');
    if (text.starts_with('[')) {
        const auto bracket = text.find(']');
        if (bracket == std::string_view::npos) return bad_server_address(text, "the closing bracket is missing");
        if (text.substr(bracket + 1, 1) != ":") return bad_server_address(text, "no port follows the bracket");
        return Halves{text.substr(1, bracket - 1), text.substr(bracket + 2), true};
    }
    if (colon == std::string_view::npos) return bad_server_address(text, "the port is missing");
    return Halves{text.substr(0, colon), text.substr(colon + 1)};
}

base::Result<void> check_address(std::string_view text, const base::IpAddress& address, bool scoped) {
    if (address.is_unspecified()) return bad_server_address(text, "the unspecified address is not a server's");
    if (address.is_multicast()) return bad_server_address(text, "a multicast or broadcast address is not a server's");
    if (is_ipv4_mapped(address))
        return bad_server_address(text, "it is an IPv4 address in IPv6 form", "write it as IPv4");
    if (scoped && !address.is_link_local())
        return bad_server_address(text, "only a link-local address has a scope", "leave the '%' and the interface out");
    return {};
}

}  // namespace

bool is_interface_name(std::string_view name) {
    if (name.empty() || name.size() >= IFNAMSIZ || name == "." || name == "..") return false;
    return std::ranges::none_of(name, [](char character) {
        const auto byte = static_cast<unsigned char>(character);
        return byte <= ' ' || byte == 0x7f || character == '/' || character == ':';
    });
}

base::Result<ServerAddress> parse_server_address(std::string_view text) {
    auto halves = split_port(text);
    if (!halves) return std::move(halves).error();

    const auto percent = halves->host.find('%');
    const bool scoped = percent != std::string_view::npos;
    const std::string_view host = halves->host.substr(0, percent);
    const std::string_view scope = scoped ? halves->host.substr(percent + 1) : std::string_view();

    const auto address = base::IpAddress::parse(host);
    if (!address)
        return bad_server_address(text, "'" + base::escaped(host) + "' is not an IP address; names are not looked up");
    if (halves->bracketed && !address->is_v6()) return bad_server_address(text, "brackets are for IPv6 addresses");
    if (scoped && !is_interface_name(scope))
        return bad_server_address(text, "'" + base::escaped(scope) + "' cannot be the name of an interface");
    if (auto checked = check_address(text, *address, scoped); !checked) return std::move(checked).error();
    const auto port = base::parse_number(halves->port, 1, 65535);
    if (!port) return bad_server_address(text, "'" + base::escaped(halves->port) + "' is not a port from 1 to 65535");

    return ServerAddress{*address, static_cast<std::uint16_t>(*port), std::string(scope), std::string(text)};
}

}  // namespace bootkey::options
