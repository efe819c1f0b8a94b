// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which endpoint of which server is tried when. Pure: events and the time go in, actions and the next deadline come
// out; all bounds on what servers can make this machine do are kept here. A *server* is a service instance or a
// configured address; it has *endpoints* (interface, address, port), seen by *sources*. Of one server at most two
// endpoints are in flight (connecting or shaking hands), the second a moment after the first, and at most one
// connection waits for an answer, since each wait is a question to a person. A server whose endpoints have all failed
// rests until its next round.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/time.hpp"
#include "bootkey/servers/backoff.hpp"
#include "bootkey/servers/known_server.hpp"
#include "bootkey/servers/progress.hpp"

namespace bootkey::servers {

struct RaceLimits {
    std::size_t in_flight = 32;  ///< attempts that connect or shake hands, of all servers
    std::size_t in_flight_per_server = 2;
    std::size_t per_host = 16;   ///< attempts of all kinds with servers that the same host announces
    std::size_t waiting = 256;   ///< attempts that wait for an answer
    std::size_t servers = 256;   ///< servers remembered
    std::size_t endpoints = 16;  ///< endpoints remembered of a server
    base::Duration second_endpoint = std::chrono::milliseconds(50);  ///< head start over the next endpoint, connecting
    base::Duration slow_handshake = std::chrono::seconds(1);         ///< the same once connected
    base::Duration patience =
        std::chrono::seconds(1);  ///< an attempt this old makes room for others (doubles each time)
    base::Duration most_patience = std::chrono::seconds(10);
    base::Duration least_retry = std::chrono::milliseconds(100);  ///< a shorter rest is not taken seriously
    base::Duration announcements =
        std::chrono::seconds(1);  ///< least time between tries caused by repeated announcements
    unsigned newcomers = 3;       ///< servers that were never tried come before those that were, so many times in a row
};

/// Begin an attempt.
struct Start {
    AttemptId attempt = 0;
    std::string server;
    base::Endpoint endpoint;
    bool is_configured = false;
};
/// Give an attempt up; the race has forgotten it already.
struct Cancel {
    AttemptId attempt = 0;
    std::string why;
};
using Action = std::variant<Start, Cancel>;

class Race {
public:
    /// `retry`: rest between rounds of the same server.
    Race(base::Duration retry, Random random, RaceLimits limits = {});

    /// The endpoints at which `source` now sees the server `name` that `host` announces; an empty `host` means that a
    /// person configured it: such a server is never dropped for others and has no limit by host.
    void update(const std::string& name, const std::string& host, const std::string& source,
                const std::vector<base::Endpoint>& endpoints, base::Time now);
    /// `source` no longer sees the server. What is connected goes on.
    void lost(const std::string& name, const std::string& source);
    /// All endpoints on the interface are gone, with their attempts.
    void interface_gone(std::uint32_t interface);
    /// What could not be reached over this interface (0: any) may be tried again at once.
    void reachable(std::uint32_t interface);
    /// Everything that does not wait for an answer is tried again at once.
    void try_now();

    /// The attempt came to handshake, waiting or receiving.
    void reached(AttemptId attempt, Phase phase, base::Time now);
    void failed(AttemptId attempt, Blame blame, const std::string& why, base::Time now);
    /// The attempt brought an answer: its server rests until rejected() is called for it.
    void answered(AttemptId attempt);
    /// The answer was worth nothing: the server is tried again after a rest. Its name, unless it is forgotten already.
    std::optional<std::string> rejected(AttemptId attempt, const std::string& why, base::Time now);

    /// What is to be done now, after any of the above or when deadline() has come. Actions are to be done in this
    /// order.
    [[nodiscard]] std::vector<Action> decide(base::Time now);
    /// When to call decide() again if nothing else happens. Valid after decide().
    [[nodiscard]] std::optional<base::Time> deadline() const { return deadline_; }

    /// One line a server.
    [[nodiscard]] std::vector<std::string> status(base::Time now) const;

private:
    // Configured or not, and name: whoever announces the name of a configured server does not become part of it.
    using Key = std::pair<bool, std::string>;
    struct Found {
        KnownServer* server;
        std::size_t index;  // in server->tries
    };
    // Whether there is a place for one more attempt, and whose it would have to be.
    struct Room {
        bool possible = false;
        std::optional<AttemptId> taken_from{};
        bool was_in_flight = false;
    };

    [[nodiscard]] EndpointLimits endpoint_limits() const {
        return {limits_.endpoints, limits_.announcements, limits_.patience};
    }
    // How many there are, of all and of each announcing host's servers (the configured ones' have no name).
    struct Count {
        std::size_t in_flight = 0;
        std::map<std::string, std::size_t> in_flight_of_host{};
        std::map<std::string, std::size_t> attempts_of_host{};
        std::string greediest{};  // of the hosts, the one that has most in flight
    };

    [[nodiscard]] std::optional<Found> find(AttemptId attempt);
    [[nodiscard]] KnownServer* remember(const std::string& name, const std::string& host, base::Time now);

    void cancel(const Found& found, const std::string& why);
    template <typename Which>
    void cancel_if(KnownServer& server, const std::string& why, Which which);
    void cancel_unlisted(KnownServer& server);
    template <typename Which>
    void cancel_others(KnownServer& server, AttemptId attempt, const std::string& why, Which which);
    void limit_waiting(AttemptId newest, base::Time now);
    void yield(AttemptId attempt, base::Time now);

    [[nodiscard]] std::vector<KnownServer*> order_of_turns();
    template <typename Visit>
    void for_twins(const KnownServer& server, Visit visit);
    [[nodiscard]] bool twin_waits_for(const KnownServer& server);
    [[nodiscard]] bool twin_is_tried_at(const KnownServer& server, const base::Endpoint& place);

    [[nodiscard]] bool start_one(KnownServer& server, base::Time now);
    void begin_round(KnownServer& server, base::Time now);
    [[nodiscard]] Candidate* next_candidate(KnownServer& server, base::Time now);
    [[nodiscard]] bool make_room_for(const KnownServer& server, base::Time now);
    [[nodiscard]] Room room_in_server(const KnownServer& server, base::Time now);
    [[nodiscard]] Room room_for_host(const KnownServer& server, base::Time now);
    [[nodiscard]] Room room_in_flight(const KnownServer& server, base::Time now);
    [[nodiscard]] Room room_of_the_greediest(const KnownServer& server);
    template <typename Competes>
    [[nodiscard]] Room room_of(Competes competes, base::Time now);
    [[nodiscard]] const Count& count();
    void wake_at(base::Time time);

    base::Duration retry_;
    Random random_;
    RaceLimits limits_;
    std::map<Key, KnownServer> servers_;
    AttemptId last_id_ = 0;
    unsigned newcomers_ = 0;       // that have had their first turn one after the other
    std::vector<Action> actions_;  // decided, not yet handed out
    std::optional<base::Time> deadline_;
    std::optional<Count> count_;  // kept while decide() looks at one server after the other and nothing changes
};

}  // namespace bootkey::servers
