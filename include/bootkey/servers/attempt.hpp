// SPDX-License-Identifier: GPL-3.0-or-later
//
// One attempt at one endpoint, from the first SYN to the last byte: connect, say the protocol version in plain text,
// shake hands as the TLS *server*, wait for the answer, take it until the server closes. A state machine without clock
// or system call: it is told that something is ready or that time has passed (advance) and says when it wants to be
// called again (deadline).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/time.hpp"
#include "bootkey/servers/backoff.hpp"
#include "bootkey/servers/progress.hpp"
#include "bootkey/servers/transport.hpp"

namespace bootkey::servers {

struct AttemptLimits {
    base::Duration connect = std::chrono::seconds(10);    ///< all connection tries together
    base::Duration handshake = std::chrono::seconds(10);  ///< from connected to the end of the handshake
    base::Duration answer = std::chrono::seconds(30);     ///< from the first answer byte to the end
    std::size_t answer_bytes = 64 * 1024;                 ///< the longest answer
    // While a live peer is silent after the handshake there is no limit: a person may have to approve.
};

class Attempt {
public:
    using MakeSession = std::function<base::Result<std::unique_ptr<TlsSession>>(Transport&)>;

    /// Borrows `transport`, which must outlive this object. `make_session` is called once connected. Nothing is done
    /// before advance().
    Attempt(Transport& transport, MakeSession make_session, Random random, AttemptLimits limits = {});

    /// Does all that can be done without waiting. To be called first to begin, then whenever the transport is ready or
    /// the deadline has come. Nothing happens once the attempt has ended.
    void advance(base::Time now);

    [[nodiscard]] Phase phase() const { return phase_; }
    /// The same before the end: connecting, handshake, waiting or receiving.
    [[nodiscard]] Phase reached() const { return reached_; }
    [[nodiscard]] bool ended() const { return phase_ == Phase::answered || phase_ == Phase::failed; }
    /// When to call advance() at the latest; nothing if only the peer can make a difference.
    [[nodiscard]] std::optional<base::Time> deadline() const;
    /// After failed: why, and whose fault it is.
    [[nodiscard]] const std::string& why() const { return why_; }
    [[nodiscard]] Blame blame() const { return blame_; }
    /// After answered: the whole answer, 1 byte or more; the attempt keeps nothing.
    [[nodiscard]] std::vector<std::byte> take_answer() { return std::move(answer_); }

private:
    // Each does one step and returns whether another may be possible at once.
    bool begin(base::Time now);
    bool connect(base::Time now);
    bool greet(base::Time now);
    bool shake_hands(base::Time now);
    bool receive(base::Time now);

    bool begin_try(base::Time now);
    bool take(base::Time now);
    bool finish(TlsSession::State how);
    void enter(Phase phase, std::optional<base::Time> until);
    bool fail_handshake();
    bool fail(Blame blame, std::string why);

    enum class Step { begin, connect, greet, shake_hands, receive };

    Transport& transport_;
    MakeSession make_session_;
    Random random_;
    AttemptLimits limits_;
    std::unique_ptr<TlsSession> session_;
    Phase phase_ = Phase::connecting;
    Phase reached_ = Phase::connecting;
    Step step_ = Step::begin;
    int tries_ = 0;                          // connection tries so far
    std::size_t greeted_ = 0;                // bytes of the protocol version sent
    base::Time try_until_;                   // end of the connection try under way
    std::optional<base::Time> phase_until_;  // end of the phase
    std::vector<std::byte> answer_;
    std::string why_;
    Blame blame_ = Blame::endpoint;
};

}  // namespace bootkey::servers
