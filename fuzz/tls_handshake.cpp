// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a peer sends in the place of a handshake; the first byte says in pieces of which size. Accepted: if the session
// goes into it and does not just refuse it by an alert.
#include "bootkey/options/options.hpp"
#include "bootkey/servers/tls_session.hpp"
#include "memory_wire.hpp"
#include "tls_identity.hpp"

using namespace bootkey;
using State = servers::TlsSession::State;

bool fuzz::run(Input input) {
    static const auto credentials = example_credentials(options::default_priority);
    Script script(input);
    const auto piece = 1U + script.byte() * 64U;
    MemoryWire wire;
    wire.to_us = script.bytes(input.size());
    auto session = servers::make_tls_session(wire, credentials);
    require(session.ok(), "a session can be made");
    servers::TlsSession::Step step{State::wants_read};
    while (step.state == State::wants_read) {
        wire.arrive(piece);
        const auto received = wire.received;
        step = (*session)->handshake();
        require(step.state != State::wants_read || wire.received > received,
                "a call takes bytes or ends the handshake");
    }
    require(step.state == State::failed || step.state == State::too_much, "bytes made in advance are no handshake");
    require_readable(step.why);
    require(wire.received <= 32 * 1024 && wire.to_peer.size() <= 4096, "a handshake is short on both sides");
    return wire.to_peer.starts_with('\x16');  // TLSPlaintext.type handshake (RFC 8446 section 5.1)
}
