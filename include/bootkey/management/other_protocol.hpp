// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who speaks another protocol than that of the management interface: a browser that was made to send a request here,
// say, whose body would be read as commands. Pure. What is looked at may be a password, and is not kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace bootkey::management {

class OtherProtocol {
public:
    OtherProtocol();

    /// Takes the first bytes of a client, in whatever pieces they come. Returns the protocol that they begin a message
    /// of, once that is sure: HTTP (RFC 9110 section 9, RFC 4918 section 9; any case), TLS (RFC 8446 section 5.1) or
    /// SSH (RFC 4253 section 4.2). White space before it does not count.
    [[nodiscard]] std::optional<std::string_view> take(std::span<const std::byte> bytes);
    /// Whether `line`, a client's first one, is an HTTP request with any method.
    [[nodiscard]] static bool is_http_request(std::string_view line);

private:
    std::uint32_t possible_;    // a bit for each beginning that it may still be
    std::size_t position_ = 0;  // in them
};

}  // namespace bootkey::management
