// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/control/connection.hpp"

#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "bootkey/base/address.hpp"
#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::control {
namespace {

using Lines = std::optional<std::vector<ControlLine>>;

socklen_t fill(sockaddr_storage& storage, const options::ManagementAddress& address) {
    if (address.path.empty()) return address.endpoint.to_socket_address(storage);
    auto& local = reinterpret_cast<sockaddr_un&>(storage);
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, address.path.data(), address.path.size());  // the parser keeps it short enough
    return sizeof local;
}

// What a person can do about a server that is not there.
std::string advice_for(int error, const options::ManagementAddress& address) {
    switch (error) {
        case EACCES:
            return "run bootkey as root";
        case ENOENT:
        case ECONNREFUSED:
            return address.text == options::default_management_address
                       ? "a bootkey that unlocks listens there if it has --management, and while it runs"
                       : "name the address that the other one's --management has";
        default:
            return "name it as unix:PATH or ADDRESS:PORT";
    }
}

}  // namespace

base::Error ControlConnection::failure(std::string what, std::string why, std::string advice) const {
    return {base::ExitCode::unavailable, std::move(what) + " the management interface at " + name_, std::move(why),
            std::move(advice)};
}

base::Result<ControlConnection> ControlConnection::open(const options::ManagementAddress& address,
                                                        const AskPassword& ask) {
    auto connection = connect(address);
    if (!connection) return connection;
    auto greeted = connection->await_greeting(ask);
    if (!greeted && connection->unanswered_) {
        std::optional<base::Secret> typed = std::move(connection->unanswered_);
        connection = connect(address);
        if (!connection) return connection;
        greeted = connection->await_greeting([&]() -> base::Result<base::Secret> {
            if (!typed) return ask();
            base::Secret password = std::move(*typed);
            typed.reset();
            return password;
        });
    }
    if (!greeted) return std::move(greeted).error();
    return connection;
}

base::Result<ControlConnection> ControlConnection::connect(const options::ManagementAddress& address) {
    const std::string name = base::escaped(address.text);
    sockaddr_storage storage{};
    const socklen_t size = fill(storage, address);
    base::UniqueFd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) return base::system_error("cannot make a socket", errno);
    // Also how long connect(2) may take (socket(7)).
    const timeval limit{std::chrono::duration_cast<std::chrono::seconds>(patience).count(), 0};
    setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    ControlConnection connection(std::move(socket), name);
    if (::connect(connection.fd(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
        const int error = errno == EINPROGRESS || errno == EAGAIN ? ETIMEDOUT : errno;
        return connection.failure("cannot connect to", std::strerror(error), advice_for(error, address));
    }
    return connection;
}

base::Result<void> ControlConnection::await_greeting(const AskPassword& ask) {
    std::string refusal;  // the last one: "ERROR: bad password"
    while (early_.empty()) {
        auto lines = receive_within(patience);
        if (!lines) return std::move(lines).error();
        if (!*lines)
            return failure("not let in by", refusal.empty() ? "it closed the connection" : "it says " + refusal,
                           "it may have enough clients, or want another password");
        unanswered_.reset();
        for (ControlLine& line : **lines) {
            if (is_refusal(line.text)) refusal = base::escaped(line.text);
            if (line.kind == ControlLine::Kind::password_prompt) {
                auto password = ask();
                if (!password) return std::move(password).error();
                if (auto sent = send(password->bytes()); !sent) return sent;
                unanswered_ = std::move(*password);
            } else if (line.kind == ControlLine::Kind::notification) {
                early_.push_back(std::move(line));
            }
        }
    }
    return {};
}

base::Result<Lines> ControlConnection::receive() {
    char buffer[4096];
    const ssize_t count = ::recv(fd(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (count > 0) return Lines(lines_.take({buffer, static_cast<std::size_t>(count)}));
    if (count == 0 || errno == ECONNRESET) return Lines();
    if (errno == EAGAIN || errno == EINTR) return Lines(std::in_place);
    return failure("cannot read from", std::strerror(errno));
}

base::Result<Lines> ControlConnection::receive_within(base::Duration limit) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
    pollfd wait{fd(), POLLIN, 0};
    int ready = 0;
    do ready = poll(&wait, 1, static_cast<int>(milliseconds));
    while (ready < 0 && errno == EINTR);
    if (ready < 0) return base::system_error("cannot wait for an answer", errno);
    if (ready > 0) return receive();
    return failure("no answer from", base::format("nothing came within %.0f seconds", base::to_seconds(limit)),
                   "end the other client, if there is one: OpenVPN serves one at a time");
}

base::Result<void> ControlConnection::send(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count >= 0)
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        else if (errno == EPIPE || errno == ECONNRESET)
            return {};
        else if (errno != EINTR)
            return failure("cannot send to", errno == EAGAIN ? "it does not read" : std::strerror(errno));
    }
    return {};
}

}  // namespace bootkey::control
