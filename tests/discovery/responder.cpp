// SPDX-License-Identifier: GPL-3.0-or-later
#include "discovery/responder.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstring>

#include "catch.hpp"

namespace bootkey::discovery::test {
namespace {

template <typename T>
void set(int fd, int level, int option, const T& value) {
    REQUIRE(::setsockopt(fd, level, option, &value, sizeof value) == 0);
}

base::UniqueFd bound_socket(int family, const char* from, std::uint16_t port) {
    base::UniqueFd fd(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    REQUIRE(fd);
    set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    sockaddr_storage storage{};
    if (family == AF_INET6) {
        set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(port);
        std::memcpy(&storage, &address, sizeof address);
        REQUIRE(from == nullptr);
    } else {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        if (from != nullptr) REQUIRE(::inet_pton(AF_INET, from, &address.sin_addr) == 1);
        std::memcpy(&storage, &address, sizeof address);
    }
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), sizeof storage) == 0);
    return fd;
}

void send_to(int fd, const Bytes& message, const sockaddr_storage& target) {
    REQUIRE(::sendto(fd, message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&target),
                     sizeof target) == static_cast<ssize_t>(message.size()));
}

}  // namespace

unsigned Responder::Heard::id() const {
    return static_cast<unsigned>(static_cast<unsigned char>(message.at(0))) << 8 |
           static_cast<unsigned char>(message.at(1));
}

Responder::Responder(base::Loop& loop, int family, std::uint32_t interface, std::function<void(const Heard&)> on_heard)
    : loop_(loop),
      family_(family),
      interface_(interface),
      fd_(bound_socket(family, nullptr, 5353)),
      on_heard_(std::move(on_heard)) {
    if (family == AF_INET6) {
        ipv6_mreq group{};
        REQUIRE(::inet_pton(AF_INET6, "ff02::fb", &group.ipv6mr_multiaddr) == 1);
        group.ipv6mr_interface = interface;
        set(fd_.get(), IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, group);
        set(fd_.get(), IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
        set(fd_.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(interface));
    } else {
        ip_mreqn group{};
        group.imr_multiaddr.s_addr = htonl(0xe00000fb);
        group.imr_ifindex = static_cast<int>(interface);
        set(fd_.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, group);
        set(fd_.get(), IPPROTO_IP, IP_RECVTTL, 1);
    }
    watch_ = loop.watch(fd_.get(), {.readable = true}, [this](base::Readiness) { receive(); });
}

void Responder::receive() {
    Heard heard;
    heard.time = loop_.now();
    heard.message.resize(9000);
    alignas(cmsghdr) std::array<char, 256> control{};
    iovec piece{heard.message.data(), heard.message.size()};
    msghdr header{};
    header.msg_name = &heard.source;
    header.msg_namelen = sizeof heard.source;
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(fd_.get(), &header, 0);
    if (size < 0) return;
    heard.message.resize(static_cast<std::size_t>(size));
    for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each))
        std::memcpy(&heard.hops, CMSG_DATA(each), sizeof heard.hops);
    sockaddr_in v4{};
    std::memcpy(&v4, &heard.source, sizeof v4);
    heard.source_port = ntohs(v4.sin_port);
    heard_.push_back(heard);
    if (on_heard_) on_heard_(heard);
}

void Responder::reply(const Heard& heard, const Bytes& message, const char* from, std::uint16_t port) {
    if (from == nullptr && port == 5353)
        send_to(fd_.get(), message, heard.source);
    else
        send_to(bound_socket(family_, from, port).get(), message, heard.source);
}

void Responder::multicast(const Bytes& message) {
    REQUIRE(family_ == AF_INET6);
    sockaddr_in6 group{};
    group.sin6_family = AF_INET6;
    group.sin6_port = htons(5353);
    group.sin6_scope_id = interface_;
    REQUIRE(::inet_pton(AF_INET6, "ff02::fb", &group.sin6_addr) == 1);
    sockaddr_storage target{};
    std::memcpy(&target, &group, sizeof group);
    send_to(fd_.get(), message, target);
}

}  // namespace bootkey::discovery::test
