// SPDX-License-Identifier: GPL-3.0-or-later
//
// One end of the connection between two processes of an unlock: whole messages, in order, in both directions. Neither
// end ever waits for the other: what the other does not take yet is queued, and one that lets the queue fill up is as
// good as gone. Owns its descriptor.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/monitor/messages.hpp"

namespace bootkey::monitor {

class Channel {
public:
    /// Told from the loop; either may destroy the channel.
    struct Listener {
        std::function<void(base::Secret message)> received;
        std::function<void()> closed;  ///< the other end is gone, or breaks the rules; once
    };

    /// The two ends (unix(7), SOCK_SEQPACKET), non-blocking and close-on-exec.
    [[nodiscard]] static base::Result<std::pair<base::UniqueFd, base::UniqueFd>> make_ends();

    Channel(base::Loop& loop, base::UniqueFd end, Listener listener);
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    /// Sends a message of one of the sets in messages.hpp.
    template <typename Set>
    void send(const Set& message) {
        if (auto bytes = encode(message))
            send_bytes(std::move(*bytes));
        else
            give_up();  // the other end would wait for it in vain
    }
    /// Takes what has arrived, now, from whoever is known to be gone.
    void drain() { receive(static_cast<int>(most_queued)); }
    /// Whether the other end is behind: what can be left out should be.
    [[nodiscard]] bool is_behind() const { return !queue_.empty(); }

    static constexpr std::size_t most_queued = 512;  ///< messages

private:
    void send_bytes(base::Secret bytes);
    void give_up();
    void ready(base::Readiness readiness);
    void receive(int most);
    [[nodiscard]] bool receive_one();
    void flush();
    void close();

    base::UniqueFd end_;
    Listener listener_;
    std::deque<base::Secret> queue_;
    bool closed_ = false;
    std::shared_ptr<char> alive_ = std::make_shared<char>();
    std::unique_ptr<base::Timer> closing_;  // tells from the loop what send() found out
    std::unique_ptr<base::Timer> again_;    // sends when there may be memory again
    std::unique_ptr<base::Watch> watch_;
};

}  // namespace bootkey::monitor
