// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/timeline/timeline.hpp"

#include <algorithm>

namespace bootkey::timeline {

void AttemptRecord::add(const servers::Progress& news) {
    id = news.attempt;
    server = news.server;
    endpoint = news.endpoint;
    switch (news.phase) {
        case servers::Phase::connecting:
            connecting = news.at;
            break;
        case servers::Phase::handshake:
            handshake = news.at;
            break;
        case servers::Phase::waiting:
            waiting = news.at;
            break;
        case servers::Phase::receiving:
            receiving = news.at;
            break;
        case servers::Phase::failed:
            failure = news.detail;
            [[fallthrough]];
        case servers::Phase::answered:
            ended = news.at;
            break;
    }
}

const AttemptRecord* Timeline::winner() const {
    const auto won = std::ranges::find_if(attempts, &AttemptRecord::won);
    return won == attempts.end() ? nullptr : &*won;
}

}  // namespace bootkey::timeline
