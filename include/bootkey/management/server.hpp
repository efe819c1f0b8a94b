// SPDX-License-Identifier: GPL-3.0-or-later
//
// The sockets of the management interface: listens at a Unix socket or a TCP port, or connects out, and carries bytes
// between clients and an Interface. Runs in the privileged process, so nothing a client does can make it wait or grow:
// a client that stops reading is dropped. Where no password is asked for, only programs of root and of the user who
// runs bootkey are let in. Owns the sockets and the Unix socket's name.
#pragma once

#include <cstddef>
#include <memory>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/management/interface.hpp"

namespace bootkey::management {

class Server {
public:
    static constexpr std::size_t most_clients = Interface::max_clients;  ///< the next is told so and closed
    static constexpr std::size_t most_unsent = 256 * 1024;  ///< bytes; a client that does not read so much is closed

    /// Listens where `interface.settings()` says, or begins to connect out (which is tried for ever, 1 s to 30 s
    /// apart). Attaches itself to `interface`, which like `loop` and `log` must outlive it. Errors (unavailable): the
    /// place cannot be listened at, such as a path where something else is than a socket that nobody listens at.
    [[nodiscard]] static base::Result<std::unique_ptr<Server>> start(base::Loop& loop, Interface& interface,
                                                                     const base::Log& log);
    /// Closes all connections at once, with what could be delivered without waiting, and removes the Unix socket.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Where it listens or connects to; a TCP port of 0 in the settings has become the one that the kernel chose.
    [[nodiscard]] const Place& place() const;
    /// How many clients there are.
    [[nodiscard]] std::size_t clients() const;

private:
    class Sockets;
    explicit Server(std::unique_ptr<Sockets> sockets);
    std::unique_ptr<Sockets> sockets_;
};

}  // namespace bootkey::management
