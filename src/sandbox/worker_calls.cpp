// SPDX-License-Identifier: GPL-3.0-or-later
//
// The process that strangers on the network talk to. It has its descriptors, opens sockets for mDNS, servers and
// reading rtnetlink, and nothing else: no files, no processes, no signals to others. Requests that would change the
// network go through the same rtnetlink socket as those that read, and a filter does not see into messages: there it is
// the missing CAP_NET_ADMIN that makes the kernel refuse (EPERM).
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "bootkey/sandbox/system_calls.hpp"

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

namespace bootkey::sandbox {
namespace {

// A socket of `family` and `type` (which may carry SOCK_CLOEXEC and SOCK_NONBLOCK) for `protocol`.
Call socket_of(int family, int type, int protocol) {
    constexpr std::uint32_t type_bits = 0xf;  // SOCK_TYPE_MASK in the kernel
    return allow("socket",
                 {int_is(0, family), bits_are(1, type_bits, static_cast<std::uint32_t>(type)), int_is(2, protocol)});
}

Call option(int level, int name) {
    return allow("setsockopt", {int_is(1, level), int_is(2, name)});
}

}  // namespace

CallTable worker_calls() {
    return {
        // Memory without code: all libraries are loaded.
        allow("mmap", {has_none_of(2, PROT_EXEC)}),
        allow("mmap2", {has_none_of(2, PROT_EXEC)}),
        allow("mprotect", {has_none_of(2, PROT_EXEC)}),

        // TCP to servers, UDP for mDNS, rtnetlink. No raw or packet sockets, no other protocols.
        socket_of(AF_INET, SOCK_STREAM, 0),
        socket_of(AF_INET, SOCK_STREAM, IPPROTO_TCP),
        socket_of(AF_INET, SOCK_DGRAM, 0),
        socket_of(AF_INET6, SOCK_STREAM, 0),
        socket_of(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
        socket_of(AF_INET6, SOCK_DGRAM, 0),
        socket_of(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
        socket_of(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE),
        refuse("socket", EAFNOSUPPORT, {int_is(0, AF_UNIX)}),  // if_indextoname(3) then takes an Internet socket
        allow("ioctl", {int_is(1, SIOCGIFNAME)}),              // if_indextoname(3)
        allow("ioctl", {int_is(1, SIOCGIFINDEX)}),             // if_nametoindex(3)

        // Socket options, one by one: some of the others attach programs to a socket or load kernel modules.
        option(SOL_SOCKET, SO_REUSEADDR),  // avahi-core
        option(SOL_SOCKET, SO_REUSEPORT),
        option(SOL_SOCKET, SO_PASSCRED),  // avahi-core: only netlink messages from the kernel count
        option(SOL_SOCKET, SO_KEEPALIVE),
        option(SOL_SOCKET, SO_BINDTOIFINDEX),
        option(IPPROTO_TCP, TCP_NODELAY),
        option(IPPROTO_TCP, TCP_KEEPIDLE),
        option(IPPROTO_TCP, TCP_KEEPINTVL),
        option(IPPROTO_TCP, TCP_KEEPCNT),
        option(IPPROTO_TCP, TCP_USER_TIMEOUT),
        option(IPPROTO_TCP, TCP_QUICKACK),
        option(IPPROTO_IP, IP_TTL),
        option(IPPROTO_IP, IP_PKTINFO),
        option(IPPROTO_IP, IP_RECVTTL),
        option(IPPROTO_IP, IP_MULTICAST_IF),
        option(IPPROTO_IP, IP_MULTICAST_TTL),
        option(IPPROTO_IP, IP_MULTICAST_LOOP),
        option(IPPROTO_IP, IP_ADD_MEMBERSHIP),
        option(IPPROTO_IP, IP_DROP_MEMBERSHIP),
        option(IPPROTO_IPV6, IPV6_V6ONLY),
        option(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
        option(IPPROTO_IPV6, IPV6_RECVPKTINFO),
        option(IPPROTO_IPV6, IPV6_RECVHOPLIMIT),
        option(IPPROTO_IPV6, IPV6_MULTICAST_IF),
        option(IPPROTO_IPV6, IPV6_MULTICAST_HOPS),
        option(IPPROTO_IPV6, IPV6_MULTICAST_LOOP),
        option(IPPROTO_IPV6, IPV6_JOIN_GROUP),
        option(IPPROTO_IPV6, IPV6_LEAVE_GROUP),
        option(SOL_NETLINK, NETLINK_EXT_ACK),
        option(SOL_NETLINK, NETLINK_CAP_ACK),

        // Signals to itself: abort(3).
        allow("tgkill", {int_is(0, getpid())}),

        // Files: libraries look for some (time zone, protocols, crypto policies, translations) and do without.
        refuse("open", EACCES),
        refuse("openat", EACCES),
        refuse("openat2", EACCES),
        refuse("access", EACCES),
        refuse("faccessat", EACCES),
        refuse("faccessat2", EACCES),
        refuse("stat", EACCES),
        refuse("stat64", EACCES),
        refuse("lstat", EACCES),
        refuse("lstat64", EACCES),
        refuse("readlink", EACCES),
        refuse("readlinkat", EACCES),
        // These two are also how the C library asks about a descriptor, with an empty path.
        allow("newfstatat", {bits_are(3, AT_EMPTY_PATH, AT_EMPTY_PATH)}),
        refuse("newfstatat", EACCES, {has_none_of(3, AT_EMPTY_PATH)}),
        allow("fstatat64", {bits_are(3, AT_EMPTY_PATH, AT_EMPTY_PATH)}),
        refuse("fstatat64", EACCES, {has_none_of(3, AT_EMPTY_PATH)}),
        allow("statx", {bits_are(2, AT_EMPTY_PATH, AT_EMPTY_PATH)}),
        refuse("statx", EACCES, {has_none_of(2, AT_EMPTY_PATH)}),
    };
}

}  // namespace bootkey::sandbox
