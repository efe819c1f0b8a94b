// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/pending_requests.hpp"

#include <utility>

namespace bootkey::monitor {

void PendingRequests::ask(const changes::Request& request, changes::Done done) {
    Ask message{.request = request};
    if (done) {
        message.number = next_number_++;
        waiting_.emplace(*message.number, std::move(done));
    }
    send_(message);
}

void PendingRequests::replied(const Replied& reply) {
    const auto waiting = waiting_.find(reply.number);
    if (waiting == waiting_.end()) return;
    const changes::Done done = waiting->second;
    if (reply.reserved.empty()) waiting_.erase(waiting);  // otherwise another reply follows
    done({reply.error ? base::Result<void>(*reply.error) : base::Result<void>(), reply.reserved});
}

}  // namespace bootkey::monitor
