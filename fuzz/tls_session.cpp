// SPDX-License-Identifier: GPL-3.0-or-later
//
// A peer that shakes hands and then does what the letters say, each followed by how much of it: "d" data, "e" empty
// records, "k" new keys, "w" warnings, "r" raw bytes behind TLS's back, "b" the farewell. What it says arrives in
// pieces of the size in the first byte. Accepted: if the farewell arrives in order.
#include "bootkey/servers/tls_session.hpp"

#include <array>

#include "tls_peer.hpp"

using namespace bootkey;
using State = servers::TlsSession::State;

bool fuzz::run(Input input) {
    static const auto credentials = example_credentials(quick_priority);
    MemoryWire wire;
    TlsPeer peer(wire);
    auto session = servers::make_tls_session(wire, credentials);
    require(session.ok() && peer.shake_hands(**session), "a polite peer can shake hands");
    wire.received = 0;
    Script script(input);
    const auto piece = 1U + script.byte() * 64U;
    std::string said;
    while (!script.ended()) {
        const unsigned deed = script.byte(), amount = script.byte();
        if (deed == 'd') said += peer.say(std::string(64U * amount, 'x'));
        if (deed == 'r') wire.to_us += script.bytes(amount);
        if (deed == 'b') peer.say_goodbye();
        for (unsigned i = 0; i < amount; ++i) peer.chatter(deed);
    }
    std::string heard;
    std::array<std::byte, 16384> buffer{};
    servers::TlsSession::Step step{State::wants_read};
    while (step.state == State::wants_read || step.state == State::data) {
        wire.arrive(piece);
        const auto received = wire.received;
        step = (*session)->receive(buffer);
        require(step.state != State::wants_read || wire.received > received, "a call takes bytes or ends the session");
        heard += text_of(Input(buffer).first(step.bytes));
    }
    require(said.starts_with(heard) && (step.state != State::end || heard == said), "what arrives is what was said");
    require(wire.received <= 65 * 1024, "no more is taken than an answer can have");
    return step.state == State::end;
}
