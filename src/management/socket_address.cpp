// SPDX-License-Identifier: GPL-3.0-or-later
#include "socket_address.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace bootkey::management {
namespace {

void set(int fd, int level, int option, int value) {
    setsockopt(fd, level, option, &value, sizeof value);  // a connection without works, too
}

}  // namespace

base::Result<SocketAddress> socket_address(const Place& place) {
    SocketAddress address;
    if (const auto* endpoint = std::get_if<base::Endpoint>(&place)) {
        address.length = endpoint->to_socket_address(address.storage);
        return address;
    }
    const auto& path = std::get<std::string>(place);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof name.sun_path)
        return base::Error{base::ExitCode::usage, "cannot use '" + path + "' as the management socket",
                           "its path has no or more than 107 bytes", "choose another path"};
    std::memcpy(name.sun_path, path.data(), path.size());
    std::memcpy(&address.storage, &name, sizeof name);
    address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return address;
}

base::UniqueFd make_socket(const SocketAddress& address) {
    return base::UniqueFd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

void prepare_connected(int fd, const Place& place) {
    if (!std::holds_alternative<base::Endpoint>(place)) return;
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);   // seconds of silence before the first question
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);  // and between questions
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, 6);     // without answer
}

std::string text_of(const Place& place) {
    if (const auto* path = std::get_if<std::string>(&place)) return *path;
    return std::get<base::Endpoint>(place).text();
}

}  // namespace bootkey::management
