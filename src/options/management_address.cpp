// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/options/management_address.hpp"

#include <string>

#include "bootkey/base/text.hpp"

namespace bootkey::options {
namespace {

base::Error bad_management_address(std::string why,
                                   std::string advice = "give unix:PATH or ADDRESS:PORT, as in 127.0.0.1:7505") {
    return {base::ExitCode::usage, "management address", std::move(why), std::move(advice)};
}

base::Result<ManagementAddress> unix_address(std::string_view path, std::string_view text) {
    constexpr std::size_t longest = 107;  // bytes (unix(7): sun_path less the NUL)
    if (!path.starts_with('/') || path.ends_with('/') || path.size() > longest || path.find('\0') != path.npos)
        return bad_management_address(base::format("not the absolute path of a socket, of %zu bytes at most", longest),
                                      std::string("give one, as in ") + default_management_address);
    return ManagementAddress{std::string(path), {}, std::string(text)};
}

}  // namespace

base::Result<ManagementAddress> parse_management_address(std::string_view text) {
    constexpr std::string_view unix_prefix = "unix:";
    if (text.starts_with(unix_prefix)) return unix_address(text.substr(unix_prefix.size()), text);
    const auto colon = text.rfind(':');
    std::string_view host = colon == text.npos ? "127.0.0.1" : text.substr(0, colon);
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    const auto address = base::IpAddress::parse(host);
    if (!address || address->is_v6() != bracketed)
        return bad_management_address("'" + base::escaped(host) + "' is not an IP address");
    if (address->is_link_local() || address->is_multicast()) return bad_management_address("no address to listen at");
    const std::string_view digits = colon == text.npos ? text : text.substr(colon + 1);
    const auto port = base::parse_number(digits, 1, 65535);
    if (!port) return bad_management_address("'" + base::escaped(digits) + "' is not a port from 1 to 65535");
    return ManagementAddress{{}, {*address, static_cast<std::uint16_t>(*port), 0}, std::string(text)};
}

bool is_reached_by_others(const ManagementAddress& address) {
    return address.path.empty() && !address.endpoint.address.is_loopback();
}

}  // namespace bootkey::options
