// SPDX-License-Identifier: GPL-3.0-or-later
#include "listening_socket.hpp"

#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "socket_address.hpp"

namespace bootkey::management {
namespace {

constexpr int backlog = 128;  // who waits while others crowd in

base::Error failure(const Place& place, int errno_value, std::string advice) {
    return base::system_error("cannot listen at the management socket " + text_of(place), errno_value,
                              std::move(advice), base::ExitCode::unavailable);
}

base::Error occupied(const std::string& path, std::string why) {
    return {base::ExitCode::unavailable, "cannot listen at the management socket " + path, std::move(why),
            "remove it or choose another path"};
}

// Makes the name free if it is that of a socket at which nobody listens any more.
base::Result<void> remove_dead_socket(const std::string& path, const SocketAddress& address) {
    struct stat found {};
    if (lstat(path.c_str(), &found) != 0) return errno == ENOENT ? base::Result<void>() : failure(path, errno, {});
    if (!S_ISSOCK(found.st_mode)) return occupied(path, "something else than a socket is there");
    const auto probe = make_socket(address);
    if (!probe) return failure(path, errno, {});
    if (::connect(probe.get(), address.get(), address.length) == 0 || errno != ECONNREFUSED)
        return occupied(path, "another program listens there");
    if (unlink(path.c_str()) != 0 && errno != ENOENT) return failure(path, errno, "check the directory's permissions");
    return {};
}

}  // namespace

base::Result<ListeningSocket> ListeningSocket::open(const Place& place) {
    const auto address = socket_address(place);
    if (!address) return address.error();
    base::UniqueFd fd = make_socket(*address);
    if (!fd) return failure(place, errno, {});
    const auto* const path = std::get_if<std::string>(&place);
    if (path != nullptr) {
        if (const auto free = remove_dead_socket(*path, *address); !free) return free.error();
        // The name gets the mode of the socket itself (unix_bind() in Linux's net/unix/af_unix.c): it is never open to
        // others.
        if (fchmod(fd.get(), 0600) != 0) return failure(place, errno, {});
    } else {
        const int on = 1;
        setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        // The interface that has the address may come up later, and be brought up by us.
        setsockopt(fd.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
        if (address->storage.ss_family == AF_INET6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (::bind(fd.get(), address->get(), address->length) != 0)
        return failure(place, errno, "choose another address with --management");
    ListeningSocket socket(std::move(fd), place);
    if (path != nullptr) {
        struct stat made {};
        if (lstat(path->c_str(), &made) != 0) return failure(place, errno, {});
        socket.device_ = made.st_dev;
        socket.inode_ = made.st_ino;
    } else {
        SocketAddress bound;
        bound.length = sizeof bound.storage;
        if (getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.length) != 0)
            return failure(place, errno, {});
        // The port is at the same place in both families' addresses (RFC 3493 section 3.3).
        std::get<base::Endpoint>(socket.place_).port =
            ntohs(reinterpret_cast<const sockaddr_in*>(&bound.storage)->sin_port);
    }
    if (::listen(socket.fd(), backlog) != 0) return failure(place, errno, "choose another address with --management");
    return socket;
}

ListeningSocket::~ListeningSocket() {
    const auto* const path = std::get_if<std::string>(&place_);
    if (!fd_ || path == nullptr || inode_ == 0) return;
    struct stat found {};
    if (lstat(path->c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_) unlink(path->c_str());
}

}  // namespace bootkey::management
