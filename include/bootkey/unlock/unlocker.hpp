// SPDX-License-Identifier: GPL-3.0-or-later
//
// The way from interfaces that are down to servers' answers: the top state machine, which carries news between rooms
// that do not know each other. Interfaces come up -> servers are found -> all are tried -> each answer is handed out to
// be decrypted, and tried for again if it is rejected. It asks for what is privileged and
// owns everything else: destroying it cancels whatever is under way, and nothing calls back afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/changes/request.hpp"
#include "bootkey/discovery/discovery.hpp"
#include "bootkey/options/options.hpp"
#include "bootkey/servers/servers.hpp"
#include "bootkey/timeline/timeline.hpp"
#include "bootkey/unlock/interfaces.hpp"

namespace bootkey::unlock {

/// Told from the loop.
struct Listener {
    /// A server's whole answer, still encrypted. That server is left alone until rejected() is called.
    std::function<void(servers::AttemptId attempt, const servers::Origin& origin, std::vector<std::byte> message)>
        answer;
    /// Unlocking cannot succeed any more, once: a needed action is not permitted.
    std::function<void(base::Error)> failed;
    /// For the timeline: something has become of an interface or an attempt.
    std::function<void(const timeline::InterfaceRecord&)> interface_progress;
    /// The record, and what has just happened to it.
    std::function<void(const timeline::AttemptRecord&, const servers::Progress&)> attempt_progress;
    /// For whoever watches: an address can be used; no attempt is under way before a moment; a server announces a text.
    std::function<void(const network::InterfaceAddress&)> address_usable;
    std::function<void(base::Time until)> idle;
    std::function<void(const std::string& text)> echo;
};

class Unlocker {
public:
    /// Starts at once. All references must outlive the unlocker. `credentials`: who this machine is. Errors: those of
    /// its rooms' starts.
    [[nodiscard]] static base::Result<std::unique_ptr<Unlocker>> start(base::Loop& loop, const base::Log& log,
                                                                       const options::Options& options,
                                                                       changes::RequestSender ask,
                                                                       const servers::TlsCredentials& credentials,
                                                                       discovery::Browsing browsing, Listener listener);
    ~Unlocker();
    Unlocker(const Unlocker&) = delete;
    Unlocker& operator=(const Unlocker&) = delete;

    /// The password is found: all attempts end, and nothing more is done.
    void accepted();
    /// The answer of that attempt is not the password, because of `why`: its server is tried again later.
    void rejected(servers::AttemptId attempt, const std::string& why);
    /// Ends an attempt that is under way, because of `why`: its server is tried again later.
    void drop(servers::AttemptId attempt, const std::string& why);
    /// Asks for servers and tries all of them again, now.
    void try_now();
    /// Says in the log, whatever its level, what is known of interfaces and servers.
    void log_status() const;

private:
    Unlocker(base::Loop& loop, const base::Log& log, const options::Options& options, changes::RequestSender ask,
             Listener listener);
    [[nodiscard]] base::Result<void> open_rooms(const servers::TlsCredentials& credentials,
                                                discovery::Browsing browsing);

    void on_address_usable(const network::InterfaceAddress& address);
    void on_interface_gone(std::uint32_t interface, bool removed);
    void on_found(const discovery::Service& service);
    void echo(const discovery::Service& service);
    void add_routes_to(const std::vector<base::Endpoint>& endpoints, std::function<void()> then);
    void update_service(const discovery::Service& service);
    void update_configured_servers();
    void update_configured(const options::ServerAddress& server);
    [[nodiscard]] bool may_be_on_link(const base::Endpoint& endpoint) const;
    void remove_routes_to_configured(const network::InterfaceAddress& address);
    void on_progress(const servers::Progress& news);
    void on_answer(servers::AttemptId attempt, const servers::Origin& origin, std::vector<std::byte> answer);
    void fail(base::Error error);

    base::Loop& loop_;
    const base::Log& log_;
    const options::Options& options_;
    changes::RequestSender ask_;
    Listener listener_;
    network::InterfaceChoice choice_;
    std::vector<options::ServerAddress> configured_;  // --connect or --server
    bool over_ = false;                               // the password is found, or a failure was told

    std::map<servers::AttemptId, timeline::AttemptRecord> attempts_;  // under way
    std::unique_ptr<servers::Servers> servers_;
    std::unique_ptr<discovery::Discovery> discovery_;  // none with --connect
    std::unique_ptr<Interfaces> interfaces_;
    std::set<std::string> echoed_;
    std::set<std::pair<base::IpAddress, std::uint32_t>> routed_;  // host routes asked for
    // Replies may come after this object is gone; its callbacks look here first.
    std::shared_ptr<Unlocker*> self_ = std::make_shared<Unlocker*>(this);
};

}  // namespace bootkey::unlock
