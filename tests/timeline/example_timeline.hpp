// SPDX-License-Identifier: GPL-3.0-or-later
//
// Two runs to draw: one that has the password after 60 ms, one that fails after half a second.
#pragma once

#include <cmath>

#include "bootkey/timeline/timeline.hpp"

namespace bootkey::timeline::tests {

/// So many milliseconds after the run's beginning.
inline base::Time at(double milliseconds) {
    return base::Time(std::chrono::seconds(1) + std::chrono::microseconds(std::llround(milliseconds * 1000)));
}

inline Timeline example_timeline() {
    Timeline run;
    run.version = "1.2.3";
    run.begun = at(0);
    run.written = at(60);
    run.ended = at(65);
    run.hooks = {{"bridge", "start", at(1), at(5), "exit status 3"}, {"bridge", "stop", at(61), at(64), ""}};
    run.interfaces = {{2, "eth0", at(6), at(25), at(26), {}}, {3, "eth1", at(6), {}, {}, {}}};
    AttemptRecord refused;
    refused.id = 1;
    refused.server = "Mandos on attic";
    refused.endpoint = {*base::IpAddress::parse("192.0.2.7"), 4712, 2};
    refused.connecting = at(28);
    refused.ended = at(29);
    refused.failure = "Connection refused";
    AttemptRecord winner;
    winner.id = 2;
    winner.server = "Mandos on cellar";
    winner.endpoint = {*base::IpAddress::parse("fe80::1"), 4711, 2};
    winner.connecting = at(30);
    winner.handshake = at(31);
    winner.waiting = at(40);
    winner.receiving = at(46);
    winner.ended = at(47);
    winner.decrypting = at(47);
    winner.judged = at(59);
    run.attempts = {refused, winner};
    return run;
}

inline Timeline failed_timeline() {
    Timeline run;
    run.version = "1.2.3";
    run.begun = at(0);
    run.ended = at(500);
    run.status = 69;
    run.failure = "no gpg";
    return run;
}

}  // namespace bootkey::timeline::tests
