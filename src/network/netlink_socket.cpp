// SPDX-License-Identifier: GPL-3.0-or-later
//
// Opening, sending and receiving. Datagrams are read by recvmsg(2) rather than mnl_socket_recvfrom, which does not tell
// the sender.
#include "netlink_socket.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace bootkey::network {

base::Result<NetlinkSocket> NetlinkSocket::open(unsigned groups) {
    const char* tried = "cannot open a netlink socket to the kernel";
    NetlinkSocket result(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!result.socket_) return base::system_error(tried, errno, "a kernel with CONFIG_NET is needed");
    if (mnl_socket_bind(result.socket_.get(), groups, MNL_SOCKET_AUTOPID) != 0) return base::system_error(tried, errno);
    // Better texts and shorter answers; kernels before 4.12 know neither and are understood as well.
    int on = 1;
    mnl_socket_setsockopt(result.socket_.get(), NETLINK_EXT_ACK, &on, sizeof on);
    mnl_socket_setsockopt(result.socket_.get(), NETLINK_CAP_ACK, &on, sizeof on);
    return result;
}

int NetlinkSocket::send(RequestBuffer& request) {
    nlmsghdr* header = request.header();
    header->nlmsg_seq = ++sequence_;
    for (;;) {
        if (mnl_socket_sendto(socket_.get(), header, header->nlmsg_len) >= 0) return 0;
        if (errno != EINTR) return errno;
    }
}

bool NetlinkSocket::is_answer(const Message& message) const {
    // Notifications of changes made by others carry those others' port and sequence number.
    return message.sequence == sequence_ && message.port == mnl_socket_get_portid(socket_.get());
}

std::variant<Bytes, int> NetlinkSocket::receive() {
    for (;;) {
        sockaddr_nl sender{};
        iovec part{buffer_.data(), buffer_.size()};
        msghdr message{};
        message.msg_name = &sender;
        message.msg_namelen = sizeof sender;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        const ssize_t size = recvmsg(fd(), &message, MSG_DONTWAIT);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return errno;
        if (message.msg_namelen != sizeof sender || sender.nl_pid != 0) continue;
        if ((message.msg_flags & MSG_TRUNC) != 0) return ENOBUFS;  // something is lost, as after an overrun
        return Bytes(buffer_).first(static_cast<std::size_t>(size));
    }
}

}  // namespace bootkey::network
