// SPDX-License-Identifier: GPL-3.0-or-later
//
// The scheduler against its rules (race_rules.hpp): servers come, move and go, attempts get further or fail, time
// passes, in any order. Whatever happened, a good server that turns up at the end is tried soon, though all others are
// mute.

#include <algorithm>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "bootkey/base/text.hpp"
#include "catch.hpp"
#include "model/sequences.hpp"
#include "race_events.hpp"
#include "race_rules.hpp"

using namespace std::chrono_literals;
using namespace bootkey;
using namespace bootkey::servers;
using namespace bootkey::servers::model;
using bootkey::model::Amount;
using bootkey::model::Broken;
using bootkey::model::Chance;
using bootkey::model::check_sequences;

namespace {

constexpr base::Duration retry = 10s;
constexpr base::Duration flight_limit = 10s;  // for connecting, and for the handshake: AttemptLimits
constexpr base::Duration answer_limit = 30s;
constexpr unsigned most_configured = 3;
constexpr unsigned interfaces = 3;

/// How much there is of what.
struct Scale {
    RaceLimits limits;
    unsigned servers;
    unsigned hosts;
    unsigned waves;            ///< in which connections come to wait for answers, at most
    base::Duration last_look;  ///< in which every endpoint has its turn in the end; 0 to leave that out
};

base::Endpoint at(unsigned number, std::uint32_t interface) {
    in_addr address{};
    address.s_addr = htonl((number % 5 == 4 ? 0xa9fe0000u : 0x0a000000u) + number);  // every fifth is link-local
    return {base::IpAddress::v4(address), 4711, interface};
}

class RaceWorld {
public:
    using Event = bootkey::servers::model::Event;

    RaceWorld(const Scale& scale, RaceRules::Met& met)
        : scale_(scale),
          race_(
              retry, [this] { return std::generate_canonical<double, 32>(random_); }, scale.limits),
          rules_(retry, scale.limits, met) {}
    RaceWorld(const RaceWorld&) = delete;

    Event next(Chance& chance) const;
    void apply(const Event& event) {
        if (undecided_)
            now_ += 1ms;
        else
            pass(1ms);
        undecided_ = true;
        std::visit([this](const auto& what) { happen(what); }, event.what);
        if (!event.together && undecided_) decide();
    }
    void finish();
    static std::string text(const Event& event) { return event.text(); }

private:
    void happen(const Seen& seen) {
        race_.update(seen.server, seen.host, seen.source, seen.endpoints, now_);
        rules_.update(seen.server, seen.host, seen.source, seen.endpoints, remembered(), now_);
    }
    void happen(const Crowd& crowd) {
        for (unsigned i = crowd.first; i < crowd.first + crowd.count; ++i)
            happen(Seen{name_of(i), base::format("h%u", i % crowd.hosts), "0", {at(8 * i, 1)}});
    }
    void happen(const Lost& lost) {
        race_.lost(lost.server, lost.source);
        rules_.lost(lost.server, lost.source);
    }
    void happen(const InterfaceGone& gone) {
        race_.interface_gone(gone.interface);
        rules_.interface_gone(gone.interface);
    }
    void happen(const Reachable& reachable) {
        race_.reachable(reachable.interface);
        rules_.reachable(reachable.interface, now_);
    }
    void happen(const TryNow&) {
        race_.try_now();
        rules_.try_now(now_);
    }
    void happen(const Pass& time) {
        decide();
        pass(time.time);
    }
    void happen(const GetsFurther& further) {
        if (const auto id = attempt(further.server, further.at)) get_further(*id);
    }
    void happen(const AllWait&);
    void happen(const Fails& fails) {
        if (const auto id = attempt(fails.server, fails.at)) fail(*id, fails.blame);
    }
    void happen(const Rejected& rejected) {
        const auto id = rules_.judged(rejected.server);
        if (!id) return;
        race_.rejected(*id, "the answer is wrong", now_);
        rules_.rejected(*id);
    }

    void get_further(AttemptId id);
    void fail(AttemptId id, Blame blame) {
        race_.failed(id, blame, "it failed", now_);
        rules_.failed(id, blame);
    }
    void pass(base::Duration time);
    void decide() {
        undecided_ = false;
        const auto actions = race_.decide(now_);
        rules_.decided(actions, race_.deadline(), now_);
        if (!race_.decide(now_).empty()) throw Broken("the race decides otherwise when asked again");
    }

    [[nodiscard]] std::set<std::string> remembered() const;
    [[nodiscard]] std::optional<AttemptId> attempt(const std::string& server, const base::Endpoint& endpoint) const;
    [[nodiscard]] static base::Time end_of(const RaceRules::Attempt& attempt);

