// SPDX-License-Identifier: GPL-3.0-or-later
//
// Clients that have not given the password of the management interface yet: how many there may be, how long they may
// take, and when a password that one of them gave is compared. Nobody who lacks the password can keep out somebody who
// knows it: places are shared out by address, and so are the pauses after wrong passwords. Pure: whoever owns it tells
// it what happens and when.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/time.hpp"
#include "bootkey/management/settings.hpp"

namespace bootkey::management {

/// Where a client comes from, as text: as far as others can be told from it.
struct Origin {
    std::string network;  ///< what one party can have many addresses of (an IPv6 /64), or the address itself
    std::string address;
};

class LoginGate {
public:
    static constexpr std::size_t max_clients = 64;                              ///< that have not logged in
    static constexpr base::Duration max_login_time = std::chrono::seconds(10);  ///< from each question to its answer
    static constexpr base::Duration min_pause = std::chrono::seconds(1);  ///< after an address's first wrong password;
    static constexpr base::Duration max_pause = std::chrono::seconds(8);  ///< it doubles with each further one
    static constexpr base::Duration min_interval =
        std::chrono::milliseconds(50);                                  ///< between anybody's wrong passwords,
    static constexpr int max_burst = 40;                                ///< but for so many at once after a quiet time
    static constexpr base::Duration memory = std::chrono::seconds(60);  ///< of an address, after its last pause
    static constexpr std::size_t max_addresses = 1024;                  ///< remembered

    /// Without `has_limits` clients are neither cut off nor limited in number; only passwords are paced.
    explicit LoginGate(bool has_limits = true) : has_limits_(has_limits) {}

    /// A client came and is asked for the password. Returns who has to go to make room, if anybody: one of the network
    /// that has most, in it of the address that has most, and among such addresses of the one that has come or been
    /// wrong most often; the oldest. It may be the client itself, and is forgotten here.
    [[nodiscard]] std::optional<ClientId> came(ClientId client, Origin origin, base::Time now);
    /// The client gave a password, which is to be compared when next() returns the client. Until then it has time.
    void gave_password(ClientId client, base::Time now);
    /// Whose password is to be compared now; was_right() or was_wrong() must follow. Addresses that have given no wrong
    /// password lately come first.
    [[nodiscard]] std::optional<ClientId> next(base::Time now) const;
    /// The client has logged in: it is forgotten here, and its address's wrong passwords with it.
    void was_right(ClientId client);
    /// The client is asked again, or is being closed; it counts until left().
    void was_wrong(ClientId client, base::Time now);
    /// The client is gone.
    void left(ClientId client);
    [[nodiscard]] bool waits_for_comparison(ClientId client) const;
    /// Whether the next one to come makes somebody go.
    [[nodiscard]] bool is_full() const { return has_limits_ && waiting_.size() >= max_clients; }
    /// Those whose time is up: to be closed, and left().
    [[nodiscard]] std::vector<ClientId> overdue(base::Time now) const;
    /// When next() or overdue() may return something that it does not return yet.
    [[nodiscard]] std::optional<base::Time> next_deadline() const;

private:
    struct Waiting {
        ClientId client = 0;
        Origin origin;
        std::optional<base::Time> deadline;  // for its password
        std::optional<base::Time> given;     // when it gave one that has not been compared
    };
    // What an address has done since somebody logged in from there.
    struct Record {
        unsigned connections = 0;
        unsigned wrong = 0;  // passwords
        base::Duration pause{};
        base::Time next;  // comparison, not before
        base::Time last;  // time that it came or was wrong, or the end of its pause
    };

    [[nodiscard]] Waiting* find(ClientId client);
    [[nodiscard]] const Record& record_of(const Waiting& waiting) const;
    [[nodiscard]] base::Time comparison_of(const Waiting& waiting) const;
    [[nodiscard]] std::vector<Waiting>::iterator one_to_go();
    void forget_old_records(base::Time now);
    [[nodiscard]] Record& record_for(const std::string& address, base::Time now);

    bool has_limits_;
    std::vector<Waiting> waiting_;           // in the order in which they came
    std::map<std::string, Record> records_;  // by address
    base::Time next_;                        // comparison for anybody, not before
};

}  // namespace bootkey::management
