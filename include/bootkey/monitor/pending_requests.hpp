// SPDX-License-Identifier: GPL-3.0-or-later
//
// The worker's end of privileged requests: each becomes a message to the monitor, and the monitor's reply a callback.
// Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "bootkey/changes/request.hpp"
#include "bootkey/monitor/messages.hpp"

namespace bootkey::monitor {

class PendingRequests {
public:
    /// `send` brings a message to the monitor.
    explicit PendingRequests(std::function<void(FromWorker)> send) : send_(std::move(send)) {}

    /// Asks; see changes::RequestSender.
    void ask(const changes::Request& request, changes::Done done);
    /// The monitor has replied. A reply to what nobody asked is ignored.
    void replied(const Replied& reply);

private:
    std::function<void(FromWorker)> send_;
    std::uint32_t next_number_ = 0;
    std::map<std::uint32_t, changes::Done> waiting_;  // by number
};

}  // namespace bootkey::monitor
