// SPDX-License-Identifier: GPL-3.0-or-later
//
// One attempt at a peer that does what a script says. Accepted: if it is answered.
#include "bootkey/servers/attempt.hpp"

#include "scripted_peer.hpp"

using namespace bootkey;
using servers::Phase;

bool fuzz::run(Input input) {
    Script script(input);
    ScriptedTransport transport(script);
    servers::Attempt attempt(
        transport,
        [&](servers::Transport&) -> base::Result<std::unique_ptr<servers::TlsSession>> {
            require(transport.sent == "1\r\n", "TLS begins behind the protocol version");
            return std::unique_ptr<servers::TlsSession>(std::make_unique<ScriptedSession>(script));
        },
        [] { return 0.5; });
    base::Time now{1000h};
    const auto advance = [&](base::Time then) {
        now = then;
        attempt.advance(now);
        const auto deadline = attempt.deadline();
        const bool limited = !attempt.ended() && attempt.phase() != Phase::waiting;
        require(deadline.has_value() == limited, "all but the wait for a person has a limit");
        require(!deadline || *deadline > now, "nothing is left for the same moment");
        require(std::string_view("1\r\n").starts_with(transport.sent), "nothing but the version is sent in plain text");
        require(transport.connections <= 10, "a silent endpoint is tried a few times");
    };
    while (!script.ended() && !attempt.ended()) advance(now + 10ms * script.byte());
    for (int i = 0; i < 20 && attempt.deadline(); ++i) advance(*attempt.deadline());
    require(attempt.ended() || attempt.phase() == Phase::waiting || input.empty(),
            "an attempt with a silent peer ends");

    const auto answer = attempt.take_answer();
    const bool answered = attempt.phase() == Phase::answered;
    require(answered ? !answer.empty() && answer.size() <= 65536 : answer.empty(), "an answer has 1 byte to 64 KiB");
    if (attempt.phase() == Phase::failed) require_readable(attempt.why());
    return answered;
}
