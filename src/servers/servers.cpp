// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/servers/servers.hpp"

#include <sys/random.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <variant>

#include "bootkey/base/text.hpp"
#include "bootkey/servers/attempt.hpp"
#include "bootkey/servers/race.hpp"
#include "bootkey/servers/tcp_transport.hpp"
#include "bootkey/servers/tls_session.hpp"

namespace bootkey::servers {
namespace {

using base::escaped;

// Chance for spreading retries; not for secrets. Never waits for entropy, which may be scarce early in the boot.
Random make_random(base::Time now) {
    auto seed = static_cast<std::minstd_rand::result_type>(now.time_since_epoch().count());
    [[maybe_unused]] const auto got = ::getrandom(&seed, sizeof seed, GRND_NONBLOCK);
    return [engine = std::minstd_rand(seed)]() mutable { return std::generate_canonical<double, 32>(engine); };
}

// Verbosities (see Log): failures may matter to a person, phases and decisions only to one who follows closely.
constexpr int show_failures = 2;
constexpr int show_phases = 3;

// An attempt with what it stands on.
struct Connection {
    std::string server;
    base::Endpoint endpoint;
    bool is_configured;
    TcpTransport transport;
    Attempt attempt;
    std::unique_ptr<base::Timer> timer;
    Phase told = Phase::connecting;  // the phase that was last spoken about

    Connection(base::Loop& loop, const Start& start, const TlsCredentials& credentials, const Random& random,
               const std::function<void()>& advance)
        : server(start.server),
          endpoint(start.endpoint),
          is_configured(start.is_configured),
          transport(loop, start.endpoint, advance),
          attempt(
              transport, [&credentials](Transport& below) { return make_tls_session(below, credentials); }, random),
          timer(loop.timer(advance)) {}
};

class ServersOnLoop final : public Servers {
public:
    ServersOnLoop(base::Loop& loop, const base::Log& log, const TlsCredentials& credentials, base::Duration retry,
                  Listener listener)
        : loop_(loop),
          log_(log),
          credentials_(credentials),
          listener_(std::make_shared<const Listener>(std::move(listener))),
          random_(make_random(loop.now())),
          race_(retry, random_),
          decision_(loop.timer([this] { act(); })) {}

    void update(const std::string& name, const std::string& host, const std::string& source,
                const std::vector<base::Endpoint>& endpoints) override {
        race_.update(name, host, source, endpoints, loop_.now());
        decide_soon();
    }
    void lost(const std::string& name, const std::string& source) override {
        race_.lost(name, source);
        decide_soon();
    }
    void interface_gone(std::uint32_t interface) override {
        race_.interface_gone(interface);
        decide_soon();
    }
    void reachable(std::uint32_t interface) override {
        race_.reachable(interface);
        decide_soon();
    }
    void reject(AttemptId attempt, const std::string& why) override {
        if (const auto server = race_.rejected(attempt, why, loop_.now()))
            log_.info(show_failures, "server " + escaped(*server) + ": " + why);
        decide_soon();
    }
    void drop(AttemptId attempt, const std::string& why) override {
        const auto found = connections_.find(attempt);
        if (found == connections_.end()) return;
        race_.failed(attempt, Blame::server, why, loop_.now());
        note(attempt, *found->second, Phase::failed, why, show_failures);
        connections_.erase(found);
        decide_soon();
    }
    void try_now() override {
        race_.try_now();
        decide_soon();
    }
    std::vector<std::string> status() const override { return race_.status(loop_.now()); }

private:
    // Everything begins in the loop and not inside a call of the owner, whose callbacks might surprise him there. It
    // also lets several sources tell of the same server first.
    void decide_soon() { decision_->arm(base::Duration::zero()); }

    // Does what the race has decided, and tells the listener. `this` may be gone afterwards.
    void act() {
        // Starting may change the race again (an endpoint that is unreachable at once), but each time with fewer left
        // to try.
        for (auto actions = race_.decide(loop_.now()); !actions.empty(); actions = race_.decide(loop_.now())) {
            for (const auto& action : actions) {
                if (const auto* start = std::get_if<Start>(&action))
                    begin(*start);
                else
                    cancel(std::get<Cancel>(action));
            }
        }
        const auto deadline = race_.deadline();
        if (deadline)
            decision_->arm(*deadline - loop_.now());
        else
            decision_->disarm();
        if (!connections_.empty()) idle_until_.reset();
        if (connections_.empty() && deadline && idle_until_ != deadline)
            news_.push_back(Idle{*(idle_until_ = deadline)});
        tell();
    }

