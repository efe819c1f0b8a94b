// SPDX-License-Identifier: GPL-3.0-or-later
//
// A Transport over a non-blocking TCP socket and the event loop. Owns the socket and its watch; each begin() makes a
// new one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "bootkey/base/address.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/servers/transport.hpp"

namespace bootkey::servers {

class TcpTransport final : public Transport {
public:
    /// `ready` is called from the loop whenever the socket is ready for what was wanted; it may destroy this object.
    TcpTransport(base::Loop& loop, const base::Endpoint& endpoint, std::function<void()> ready);

    [[nodiscard]] int begin() override;
    [[nodiscard]] int connection() override;
    [[nodiscard]] ssize_t send(std::span<const std::byte> bytes) override;
    [[nodiscard]] ssize_t receive(std::span<std::byte> buffer) override;
    void want(base::Readiness interest) override;

    /// Our end of the connection; nothing known before there is one.
    [[nodiscard]] base::Endpoint local() const;
    /// Bytes, over all connections of this object.
    [[nodiscard]] std::uint64_t received() const { return received_; }
    [[nodiscard]] std::uint64_t sent() const { return sent_; }

private:
    [[nodiscard]] int open_socket();
    [[nodiscard]] int connect_over(std::uint32_t interface);

    base::Loop& loop_;
    base::Endpoint endpoint_;
    std::function<void()> ready_;
    base::UniqueFd socket_;
    std::unique_ptr<base::Watch> watch_;  // after socket_: goes first
    std::uint64_t received_ = 0;
    std::uint64_t sent_ = 0;
    bool acknowledge_ = false;  // bytes came that the kernel may not have acknowledged yet
};

}  // namespace bootkey::servers
