// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/worker.hpp"

#include <memory>
#include <optional>
#include <utility>

#include "bootkey/monitor/keys.hpp"
#include "bootkey/monitor/pending_requests.hpp"
#include "bootkey/openpgp/packets.hpp"
#include "bootkey/unlock/unlocker.hpp"
#include "unprivileged_process.hpp"

namespace bootkey::monitor {
namespace {

constexpr int tls_debug_level = 5;  // handshakes and records, no contents (gnutls_global_set_log_level(3) takes 0-9)

class Worker {
public:
    Worker(base::UniqueFd channel, const options::Options& options)
        : process_("bootkey-worker", std::move(channel), options,
                   [this](const base::Secret& bytes) {
                       const auto message = decode<ToWorker>(bytes.bytes());
                       if (message) std::visit([this](const auto& said) { on(said); }, *message);
                       return message.has_value();
                   }),
          options_(options),
          requests_([this](FromWorker request) { say(std::move(request)); }) {}
    // GnuTLS may still have something to say when the library is unloaded, after the log is gone.
    ~Worker() {
        if (options_.debug) servers::set_tls_debug(0, {});
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    base::Result<void> start(const openpgp::KeyFiles& keys, discovery::Browsing browsing, pid_t monitor) {
        if (options_.debug)
            servers::set_tls_debug(tls_debug_level, [this](const std::string& line) { process_.log().debug(line); });
        auto credentials = load_credentials(keys, options_, process_.log());
        if (!credentials) return std::move(credentials).error();
        credentials_.emplace(std::move(*credentials));
        auto confined = process_.confine(sandbox::Role::worker, {}, monitor);
        if (!confined) return confined;
        auto unlocker = unlock::Unlocker::start(
            process_.loop(), process_.log(), options_,
            [this](const changes::Request& request, changes::Done done) { requests_.ask(request, std::move(done)); },
            *credentials_, browsing,
            {.answer = [this](servers::AttemptId attempt, const servers::Origin& origin,
                              std::vector<std::byte> message) { on_answer(attempt, origin, std::move(message)); },
             .failed = [this](base::Error error) { say(Failed{std::move(error)}); },
             .interface_progress = [this](const timeline::InterfaceRecord& record) { mention(InterfaceNews{record}); },
             .attempt_progress =
                 [this](const timeline::AttemptRecord& record, const servers::Progress& news) {
                     mention(AttemptNews{record, news.local, news.received, news.sent});
                 },
             .address_usable =
                 [this](const network::InterfaceAddress& it) {
                     mention(AddressUsable{it.interface, it.address});
                 },
             .idle = [this](base::Time until) { mention(Idle{until}); },
             .echo = [this](const std::string& text) { mention(Echo{text}); }});
        if (!unlocker) return std::move(unlocker).error();
        unlocker_ = std::move(*unlocker);
        return {};
    }

    int run(const openpgp::KeyFiles& keys, discovery::Browsing browsing, pid_t monitor) {
        if (auto started = start(keys, browsing, monitor); !started) say(Failed{std::move(started).error()});
        return process_.run();
    }

private:
    // How many session keys there are is counted here, for the monitor does not look into what comes from the network.
    void on_answer(servers::AttemptId attempt, const servers::Origin& origin, std::vector<std::byte> message) {
        const base::Endpoint& from = origin.endpoint;
        const auto recipients = static_cast<std::uint32_t>(openpgp::count_session_keys(message));
        say(Answer{.attempt = attempt,
                   .server = origin.server,
                   .message = std::move(message),
                   .host = from.address,
                   .interface = from.address.is_link_local() ? from.interface : 0,
                   .is_configured = origin.is_configured,
                   .recipients = recipients});
    }
    void say(FromWorker message) { process_.monitor().send(message); }
    // What can be left out where the monitor is behind.
    void mention(FromWorker news) {
        if (!process_.monitor().is_behind()) say(std::move(news));
    }

    void on(const Replied& reply) { requests_.replied(reply); }
    void on(const Accepted&) {
        if (unlocker_) unlocker_->accepted();
    }
    void on(const Rejected& verdict) {
        if (unlocker_) unlocker_->rejected(verdict.attempt, verdict.why);
    }
    void on(const Drop& order) {
        if (unlocker_) unlocker_->drop(order.attempt, order.why);
    }
    void on(const SetVerb& order) { process_.set_verb(order.level); }
    void on(const TryNow&) {
        if (unlocker_) unlocker_->try_now();
    }
    void on(const LogStatus&) {
        if (unlocker_) unlocker_->log_status();
    }
    void on(const Ping&) { say(Pong{}); }

    UnprivilegedProcess<FromWorker> process_;
    const options::Options& options_;
    std::optional<servers::TlsCredentials> credentials_;
    PendingRequests requests_;
    std::unique_ptr<unlock::Unlocker> unlocker_;
};

}  // namespace

int run_worker(base::UniqueFd channel, const options::Options& options, const openpgp::KeyFiles& keys,
               discovery::Browsing browsing, pid_t monitor) {
    return Worker(std::move(channel), options).run(keys, browsing, monitor);
}

}  // namespace bootkey::monitor