    // Something of one kind, by chance.
    Event some_sighting(Chance& chance) const;
    Event some_configuration(Chance& chance) const;
    Event some_crowd(Chance& chance) const;
    Event some_loss(Chance& chance) const;
    Event some_change_of_interfaces(Chance& chance) const;
    Event some_time(Chance& chance) const;
    Event some_progress(Chance& chance) const;
    Event some_failure(Chance& chance) const;
    Event some_wave(Chance& chance) const { return {AllWait{1 + chance.below(scale_.waves)}}; }
    Event some_rejection(Chance& chance) const;
    static std::vector<base::Endpoint> some_endpoints(Chance& chance, unsigned server);

    const Scale& scale_;
    std::minstd_rand random_{1};
    Race race_;
    RaceRules rules_;
    base::Time now_{1000h};
    bool undecided_ = false;  // something has happened since the race decided
};

std::set<std::string> RaceWorld::remembered() const {
    std::set<std::string> names;
    for (const std::string& line : race_.status(now_)) names.insert(line.substr(0, line.find(": ")));
    return names;
}

std::optional<AttemptId> RaceWorld::attempt(const std::string& server, const base::Endpoint& endpoint) const {
    for (const auto& [id, one] : rules_.running())
        if (one.server == server && one.at == endpoint) return id;
    return std::nullopt;
}

// Until when the owner of a connection lets it be silent: for ever while an answer is awaited.
base::Time RaceWorld::end_of(const RaceRules::Attempt& attempt) {
    if (attempt.phase == Phase::waiting) return base::Time::max();
    return attempt.since + (attempt.phase == Phase::receiving ? answer_limit : flight_limit);
}

// The owner decides again at each deadline, and whenever an attempt has ended; else nobody asks the race.
void RaceWorld::pass(base::Duration time) {
    const base::Time until = now_ + time;
    for (;;) {
        base::Time next = race_.deadline().value_or(base::Time::max());
        for (const auto& [id, one] : rules_.running()) next = std::min(next, end_of(one));
        if (next > until) break;
        now_ = std::max(now_, next);
        const auto running = rules_.running();
        for (const auto& [id, one] : running)
            if (end_of(one) <= now_) fail(id, Blame::endpoint);
        decide();
    }
    now_ = until;
}

void RaceWorld::get_further(AttemptId id) {
    const Phase before = rules_.running().at(id).phase;
    if (before == Phase::receiving) {
        race_.answered(id);
        rules_.answered(id);
        return;
    }
    const Phase after = static_cast<Phase>(static_cast<int>(before) + 1);
    race_.reached(id, after, now_);
    rules_.reached(id, after, now_);
}

void RaceWorld::happen(const AllWait& all) {
    for (unsigned i = 0; i < all.times; ++i) {
        const auto running = rules_.running();
        for (const auto& [id, one] : running) {
            now_ += 1ms;
            while (rules_.running().contains(id) && rules_.running().at(id).in_flight()) get_further(id);
        }
        decide();
    }
}

// A new server is tried at once if there is room, else when those before it have had their time: at worst the attempts
// that run may take the longest, and then all others that are known come first.
void RaceWorld::finish() {
    decide();
    const RaceLimits& limits = scale_.limits;
    const auto rounds = static_cast<int>(limits.servers / limits.in_flight + 1);
    const base::Duration bound = limits.most_patience + rounds * limits.patience;
    const base::Time announced = now_;
    apply({Seen{"the good one", "good.local", "0", {at(100'000, 1)}}});
    while (!rules_.is_tried("the good one")) {
        if (now_ - announced > bound) throw Broken("a good server has not been tried for long");
        pass(10ms);
    }
    pass(limits.patience - 10ms);
    if (!rules_.is_tried("the good one")) throw Broken("a good server has been given up too early");
    if (scale_.last_look == 0s) return;
    const base::Time then = now_;
    pass(scale_.last_look);
    rules_.check_all_tried_since(then);
}

// --- Events by chance -----------------------------------------------------------------------------------------------

Event RaceWorld::next(Chance& chance) const {
    struct Kind {
        unsigned weight;  // of 100
        Event (RaceWorld::*make)(Chance&) const;
    };
    static constexpr Kind kinds[] = {
        {20, &RaceWorld::some_sighting},
        {2, &RaceWorld::some_configuration},
        {2, &RaceWorld::some_crowd},
        {6, &RaceWorld::some_loss},
        {6, &RaceWorld::some_change_of_interfaces},
        {20, &RaceWorld::some_time},
        {28, &RaceWorld::some_progress},
        {10, &RaceWorld::some_failure},
        {1, &RaceWorld::some_wave},
        {5, &RaceWorld::some_rejection},
    };
    const Kind* kind = kinds;
    for (unsigned left = chance.below(100); left >= kind->weight; ++kind) left -= kind->weight;
    Event event = (this->*kind->make)(chance);
    event.together = chance.one_in(10);
    return event;
}

// Some servers are only ever seen at as many endpoints as are remembered, the others at more.
std::vector<base::Endpoint> RaceWorld::some_endpoints(Chance& chance, unsigned server) {
    std::vector<base::Endpoint> result;
    const bool few = server < most_configured || server % 2 == 0;
    for (unsigned count = chance.below(few ? 4 : 7); count > 0; --count)
        result.push_back(at(server * 8 + chance.below(few ? 2 : 8), 1 + chance.below(few ? 2 : interfaces)));
    return result;
}

Event RaceWorld::some_sighting(Chance& chance) const {
    const unsigned server = chance.below(scale_.servers);
    const unsigned host = chance.one_in(10) ? chance.below(scale_.hosts) : server % scale_.hosts;
    return {Seen{name_of(server), base::format("h%u", host), std::to_string(chance.below(3)),
                 some_endpoints(chance, server)}};
}

// Of a server that may be announced as well.
Event RaceWorld::some_configuration(Chance& chance) const {
    const unsigned server = chance.below(most_configured);
    auto places = some_endpoints(chance, server);
    for (auto& place : places) place.interface = 0;
    return {Seen{base::format("c%u", server), "", "command line", places}};
}

Event RaceWorld::some_crowd(Chance& chance) const {
    const unsigned first = chance.below(scale_.servers);
    return {Crowd{first, 1 + chance.below(scale_.servers - first), 1 + chance.below(scale_.hosts)}};
}

Event RaceWorld::some_loss(Chance& chance) const {
    return {Lost{name_of(chance.below(scale_.servers)), std::to_string(chance.below(3))}};
}

Event RaceWorld::some_change_of_interfaces(Chance& chance) const {
    if (!chance.one_in(6)) return {Reachable{chance.below(interfaces + 1)}};
    return chance.one_in(2) ? Event{TryNow{}} : Event{InterfaceGone{1 + chance.below(interfaces)}};
}

Event RaceWorld::some_time(Chance& chance) const {
    return {Pass{std::chrono::milliseconds(chance.one_in(4) ? chance.below(12'000) : chance.below(60))}};
}

Event RaceWorld::some_progress(Chance& chance) const {
    if (rules_.running().empty()) return some_sighting(chance);
    const auto& one = chance.one_of(rules_.running()).second;
    return {GetsFurther{one.server, one.at}};
}

Event RaceWorld::some_failure(Chance& chance) const {
    if (rules_.running().empty()) return some_sighting(chance);
    const auto& one = chance.one_of(rules_.running()).second;
    return {Fails{one.server, one.at, chance.one_in(2) ? Blame::endpoint : Blame::server}};
}

Event RaceWorld::some_rejection(Chance& chance) const {
    const auto judged = rules_.judged();
    if (judged.empty()) return some_sighting(chance);
    return {Rejected{chance.one_of(judged)}};
}

void check(const Scale& scale, Amount amount, const std::vector<const char*>& expected) {
    RaceRules::Met met;
    check_sequences([&] { return RaceWorld(scale, met); }, amount);
    for (const char* what : expected) {
        CAPTURE(what);
        CHECK(met[what] > 0);  // else the rule about it was not tried
    }
}

}  // namespace

TEST_CASE("no order of events breaks a rule of the race or leaves a server untried") {
    Scale scale{.limits = {}, .servers = 20, .hosts = 4, .waves = 2, .last_look = 2min};
    scale.limits.in_flight = 6;
    scale.limits.waiting = 5;
    scale.limits.per_host = 4;
    scale.limits.servers = 12;
    scale.limits.endpoints = 4;
    check(scale, Amount{.sequences = 400, .events = 300},
          {"a server is forgotten", "too many wait", "an endpoint is tried again after a rest",
           "a second endpoint is tried", "an endpoint makes room for another of its server",
           "an attempt makes room for another", "one of many makes room for another host's first",
           "an attempt makes room for another of its host"});
}

TEST_CASE("the race keeps its rules with as many servers as it remembers") {
    const Scale scale{.limits = {}, .servers = 400, .hosts = 25, .waves = 15, .last_look = 0s};
    check(scale, Amount{.sequences = 6, .events = 120},
          {"a server is forgotten", "one of many makes room for another host's first",
           "an attempt makes room for another of its host"});
}
