// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the race owes its servers and its owner, as plain rules over what anybody can see from outside: who is seen
// where, which attempts run, what has been told since when. Knows nothing of rounds, candidates or queues. It is told
// every event after the race, and then shown what the race decided; whatever breaks a rule is thrown (model::Broken).
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bootkey/servers/race.hpp"

namespace bootkey::servers::model {

class RaceRules {
public:
    struct Attempt {
        std::string server;
        base::Endpoint at;
        Phase phase = Phase::connecting;
        base::Time since{};  ///< of the phase

        [[nodiscard]] bool in_flight() const { return phase == Phase::connecting || phase == Phase::handshake; }
    };
    /// How often what happened, for a test that wants to know that it did.
    using Met = std::map<std::string, std::size_t>;

    RaceRules(base::Duration retry, const RaceLimits& limits, Met& met) : retry_(retry), limits_(limits), met_(met) {}

    // The events. Names of configured servers (no host) and of announced ones must differ.

    /// `remembered`: the names that the race knows afterwards.
    void update(const std::string& name, const std::string& host, const std::string& source,
                const std::vector<base::Endpoint>& endpoints, const std::set<std::string>& remembered, base::Time now);
    void lost(const std::string& name, const std::string& source);
    void interface_gone(std::uint32_t interface);
    void reachable(std::uint32_t interface, base::Time now);
    void try_now(base::Time now);
    void reached(AttemptId id, Phase phase, base::Time now);
    void failed(AttemptId id, Blame blame);
    void answered(AttemptId id);
    void rejected(AttemptId id);

    /// What the race has decided after the events since the last time.
    void decided(const std::vector<Action>& actions, std::optional<base::Time> deadline, base::Time now);
    /// Every place where a server is seen must have been tried since then, unless an answer was awaited meanwhile.
    void check_all_tried_since(base::Time then) const;

    /// The attempts that run.
    [[nodiscard]] const std::map<AttemptId, Attempt>& running() const { return running_; }
    [[nodiscard]] bool is_tried(const std::string& server) const;
    /// The answer of the server that is being judged.
    [[nodiscard]] std::optional<AttemptId> judged(const std::string& server) const;
    /// Whose answers are being judged.
    [[nodiscard]] std::vector<std::string> judged() const;

private:
    struct Server {
        std::string name;
        std::string host;  // empty: configured
        std::map<std::string, std::set<base::Endpoint>> sources;
        std::set<base::Endpoint> ever;  // seen at, as long as the race may remember it
        bool too_many = false;          // so many that which of them the race knows is its own affair
        base::Time seen{};
        bool proved = false;  // has been waited for
        std::optional<AttemptId> judged;
        struct Starts {
            base::Time last, before_last;
        };
        std::map<base::Endpoint, Starts> starts;
        std::set<base::Endpoint> tried_since_update;
        std::set<base::Endpoint> unreachable;       // the last attempt did not connect
        std::set<base::Endpoint> due;               // must be tried now
        std::map<base::Endpoint, unsigned> yields;  // how often it made room for others
        base::Time announced{}, other_news{};       // the last time
        base::Time asked{};                         // the last time that an answer was awaited or judged
        std::optional<base::Time> idle;             // since when nothing is tried although something could

        [[nodiscard]] bool configured() const { return host.empty(); }
        [[nodiscard]] bool is_seen_at(const base::Endpoint& endpoint) const;
        [[nodiscard]] bool is_seen_at_place(const base::Endpoint& endpoint) const;
        [[nodiscard]] std::set<base::Endpoint> seen_at() const;
    };

    [[nodiscard]] bool is_waited_for(const Server& server) const;
    [[nodiscard]] bool may_be_tried_at(const Server& server, const base::Endpoint& endpoint) const;
    [[nodiscard]] bool has_room(const Server& server) const;
    [[nodiscard]] std::size_t in_flight() const;
    [[nodiscard]] std::size_t in_flight_of(const std::string& server) const;
    [[nodiscard]] std::size_t in_flight_of_host(const std::string& host) const;
    [[nodiscard]] std::size_t attempts_of_host(const std::string& host) const;
    [[nodiscard]] base::Duration patience_with(const Attempt& attempt) const;

    // Only a link-local address needs its interface to say where it is.
    [[nodiscard]] static bool same_place(const base::Endpoint& a, const base::Endpoint& b) {
        return a.address == b.address && a.port == b.port && (a.interface == b.interface || !a.address.is_link_local());
    }

    template <typename Which>
    void give_up(const std::string& why, bool another_turn, Which which);
    void give_up_unseen(const Server& server);
    void give_up_the_longest_silent(AttemptId newest);
    static void rest(Server& server);
    static void fewer_endpoints(Server& server);
    void forget_if_need_be(const std::string& newcomer, const std::set<std::string>& remembered);
    void check_worth_least(const Server& forgotten) const;

    void start(const Start& action, base::Time now);
    void check_allowed(const Server& server, const base::Endpoint& endpoint) const;
    void check_rested(const Server& server, const base::Endpoint& endpoint, base::Time now) const;
    void check_head_start(const Server& server, base::Time now) const;
    void check_bounds(const Server& server, std::size_t before) const;
    void make_room(AttemptId victim);
    void check_room_made_for(const Server& server, base::Time now);
    void check_waits_for_room(const Server& server, std::optional<base::Time> deadline, base::Time now) const;
    void check_not_starved(Server& server, std::optional<base::Time> deadline, base::Time now) const;

    base::Duration retry_;
    RaceLimits limits_;
    Met& met_;
    std::map<std::string, Server> servers_;
    std::map<AttemptId, Attempt> running_;
    std::map<AttemptId, std::string> to_cancel_;  // and why
    std::vector<Attempt> made_room_;              // for whatever starts next
};

}  // namespace bootkey::servers::model
