// SPDX-License-Identifier: GPL-3.0-or-later
//
// A NETLINK_ROUTE socket (libmnl), shared by the monitor and the requests. Private to this room. Owns the socket.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include <memory>
#include <variant>
#include <vector>

#include "bootkey/base/result.hpp"
#include "bootkey/network/netlink_message.hpp"

namespace bootkey::network {

/// A request under construction: a header, a family's structure, then attributes by libmnl. The largest of ours has
/// some 100 bytes.
class RequestBuffer {
public:
    RequestBuffer(std::uint16_t type, std::uint16_t flags) : header_(mnl_nlmsg_put_header(bytes_)) {
        header_->nlmsg_type = type;
        header_->nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
    }
    RequestBuffer(const RequestBuffer&) = delete;
    RequestBuffer& operator=(const RequestBuffer&) = delete;

    /// Appends the zeroed structure that follows the header. Valid as long as this buffer.
    template <typename T>
    T& put_structure() {
        return *static_cast<T*>(mnl_nlmsg_put_extra_header(header_, sizeof(T)));
    }
    nlmsghdr* header() { return header_; }

private:
    alignas(nlmsghdr) std::byte bytes_[512]{};
    nlmsghdr* header_;
};

class NetlinkSocket {
public:
    /// Opens and binds; `groups`: RTMGRP_* to hear. Not blocking.
    [[nodiscard]] static base::Result<NetlinkSocket> open(unsigned groups);

    [[nodiscard]] int fd() const { return mnl_socket_get_fd(socket_.get()); }
    /// Sends with a new sequence number. Returns 0 or errno. The kernel works on a request before this returns.
    [[nodiscard]] int send(RequestBuffer& request);
    /// Whether the message answers the last request.
    [[nodiscard]] bool is_answer(const Message& message) const;
    /// The next datagram that the kernel itself sent (valid until the next call), or errno: EAGAIN if there is none. A
    /// datagram of anybody else is left out.
    [[nodiscard]] std::variant<Bytes, int> receive();

private:
    struct Closer {
        void operator()(mnl_socket* socket) const noexcept { mnl_socket_close(socket); }
    };
    explicit NetlinkSocket(mnl_socket* socket) : socket_(socket), buffer_(32768) {}

    std::unique_ptr<mnl_socket, Closer> socket_;
    std::vector<std::byte>
        buffer_;  // the kernel's dumps come in pieces of at most 32 KiB (netlink_dump in af_netlink.c)
    std::uint32_t sequence_ = 0;
};

}  // namespace bootkey::network
