// SPDX-License-Identifier: GPL-3.0-or-later
//
// The socket of one management client: bytes to the Interface and lines from it, neither of which ever waits. What the
// client sends may be a password, so it is read with recv(2) into locked memory that is wiped; a bufferevent would read
// it into an evbuffer, whose memory goes back to the heap as it is. What it is sent is no secret and waits in an
// evbuffer. A client that does not read is not listened to, and dropped when too much waits for it. Owns the socket.
#pragma once

#include <event2/buffer.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::management {

class Connection {
public:
    /// Told from the loop.
    struct Listener {
        /// Bytes that came. Returns how many were used; the rest is told again after `drained`.
        std::function<std::size_t(std::span<const std::byte> bytes)> received;
        /// After send() returned false: the client has read.
        std::function<void()> drained;
        /// It is over, for that reason, or without one. Once; may destroy the connection.
        std::function<void(std::string_view why)> ended;
    };

    /// Fails (os_error) for want of memory.
    [[nodiscard]] static base::Result<std::unique_ptr<Connection>> create(base::Loop& loop, base::UniqueFd fd,
                                                                          Listener listener);
    /// Sends what can be sent without waiting.
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Takes `lines` to be sent. Returns whether more should follow now.
    [[nodiscard]] bool send(std::string_view lines);
    /// What the client says is left where it is from now on, or is told again.
    void pause(bool on);
    /// Ends the connection when all is sent; what the client still says is dropped.
    void close();

    static constexpr std::size_t most_at_once = 4096;  ///< bytes that are read before they are acted on
    static constexpr std::size_t enough = 64 * 1024;   ///< bytes that wait: a long reply pauses
    static constexpr base::Duration delivery = std::chrono::seconds(30);  ///< for a closing client to read the rest
    static constexpr base::Duration parting = std::chrono::seconds(2);    ///< and then to close its end

private:
    struct BufferDeleter {
        void operator()(evbuffer* buffer) const noexcept { evbuffer_free(buffer); }
    };
    using Buffer = std::unique_ptr<evbuffer, BufferDeleter>;

    Connection(base::Loop& loop, base::UniqueFd fd, base::Secret input, Buffer output, Listener listener);
    void ready(base::Readiness readiness);
    void receive();
    void go_on();
    void flush();
    void watch_for_more();
    void give_up(std::string_view why);
    [[nodiscard]] std::size_t unsent() const { return evbuffer_get_length(output_.get()); }

    base::UniqueFd fd_;
    base::Secret input_;
    std::size_t used_ = 0;  // of the input
    Buffer output_;
    Listener listener_;
    bool is_full_ = false;     // send() has returned false
    bool is_busy_ = false;     // the listener is being told something
    bool is_paused_ = false;   // the listener does not want to be told anything
    bool is_closing_ = false;  // nothing follows what waits
    bool is_deaf_ = false;     // the client takes no more, but may have said something before
    bool is_shut_ = false;     // our end is closed; the client's is awaited
    bool is_over_ = false;
    std::string why_;
    std::unique_ptr<base::Timer> end_;  // tells from the loop what send() found out, and limits the parting
    std::unique_ptr<base::Watch> watch_;
};

}  // namespace bootkey::management
