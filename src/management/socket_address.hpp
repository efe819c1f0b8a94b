// SPDX-License-Identifier: GPL-3.0-or-later
//
// The place of the management interface as sockets want it.
#pragma once

#include <sys/socket.h>

#include <string>

#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/management/settings.hpp"

namespace bootkey::management {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// Fails (usage) if the path is empty or longer than a Unix socket's may be (unix(7): 107 bytes).
[[nodiscard]] base::Result<SocketAddress> socket_address(const Place& place);
/// A stream socket for `place`, non-blocking and close-on-exec.
[[nodiscard]] base::UniqueFd make_socket(const SocketAddress& address);
/// What a connected TCP socket needs: lines leave at once, and a peer that is gone without a word is noticed within two
/// minutes.
void prepare_connected(int fd, const Place& place);
/// "/run/bootkey/management", "127.0.0.1:7505"
[[nodiscard]] std::string text_of(const Place& place);

}  // namespace bootkey::management
