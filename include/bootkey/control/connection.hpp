// SPDX-License-Identifier: GPL-3.0-or-later
//
// A connection to a management interface, from the client's side: blocking where a person waits anyway, with limits on
// what may take how long. It owns its socket.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/base/time.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/control/lines.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::control {

class ControlConnection {
public:
    /// How long a server may take to accept and greet us, and to take a command.
    static constexpr base::Duration patience = base::from_seconds(10);
    /// Gives the password of the interface when it is asked for; an error ends the connection.
    using AskPassword = std::function<base::Result<base::Secret>()>;

    /// Connects, gives the password if the server asks for one, as often as it asks, and returns when it has greeted.
    /// Where the server did not wait for the password as long as a person took to type it, connects once more and gives
    /// it at once.
    /// Errors: unavailable (nobody there, nobody who greets, wrong password), those of `ask`, os_error.
    [[nodiscard]] static base::Result<ControlConnection> open(const options::ManagementAddress& address,
                                                              const AskPassword& ask);

    /// For polling; the connection's own.
    [[nodiscard]] int fd() const { return socket_.get(); }
    /// What has come with the greeting or behind it, each line once; call this before waiting for more.
    [[nodiscard]] std::vector<ControlLine> early() { return std::exchange(early_, {}); }
    /// What has come since, without waiting; nothing if the server has closed. Errors: unavailable.
    [[nodiscard]] base::Result<std::optional<std::vector<ControlLine>>> receive();
    /// The same, but waits until there is something or the time is over, which is an error (unavailable).
    [[nodiscard]] base::Result<std::optional<std::vector<ControlLine>>> receive_within(base::Duration limit);
    /// Sends all of `bytes`. A server that has closed meanwhile is no error: receive() tells. Errors: unavailable.
    [[nodiscard]] base::Result<void> send(std::span<const std::byte> bytes);

private:
    ControlConnection(base::UniqueFd socket, std::string name) : socket_(std::move(socket)), name_(std::move(name)) {}
    [[nodiscard]] static base::Result<ControlConnection> connect(const options::ManagementAddress& address);
    [[nodiscard]] base::Error failure(std::string what, std::string why, std::string advice = {}) const;
    [[nodiscard]] base::Result<void> await_greeting(const AskPassword& ask);

    base::UniqueFd socket_;
    std::string name_;  // the address, for messages
    ControlLines lines_;
    std::vector<ControlLine> early_;
    std::optional<base::Secret> unanswered_;  // the password that was given last, until the server says something
};

}  // namespace bootkey::control
