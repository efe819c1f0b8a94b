// SPDX-License-Identifier: GPL-3.0-or-later
//
// How far an unlock is, in the words of the management interface, out of what the worker tells and the recipient does.
// Servers are tried in parallel: the state is that of the attempt that is furthest, and there is news only when that
// changes. Pure.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "bootkey/base/address.hpp"
#include "bootkey/base/time.hpp"
#include "bootkey/management/state.hpp"
#include "bootkey/monitor/messages.hpp"
#include "bootkey/timeline/timeline_keeper.hpp"

namespace bootkey::monitor {

class UnlockState {
public:
    using Show = std::function<void(const management::StateChange&)>;

    /// `show`: told of each new state, from inside the calls below.
    explicit UnlockState(Show show) : show_(std::move(show)) {}

    /// Unlocking begins, or begins anew.
    void begun();
    /// The first address of an interface that can be used; `browsing`: servers are looked for there.
    void address_usable(const base::IpAddress& address, bool browsing);
    /// A host route to a server was added.
    void route_added(const base::IpAddress& destination);
    /// What is known of an attempt at `now`.
    void attempt(const timeline::AttemptKey& key, const AttemptNews& news, base::Time now);
    /// Its answer is not the password, because of `reason`, one word.
    void rejected(const timeline::AttemptKey& key, const std::string& reason);
    /// No attempt is under way before `until`, as it is shown.
    void idle(const std::string& until);
    /// All servers are tried again, because of `reason`, one word; whoever is being tried goes on.
    void trying_anew(const std::string& reason);
    /// All attempts have ended, because of `reason`, one word.
    void interrupted(const std::string& reason);
    /// The password was written: that of an attempt, or that of a person at `by`.
    void connected(const timeline::AttemptKey& key);
    void connected(const std::string& by);
    /// The program ends.
    void exiting(const std::string& reason) { show_({.state = management::State::exiting, .description = reason}); }

    /// When run_due() is to be called, if nothing happens before.
    [[nodiscard]] std::optional<base::Time> deadline() const;
    void run_due(base::Time now);

    /// A server that has been silent for so long is waiting for an approval.
    static constexpr base::Duration approval_after = std::chrono::seconds(2);
    /// Attempts that are followed; a worker has far fewer at once.
    static constexpr std::size_t most_attempts = 512;

private:
    struct Attempt {
        management::State state{};
        base::Endpoint server;
        base::Endpoint local;
        base::Time waiting_since{};
        bool approval = false;
    };
    using Attempts = std::map<timeline::AttemptKey, Attempt>;

    void show_furthest();
    void forget(const timeline::AttemptKey& key, const std::string& reason);
    void show(const timeline::AttemptKey& key, const Attempt& attempt);

    Show show_;
    Attempts attempts_;
    std::optional<timeline::AttemptKey> shown_;  // whose state is shown, and
    std::optional<Attempt> shown_as_;            // how it was then
    bool connected_ = false;
};

}  // namespace bootkey::monitor
