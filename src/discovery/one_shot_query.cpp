// SPDX-License-Identifier: GPL-3.0-or-later
//
// One Channel an interface and protocol: its socket, its schedule, and what its answers have told so far.
#include "bootkey/discovery/one_shot_query.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "bootkey/base/text.hpp"
#include "bootkey/discovery/instance_collector.hpp"
#include "bootkey/discovery/mdns_socket.hpp"

namespace bootkey::discovery {
namespace {

using namespace std::chrono_literals;

// Pauses between the questions, which so go out after 0, 1 and 3 s; the last is the wait for late answers.
constexpr std::array<base::Duration, 3> pauses = {1s, 2s, 3s};
constexpr auto shortest_pause = 100ms;
constexpr int most_follow_ups = 8;       // packets a second; bounds what a hostile responder can make us send
constexpr int most_answers_a_turn = 32;  // datagrams read before others get their turn

std::uint16_t random_id() {
    std::uint16_t id = 0;
    // Two bytes never block once the kernel's pool is ready; before that a predictable id is better than waiting.
    if (::getrandom(&id, sizeof id, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof id))
        id = static_cast<std::uint16_t>(base::Clock::now().time_since_epoch().count() / 1000);
    return id;
}

bool names_instances(const DnsAnswer& answer) {
    static const DnsName type = *DnsName::from_text(std::string(mandos_service_type));
    return std::any_of(answer.pointers.begin(), answer.pointers.end(),
                       [](const auto& pointer) { return pointer.owner == type; }) ||
           std::any_of(answer.locations.begin(), answer.locations.end(),
                       [](const auto& location) { return location.owner.label_below(type).has_value(); });
}

const char* protocol_name(int family) {
    return family == AF_INET6 ? "IPv6" : "IPv4";
}

}  // namespace

class OneShotQuery::Channel {
public:
    Channel(OneShotQuery& owner, Key key, MdnsSocket socket)
        : owner_(owner),
          key_(key),
          socket_(std::move(socket)),
          collector_(key.first, key.second),
          id_(random_id()),
          timer_(owner.loop_.timer([this] { pause_over(); })),
          watch_(
              owner.loop_.watch(socket_.fd(), {.readable = true}, [this](base::Readiness) { owner_.deliver(key_); })) {}

    /// Begins the whole schedule (anew).
    void start(const base::IpAddress& local) {
        asked_ = 0;
        ask(local);
        timer_->arm(pauses[asked_++]);
    }

    /// One question from `local`, beside the schedule.
    void ask(const base::IpAddress& local) {
        local_ = local;
        last_asked_ = owner_.loop_.now();
        collector_.new_round();
        const DnsQuestion question = collector_.first_question();
        send({&question, 1});
    }

    /// Only listens for a while.
    void listen() {
        asked_ = pauses.size();
        timer_->arm(pauses.back());
    }

    [[nodiscard]] bool asked_just_now() const { return owner_.loop_.now() - last_asked_ < shortest_pause; }

    /// Reads what has come; returns the whole instances in it.
    [[nodiscard]] std::vector<Sighting> receive() {
        std::vector<Sighting> sightings;
        std::vector<std::byte> message;
        for (int count = 0; count < most_answers_a_turn && socket_.receive(message); ++count) {
            const auto answer = parse_answer(message);
            if (!answer || answer->id != id_) continue;
            for (Sighting& sighting : collector_.add(*answer)) sightings.push_back(std::move(sighting));
        }
        ask_for_missing();
        return sightings;
    }

    /// Takes in an announcement; returns the whole instances in it.
    [[nodiscard]] std::vector<Sighting> take(const base::IpAddress& local, const DnsAnswer& announcement) {
        local_ = local;
        auto sightings = collector_.add(announcement);
        ask_for_missing();
        return sightings;
    }

private:
    void ask_for_missing() {
        if (const auto now = owner_.loop_.now(); now - follow_ups_since_ >= 1s) {
            follow_ups_since_ = now;
            follow_ups_ = 0;
        }
        if (follow_ups_ >= most_follow_ups) return;
        const auto questions = collector_.missing();
        if (questions.empty()) return;
        ++follow_ups_;
        send(questions);
    }

    void pause_over() {
        if (asked_ >= pauses.size()) {
            owner_.channels_.erase(key_);  // ends this object
            return;
        }
        ask(local_);
        timer_->arm(pauses[asked_++]);
    }

    void send(std::span<const DnsQuestion> questions) {
        const int failure = socket_.send(make_query(id_, questions), local_);
        const auto text = base::format("one-shot question on interface %u over %s: %s", key_.first,
                                       protocol_name(key_.second), failure == 0 ? "sent" : std::strerror(failure));
        if (failure == 0)
            owner_.log_.debug(text);
        else
            owner_.log_.info(4, text);
    }

    OneShotQuery& owner_;
    Key key_;
    MdnsSocket socket_;
    InstanceCollector collector_;
    std::uint16_t id_;
    base::IpAddress local_;
    base::Time last_asked_{};
    std::size_t asked_ = 0;
    base::Time follow_ups_since_{};
    int follow_ups_ = 0;
    std::unique_ptr<base::Timer> timer_;
    std::unique_ptr<base::Watch> watch_;
};

OneShotQuery::OneShotQuery(base::Loop& loop, const base::Log& log, std::function<void(const Sighting&)> heard)
    : loop_(loop), log_(log), heard_(std::move(heard)) {
}

OneShotQuery::~OneShotQuery() = default;

OneShotQuery::Channel* OneShotQuery::channel(std::uint32_t interface, const base::IpAddress& local) {
    const Key key{interface, local.family()};
    if (const auto found = channels_.find(key); found != channels_.end()) return found->second.get();
    auto socket = MdnsSocket::open(interface, local.family());
    if (!socket) {
        log_.warning(socket.error().message());
        return nullptr;
    }
    return channels_.emplace(key, std::make_unique<Channel>(*this, key, std::move(*socket))).first->second.get();
}

void OneShotQuery::ask(std::uint32_t interface, const base::IpAddress& local) {
    if (Channel* asking = channel(interface, local)) asking->start(local);
}

void OneShotQuery::ask_once_more(std::uint32_t interface, const base::IpAddress& local) {
    const auto known = channels_.find({interface, local.family()});
    if (known == channels_.end())
        ask(interface, local);
    else if (!known->second->asked_just_now())
        known->second->ask(local);
}

void OneShotQuery::take(std::uint32_t interface, const base::IpAddress& local, const DnsAnswer& announcement) {
    const bool listening = channels_.contains({interface, local.family()});
    if (!listening && !names_instances(announcement)) return;
    Channel* taking = channel(interface, local);
    if (taking == nullptr) return;
    if (!listening) taking->listen();
    tell(taking->take(local, announcement));
}

void OneShotQuery::forget(std::uint32_t interface) {
    std::erase_if(channels_, [&](const auto& entry) { return entry.first.first == interface; });
}

void OneShotQuery::deliver(Key key) {
    tell(channels_.at(key)->receive());
}

void OneShotQuery::tell(const std::vector<Sighting>& sightings) {
    // The channel is not touched any more: heard_ may forget it.
    for (const Sighting& sighting : sightings) heard_(sighting);
}

}  // namespace bootkey::discovery
