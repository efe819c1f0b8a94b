// SPDX-License-Identifier: GPL-3.0-or-later
//
// A UDP socket for one-shot multicast DNS on one interface over one protocol. Owns the descriptor; lets nothing pass
// that did not arrive on that interface from an on-link responder (RFC 6762 section 11).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::discovery {

class MdnsSocket {
public:
    /// `family`: AF_INET or AF_INET6.
    [[nodiscard]] static base::Result<MdnsSocket> open(std::uint32_t interface, int family);

    [[nodiscard]] int fd() const { return fd_.get(); }
    /// Sends `message` to all responders on the interface; over IPv4 from `source`, over IPv6 from the address the
    /// kernel prefers. Returns 0 or errno.
    [[nodiscard]] int send(std::span<const std::byte> message, const base::IpAddress& source);
    /// Reads one datagram. Returns whether there was one; `message` is empty if it is to be ignored.
    [[nodiscard]] bool receive(std::vector<std::byte>& message);

private:
    MdnsSocket(base::UniqueFd fd, std::uint32_t interface, int family)
        : fd_(std::move(fd)), interface_(interface), family_(family) {}
    [[nodiscard]] bool is_on_link(const base::IpAddress& address);

    base::UniqueFd fd_;
    std::uint32_t interface_;
    int family_;
};

}  // namespace bootkey::discovery
