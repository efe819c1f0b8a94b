// SPDX-License-Identifier: GPL-3.0-or-later
//
// The monitor's side of the management interface: shows clients what the unlock does, and turns what they want into
// orders. Owns the sockets, the histories and the questions that are open; they outlive every worker.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/management/interface.hpp"
#include "bootkey/management/server.hpp"
#include "bootkey/monitor/messages.hpp"
#include "bootkey/monitor/recipient.hpp"
#include "bootkey/monitor/server_ledger.hpp"
#include "bootkey/monitor/unlock_state.hpp"
#include "bootkey/network/network_hooks.hpp"
#include "bootkey/options/options.hpp"
#include "bootkey/timeline/timeline_keeper.hpp"

namespace bootkey::monitor {

class ManagementDesk {
public:
    /// What clients want done, called from the loop.
    struct Orders {
        std::function<void()> begin;                                                    ///< the hold is over
        std::function<void(int signal)> signal;                                         ///< as if it had arrived
        std::function<void(const timeline::AttemptKey&, const std::string& why)> drop;  ///< give the attempt up
        std::function<void(base::Secret)> disk_password;                                ///< a person has typed it
        std::function<void(std::optional<base::Secret>)> passphrase;  ///< of the key; none: nobody will give it
        std::function<void(AnswerNumber, base::Secret, const std::string& server)> hand_over;  ///< a person agrees
        std::function<void(AnswerNumber, const std::string& why)> refuse;                      ///< or does not
        std::function<void(int level)> verb_changed;                                           ///< of the log
    };

    /// Listens, or begins to connect. All references must outlive the object. `log`: clients are shown what it shows,
    /// and may change its level. Errors: no_input (the password file), unavailable (the address cannot be listened at).
    [[nodiscard]] static base::Result<std::unique_ptr<ManagementDesk>> open(base::Loop& loop, base::Log& log,
                                                                            const options::Options& options,
                                                                            Orders orders);
    ~ManagementDesk();
    ManagementDesk(const ManagementDesk&) = delete;
    ManagementDesk& operator=(const ManagementDesk&) = delete;

    /// Whether unlocking is to wait for a client; if so, it is told to begin() later.
    [[nodiscard]] bool wants_hold() const { return interface_.hold_flag(); }
    void hold() { interface_.hold(); }
    [[nodiscard]] bool holds() const { return interface_.holds(); }

    // What happens
    void begun();
    void heard(const InterfaceNews& news);
    void heard(const timeline::AttemptKey& key, const AttemptNews& news);
    void heard(const AddressUsable& news);
    void heard(const Idle& news);
    void heard(const Echo& news);
    void route_added(const base::IpAddress& destination);
    void rejected(const timeline::AttemptKey& key, const std::string& why);
    void trying_anew(const std::string& reason) { state_.trying_anew(reason); }
    /// All attempts have ended, because of `reason`, one word; `why` at more length.
    void interrupted(const std::string& reason, const std::string& why);
    /// The password of an attempt, or, without one, a person's was written.
    void connected(const std::optional<timeline::AttemptKey>& key, const std::string& by);
    void fatal(const std::string& text) { interface_.fatal(text); }
    void exiting(const std::string& reason);
    /// Closes all connections and removes the socket; what happens from now on, nobody is told.
    void close() { server_.reset(); }

    // Passwords
    /// The password that a client gave is wrong.
    void disk_password_refused();
    /// The OpenPGP key needs its passphrase; `again`: the one given last is wrong. `key`: by which a person knows the
    /// key.
    void need_passphrase(bool again, const std::string& key);
    /// Nobody is there any more who would use it.
    void passphrase_is_of_no_use();
    /// The worker and the decryptor end, for good or to be started again. What is asked for their sake is withdrawn,
    /// and servers' passwords that wait for a consent are wiped.
    void unlocking_ended();
    /// Has clients answer what network hooks ask. To be used as long as the desk is there.
    [[nodiscard]] network::HookAnswerer hook_answerer();
    /// The password is found: none is asked for any more.
    void found();
    /// Whether a server's password needs a client's consent; if so, ask() for it.
    [[nodiscard]] bool wants_consent() const { return options_.management.confirm; }
    void ask_consent(AnswerNumber answer, base::Secret password, const std::string& server);

private:
    ManagementDesk(base::Loop& loop, base::Log& log, const options::Options& options, base::Secret password,
                   Orders orders);
    [[nodiscard]] management::Settings settings(base::Secret password) const;
    [[nodiscard]] management::Steering steering();
    void on_password(std::string_view name, base::Secret password);
    void on_confirmation(std::string_view name, bool ok);
    [[nodiscard]] std::size_t drop(const std::vector<timeline::AttemptKey>& attempts);
    void ask_next_consent();
    void on_credentials(base::Secret user, base::Secret password);
    void on_hook_asks(const network::HookQuestion& question, network::HookAnswerer::Reply reply);
    void withdraw_hook_question(std::uint32_t number);
    void ask_for_next_hook();
    void watch_clock();

    struct Answered {
        AnswerNumber number = 0;
        base::Secret password;
        std::string server;
    };

    base::Loop& loop_;
    base::Log& log_;
    const options::Options& options_;
    Orders orders_;
    ServerLedger ledger_;
    UnlockState state_;
    management::Interface interface_;
    std::unique_ptr<management::Server> server_;
    std::unique_ptr<base::Timer> due_;  // the state's
    struct HookAsks {
        network::HookQuestion question;
        network::HookAnswerer::Reply reply;
    };
    std::deque<HookAsks> hooks_asking_;  // clients are asked for the first one
    std::deque<Answered> held_back_;     // until a client agrees; it is asked about the first one
    std::shared_ptr<ManagementDesk*> self_ = std::make_shared<ManagementDesk*>(this);  // for the log, which outlives it
};

}  // namespace bootkey::monitor
