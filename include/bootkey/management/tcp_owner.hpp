// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whose a TCP connection of this machine is: looked up in /proc/net/tcp and /proc/net/tcp6 (proc(5); the kernel's
// net/ipv4/tcp_ipv4.c, get_tcp4_sock()). Reading the table is pure, but for tcp_owner().
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bootkey/base/address.hpp"

namespace bootkey::management {

/// A line of the table.
struct TcpSocket {
    base::Endpoint local;
    base::Endpoint remote;
    uid_t user = 0;
    std::uint64_t inode = 0;  ///< 0: no process has it any more, and `user` means nothing
};

/// Reads a line of either table, without its end; nothing if it is none, such as the heading.
[[nodiscard]] std::optional<TcpSocket> parse_tcp_socket(std::string_view line);

/// Looks for one socket in a table that comes in pieces.
class TcpSearch {
public:
    static constexpr std::size_t max_line = 512;  ///< bytes; 150 are usual

    /// For the socket with these addresses and ports.
    TcpSearch(const base::Endpoint& local, const base::Endpoint& remote) : local_(local), remote_(remote) {}
    /// Returns whether more is wanted: the socket is not found yet, and the table is one.
    [[nodiscard]] bool take(std::string_view bytes);
    [[nodiscard]] const std::optional<TcpSocket>& found() const { return found_; }

private:
    base::Endpoint local_;
    base::Endpoint remote_;
    std::string line_;  // as far as it has come
    std::optional<TcpSocket> found_;
};

/// The user who made the socket at `peer` that is connected to `ours`, both on this machine and in this network
/// namespace. Nothing if it is not there, if no process has it any more, or if it is not within the first 4 MiB of the
/// table.
[[nodiscard]] std::optional<uid_t> tcp_owner(const base::Endpoint& peer, const base::Endpoint& ours);

}  // namespace bootkey::management