    void begin(const Start& start) {
        const AttemptId id = start.attempt;
        auto connection =
            std::make_unique<Connection>(loop_, start, credentials_, random_, [this, id] { advance(id); });
        note(id, *connection, Phase::connecting, {}, show_phases);
        advance_attempt(id, *connections_.emplace(id, std::move(connection)).first->second);
    }

    void cancel(const Cancel& cancel) {
        const auto found = connections_.find(cancel.attempt);
        if (found == connections_.end()) return;
        note(cancel.attempt, *found->second, Phase::failed, cancel.why, show_phases);
        connections_.erase(found);
    }

    // The socket is ready or the attempt's deadline has come.
    void advance(AttemptId id) {
        const auto found = connections_.find(id);
        if (found == connections_.end()) return;
        advance_attempt(id, *found->second);
        act();
    }

    void advance_attempt(AttemptId id, Connection& connection) {
        Attempt& attempt = connection.attempt;
        attempt.advance(loop_.now());
        if (attempt.phase() != connection.told) report(id, connection);
        if (attempt.ended()) {
            connections_.erase(id);
        } else if (const auto deadline = attempt.deadline()) {
            connection.timer->arm(*deadline - loop_.now());
        } else {
            connection.timer->disarm();
        }
    }

    // Tells the race and the listener about the phases that the attempt has come through since the last time.
    void report(AttemptId id, Connection& connection) {
        Attempt& attempt = connection.attempt;
        for (int next = static_cast<int>(connection.told) + 1; next <= static_cast<int>(attempt.reached()); ++next) {
            connection.told = static_cast<Phase>(next);
            race_.reached(id, connection.told, loop_.now());
            note(id, connection, connection.told, {}, show_phases);
        }
        if (attempt.phase() == Phase::failed) {
            race_.failed(id, attempt.blame(), attempt.why(), loop_.now());
            note(id, connection, Phase::failed, attempt.why(), show_failures);
        } else if (attempt.phase() == Phase::answered) {
            race_.answered(id);
            note(id, connection, Phase::answered, {}, show_phases);
            news_.push_back(
                Answer{id, {connection.server, connection.endpoint, connection.is_configured}, attempt.take_answer()});
        }
    }

    void note(AttemptId id, const Connection& connection, Phase phase, const std::string& detail, int verbosity) {
        if (log_.shows(verbosity)) {
            const std::string text =
                "server " + escaped(connection.server) + " at " + connection.endpoint.text() + ": " + name(phase);
            log_.info(verbosity, detail.empty() ? text : text + ": " + detail);
        }
        const TcpTransport& transport = connection.transport;
        news_.push_back(Progress{
            .attempt = id,
            .server = connection.server,
            .endpoint = connection.endpoint,
            .phase = phase,
            .detail = detail,
            .at = loop_.now(),
            .local = phase == Phase::connecting ? base::Endpoint{} : transport.local(),
            .received = transport.received(),
            .sent = transport.sent(),
        });
    }

    // The listener may do anything in its callbacks, destroying this object included.
    void tell() {
        const std::weak_ptr<const Listener> listener = listener_;
        while (const auto alive = listener.lock()) {
            if (news_.empty()) break;
            auto news = std::move(news_.front());
            news_.pop_front();
            if (auto* answer = std::get_if<Answer>(&news))
                alive->answer(answer->attempt, answer->origin, std::move(answer->bytes));
            else if (const auto* idle = std::get_if<Idle>(&news); idle && alive->idle)
                alive->idle(idle->until);
            else if (const auto* progress = std::get_if<Progress>(&news); progress && alive->progress)
                alive->progress(*progress);
        }
    }

    struct Idle {
        base::Time until;
    };
    struct Answer {
        AttemptId attempt;
        Origin origin;
        std::vector<std::byte> bytes;
    };

    base::Loop& loop_;
    const base::Log& log_;
    const TlsCredentials& credentials_;
    std::shared_ptr<const Listener> listener_;  // lives as long as this object, and through a call that ends it
    Random random_;
    Race race_;
    std::unique_ptr<base::Timer> decision_;
    std::map<AttemptId, std::unique_ptr<Connection>> connections_;
    std::optional<base::Time> idle_until_;                   // what was told last
    std::deque<std::variant<Progress, Answer, Idle>> news_;  // not yet told
};

}  // namespace

std::unique_ptr<Servers> Servers::create(base::Loop& loop, const base::Log& log, const TlsCredentials& credentials,
                                         base::Duration retry, Listener listener) {
    return std::make_unique<ServersOnLoop>(loop, log, credentials, retry, std::move(listener));
}

}  // namespace bootkey::servers
