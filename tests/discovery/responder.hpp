// SPDX-License-Identifier: GPL-3.0-or-later
//
// A multicast DNS responder by hand, for tests: hears the questions that come to port 5353 and sends back whatever
// bytes it is told to. It belongs to the network namespace in which it is made.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "discovery/packets.hpp"

namespace bootkey::discovery::test {

class Responder {
public:
    struct Heard {
        base::Time time;
        Bytes message;
        int hops = 0;  ///< TTL or hop limit it came with
        std::uint16_t source_port = 0;
        sockaddr_storage source{};
        [[nodiscard]] unsigned id() const;
    };
    /// `family`: AF_INET or AF_INET6; `interface`: the index to listen on.
    Responder(base::Loop& loop, int family, std::uint32_t interface, std::function<void(const Heard&)> on_heard);

    /// Sends `message` back to where `heard` came from, from `from`'s address if given ("192.0.2.9"), and `port`.
    void reply(const Heard& heard, const Bytes& message, const char* from = nullptr, std::uint16_t port = 5353);
    /// Sends `message` to everybody.
    void multicast(const Bytes& message);
    [[nodiscard]] const std::vector<Heard>& heard() const { return heard_; }

private:
    void receive();

    base::Loop& loop_;
    int family_;
    std::uint32_t interface_;
    base::UniqueFd fd_;
    std::function<void(const Heard&)> on_heard_;
    std::vector<Heard> heard_;
    std::unique_ptr<base::Watch> watch_;
};

}  // namespace bootkey::discovery::test
