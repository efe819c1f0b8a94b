// SPDX-License-Identifier: GPL-3.0-or-later
//
// One attempt on a real loop, a real socket and a real TLS session, run to its end.
#pragma once

#include <memory>
#include <string>

#include "bootkey/base/event_loop.hpp"
#include "bootkey/servers/attempt.hpp"
#include "bootkey/servers/tcp_transport.hpp"
#include "bootkey/servers/tls_session.hpp"

namespace bootkey::tests {

struct Outcome {
    servers::Phase phase{};
    std::string why;
    servers::Blame blame{};
    std::string answer;
};

/// Runs one attempt at `endpoint` until it ends or 20 s have passed.
inline Outcome run_attempt(const base::Endpoint& endpoint, const servers::TlsCredentials& credentials,
                           servers::AttemptLimits limits = {}) {
    auto loop = std::move(*base::EventLoop::create());
    std::function<void()> step;
    servers::TcpTransport transport(*loop, endpoint, [&] { step(); });
    servers::Attempt attempt(
        transport, [&](servers::Transport& below) { return servers::make_tls_session(below, credentials); },
        [] { return 0.5; }, limits);
    const auto timer = loop->timer([&] { step(); });
    step = [&] {
        attempt.advance(loop->now());
        if (attempt.ended())
            loop->stop();
        else if (const auto deadline = attempt.deadline())
            timer->arm(*deadline - loop->now());
        else
            timer->disarm();
    };
    const auto begin = loop->timer([&] { step(); });
    begin->arm(base::Duration::zero());
    const auto end = loop->timer([&] { loop->stop(); });
    end->arm(std::chrono::seconds(20));
    loop->run();
    Outcome outcome{attempt.phase(), attempt.why(), attempt.blame(), {}};
    const auto bytes = attempt.take_answer();
    outcome.answer.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return outcome;
}

}  // namespace bootkey::tests
