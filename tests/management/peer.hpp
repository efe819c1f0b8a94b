// SPDX-License-Identifier: GPL-3.0-or-later
//
// A management client on a real socket, beside a Server in the same event loop.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <string_view>
#include <variant>

#include "bootkey/base/address.hpp"
#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/management/settings.hpp"
#include "management/secrets.hpp"

namespace bootkey::management::testing {

/// Lets the loop run for `duration`.
inline void run(base::EventLoop& loop, base::Duration duration) {
    const auto limit = loop.timer([&] { loop.stop(); });
    limit->arm(duration);
    loop.run();
}

inline socklen_t address_of(const Place& place, sockaddr_storage& storage) {
    if (const auto* endpoint = std::get_if<base::Endpoint>(&place)) return endpoint->to_socket_address(storage);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const auto& path = std::get<std::string>(place);
    REQUIRE(path.size() < sizeof name.sun_path);
    std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
    std::memcpy(&storage, &name, sizeof name);
    return sizeof name;
}

class Peer {
public:
    Peer(base::EventLoop& loop, base::UniqueFd fd) : loop_(loop), fd_(std::move(fd)) {}
    Peer(base::EventLoop& loop, const Place& place) : loop_(loop) {
        sockaddr_storage storage{};
        const socklen_t length = address_of(place, storage);
        fd_.reset(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0);
    }

    /// As much of `text` as the socket takes at once; returns how much.
    std::size_t send_some(std::string_view text) const {
        const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return sent > 0 ? static_cast<std::size_t>(sent) : 0;
    }
    void send(std::string_view text) const { REQUIRE(send_some(text) == text.size()); }
    void finish() const { ::shutdown(fd_.get(), SHUT_WR); }
    void vanish() { fd_.reset(); }

    /// What has arrived, once it ends with `end`, is closed, or nothing has come for a while.
    std::string read(std::string_view end) {
        std::string text;
        const auto limit = base::Clock::now() + std::chrono::seconds(3);
        while (!text.ends_with(end) && !is_closed_ && base::Clock::now() < limit) {
            run(loop_, std::chrono::milliseconds(1));
            text += take();
        }
        return text;
    }
    /// What arrives within that time.
    std::string read_for(base::Duration duration) {
        run(loop_, duration);
        return take();
    }
    /// Everything until the other end closes.
    std::string read_to_end() {
        const std::string text = read("\x01 never sent");
        CHECK(is_closed_);
        return text;
    }
    std::string ask(std::string_view command, std::string_view end = "\r\n") {
        send(std::string(command) + "\n");
        return read(end);
    }
    [[nodiscard]] bool is_closed() const { return is_closed_; }

private:
    std::string take() {
        std::string text;
        char buffer[65536];
        for (;;) {
            const ssize_t size = recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
            if (size == 0 || (size < 0 && errno != EAGAIN)) is_closed_ = true;
            if (size <= 0) return text;
            text.append(buffer, static_cast<std::size_t>(size));
        }
    }

    base::EventLoop& loop_;
    base::UniqueFd fd_;
    bool is_closed_ = false;
};

}  // namespace bootkey::management::testing
