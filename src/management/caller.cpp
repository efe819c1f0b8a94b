// SPDX-License-Identifier: GPL-3.0-or-later
#include "caller.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "bootkey/base/address.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/management/tcp_owner.hpp"

namespace bootkey::management {
namespace {

using NameOf = int (*)(int, sockaddr*, socklen_t*);

std::optional<base::Endpoint> endpoint_of(int fd, NameOf name_of) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (name_of(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return std::nullopt;
    return base::Endpoint::from_socket_address(storage);
}

// What one party has on a network of its own. Link-local addresses are of many parties in one /64.
std::string network_of(const base::IpAddress& address) {
    constexpr std::size_t prefix = 8;  // bytes
    if (!address.is_v6() || address.is_link_local()) return address.text();
    std::array<std::byte, 16> bytes{};
    std::ranges::copy(address.bytes().first(prefix), bytes.begin());
    return base::IpAddress::from_bytes(bytes)->text() + "/64";
}

// Of a program on this machine its user is known, who has any number of addresses here.
std::string with_user(const char* where, const std::optional<uid_t>& user) {
    return user ? base::format("%s (user %u)", where, *user) : base::format("%s (unknown user)", where);
}

}  // namespace

Caller caller_at(int fd) {
    Caller caller;
    const auto ours = endpoint_of(fd, getsockname);
    if (!ours) {
        ucred credentials{};
        socklen_t size = sizeof credentials;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) caller.user = credentials.uid;
        caller.origin.address = caller.origin.network = with_user("the Unix socket", caller.user);
        return caller;
    }
    caller.is_tcp = true;
    const auto peer = endpoint_of(fd, getpeername);
    if (!peer) {  // it has been reset
        caller.origin.address = caller.origin.network = "an unknown address";
    } else if (peer->address.is_loopback() || peer->address == ours->address) {
        caller.user = tcp_owner(*peer, *ours);
        caller.origin.address = caller.origin.network = with_user("this machine", caller.user);
    } else {
        caller.origin = {network_of(peer->address), peer->address.text()};
    }
    return caller;
}

bool may_steer(const std::optional<uid_t>& user) {
    if (!user) return false;
    uid_t real = 0, effective = 0, saved = 0;
    if (getresuid(&real, &effective, &saved) != 0) return *user == 0;
    return *user == 0 || *user == real ||
           *user == saved;  // leave_caller_behind() makes the caller's user id the saved one
}

}  // namespace bootkey::management
