// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/servers/tcp_transport.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace bootkey::servers {
namespace {

// Options here make things better where the kernel has them; none is needed to talk to a server, so errors are ignored.
void set_option(int fd, int level, int option, int value) {
    (void)::setsockopt(fd, level, option, &value, sizeof value);
}

// A peer that is gone without a word is known after 10 + 3 * 10 s of silence (tcp(7)), however long an approval takes.
void detect_dead_peers(int fd) {
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 40'000);  // ms; the same for bytes of ours that nobody acknowledges
}

void bind_to_interface(int fd, std::uint32_t interface) {
    if (interface != 0) set_option(fd, SOL_SOCKET, SO_BINDTOIFINDEX, static_cast<int>(interface));
}

// Whether the kernel has an IPv4 address of ours to connect from; a UDP socket gets it from connect(2) and sends
// nothing. Without one TCP would send from 0.0.0.0, wait for an answer that cannot come, and miss the moment when there
// is one.
bool has_own_address(const sockaddr_storage& server, socklen_t length, std::uint32_t interface) {
    const base::UniqueFd probe(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!probe) return true;
    bind_to_interface(probe.get(), interface);
    if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&server), length) != 0)
        return true;  // TCP will say why
    sockaddr_in own{};
    socklen_t own_length = sizeof own;
    if (::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&own), &own_length) != 0) return true;
    return own.sin_addr.s_addr != htonl(INADDR_ANY);
}

}  // namespace

TcpTransport::TcpTransport(base::Loop& loop, const base::Endpoint& endpoint, std::function<void()> ready)
    : loop_(loop), endpoint_(endpoint), ready_(std::move(ready)) {
}

int TcpTransport::open_socket() {
    watch_.reset();
    acknowledge_ = false;
    socket_.reset(::socket(endpoint_.address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!socket_) return errno;
    set_option(socket_.get(), IPPROTO_TCP, TCP_NODELAY, 1);
    detect_dead_peers(socket_.get());
    return 0;
}

// A link-local address carries its interface as scope. For others the interface on which the server was seen is the
// way to it; an unprivileged process may say so since Linux 5.7, before that the kernel's routes decide. (IP_UNICAST_IF
// does not reach TCP.)
int TcpTransport::connect_over(std::uint32_t interface) {
    if (const int error = open_socket(); error != 0) return error;
    bind_to_interface(socket_.get(), interface);
    sockaddr_storage address{};
    const socklen_t length = endpoint_.to_socket_address(address);
    if (address.ss_family == AF_INET && !has_own_address(address, length, interface)) return EADDRNOTAVAIL;
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0) return 0;
    return errno == EINPROGRESS ? 0 : errno;
}

int TcpTransport::begin() {
    const int error = connect_over(endpoint_.interface);
    const bool no_way_there = error == ENETUNREACH || error == EHOSTUNREACH || error == EADDRNOTAVAIL;
    if (!no_way_there || endpoint_.interface == 0 || endpoint_.address.is_link_local()) return error;
    return connect_over(0);  // the kernel may know a way over another interface
}

// A further connect(2) on the same socket tells how the first one stands, and why it failed.
int TcpTransport::connection() {
    sockaddr_storage address{};
    const socklen_t length = endpoint_.to_socket_address(address);
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0 || errno == EISCONN)
        return 0;
    return errno == EALREADY ? EINPROGRESS : errno;
}

ssize_t TcpTransport::send(std::span<const std::byte> bytes) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return -errno;
    sent_ += static_cast<std::uint64_t>(sent);
    return sent;
}

// The server writes the end of its handshake, its answer and its farewell as small pieces, and Nagle's algorithm holds
// each back until the one before is acknowledged. So whatever came is acknowledged at once and not 40 ms later; the
// kernel forgets TCP_QUICKACK again by itself (tcp(7)), hence after every read.
ssize_t TcpTransport::receive(std::span<std::byte> buffer) {
    const ssize_t received = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (received > 0) acknowledge_ = true;
    if (received >= 0) {
        received_ += static_cast<std::uint64_t>(received);
        return received;
    }
    const int error = errno;
    if (error == EAGAIN && std::exchange(acknowledge_, false)) set_option(socket_.get(), IPPROTO_TCP, TCP_QUICKACK, 1);
    return -error;
}

base::Endpoint TcpTransport::local() const {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
    return base::Endpoint::from_socket_address(address).value_or(base::Endpoint{});
}

void TcpTransport::want(base::Readiness interest) {
    if (watch_) {
        watch_->update(interest);
        return;
    }
    // A share of its own, since the owner may destroy this object from inside the call.
    watch_ = loop_.watch(socket_.get(), interest, [ready = ready_](base::Readiness) { ready(); });
}

}  // namespace bootkey::servers
