// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the race knows of one server: who sees it where, which endpoints have had their turn in this round, which
// attempts run. Plain data with the rules that concern one server alone; those between servers are the race's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/time.hpp"
#include "bootkey/servers/progress.hpp"

namespace bootkey::servers {

/// Whether two endpoints lead to the same server: only a link-local address needs the interface to say where it is.
[[nodiscard]] bool same_place(const base::Endpoint& a, const base::Endpoint& b);

/// One of a server's endpoints.
struct Candidate {
    base::Endpoint endpoint;
    bool listed = true;        ///< some source sees the server here
    bool tried = false;        ///< has had its turn in this round
    bool unreachable = false;  ///< the last attempt did not get as far as a connection
    base::Time not_before{};   ///< not to be tried before
    base::Time last_start{};
    base::Duration patience{};  ///< how old an attempt must be to be asked to make room for others

    /// Another turn, at once.
    void retry();
    /// Another turn, but not sooner than `spacing` after the last one began.
    void retry_after(base::Duration spacing);
};

/// How the endpoints of a server are kept.
struct EndpointLimits {
    std::size_t most;         ///< are remembered; places of those that no source lists are given away first
    base::Duration spacing;   ///< least time between tries caused by repeated announcements
    base::Duration patience;  ///< of a new candidate
};

/// A running attempt.
struct Try {
    AttemptId id = 0;
    base::Endpoint endpoint;
    Phase phase = Phase::connecting;
    base::Time since{};  ///< of the phase: for so long the peer has been silent

    [[nodiscard]] bool in_flight() const { return phase == Phase::connecting || phase == Phase::handshake; }
};

struct KnownServer {
    std::string name;
    std::string host;  ///< that announces it; empty: a person configured it
    std::map<std::string, std::vector<base::Endpoint>> sources;
    std::vector<Candidate> candidates;  ///< in the order in which they are tried
    std::vector<Try> tries;
    std::optional<AttemptId> answer;  ///< that is being judged
    std::optional<base::Time> next_round;
    base::Time known_since{};
    base::Time seen{};
    base::Time last_start{};
    bool proved = false;  ///< has shaken hands with us once
    std::uint64_t attempts = 0;
    std::string last_error;

    [[nodiscard]] bool configured() const { return host.empty(); }
    [[nodiscard]] bool never_tried() const { return last_start == base::Time{}; }
    /// Whether this record is worth less than `other`, if one has to be forgotten: those go first that nobody
    /// configured, that are not being tried (else a flood would push the good one out while it shakes hands, or while a
    /// person is asked), that no source sees any more, that never got as far as a handshake, that were announced
    /// longest ago.
    [[nodiscard]] bool worth_less_than(const KnownServer& other) const;
    [[nodiscard]] Candidate* candidate(const base::Endpoint& endpoint);
    [[nodiscard]] const Candidate* candidate(const base::Endpoint& endpoint) const;
    [[nodiscard]] std::size_t in_flight() const;
    [[nodiscard]] bool is_tried_at(const base::Endpoint& endpoint) const;
    /// Whether some source sees the server at this place.
    [[nodiscard]] bool is_listed_at(const base::Endpoint& place) const;
    /// Whether an answer is awaited from an endpoint where the server still is. If the server has moved meanwhile (it
    /// crashed and came back on another port, say), the old connection may be dead without knowing it.
    [[nodiscard]] bool waits_where_listed() const;
    /// Whether every listed endpoint has had its turn; no if none is listed.
    [[nodiscard]] bool round_is_over() const;

    /// `source` sees the server at `endpoints` and nowhere else. What is announced again gets another turn.
    void seen_by(const std::string& source, const std::vector<base::Endpoint>& endpoints, const EndpointLimits& limits);
    void lost_by(const std::string& source, const EndpointLimits& limits);
    /// Forgets all endpoints on the interface.
    void forget(std::uint32_t interface, const EndpointLimits& limits);
    /// Another turn, at once, for what could not be reached over the interface (0: any).
    void retry_unreachable(std::uint32_t interface);
    /// Another turn, at once, for all that is listed and not being tried.
    void retry_all();
    /// No turn for anything before `next`.
    void rest_until(base::Time next);
    /// The next round begins where this one succeeded.
    void prefer(const base::Endpoint& endpoint, base::Duration patience);
    /// One line for a person.
    [[nodiscard]] std::string status(base::Time now) const;

private:
    void relist(const EndpointLimits& limits);
    void add(const base::Endpoint& endpoint, const EndpointLimits& limits);
};

}  // namespace bootkey::servers
