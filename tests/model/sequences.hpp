// SPDX-License-Identifier: GPL-3.0-or-later
//
// Checks by random sequences of events. A World takes one event after the other and throws as soon as a rule is broken;
// the sequence that broke it is shrunk to the events that matter and printed as lines to be read.
//
// The sequences are the same in each run, unless the environment says otherwise:
//     BOOTKEY_SEQUENCES=N   this many instead of the usual number
//     BOOTKEY_SEED=S        the first one's seed; the others follow. A failure prints the seed that repeats it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <random>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "catch.hpp"

namespace bootkey::model {

/// A rule does not hold; what() says which, and for what.
struct Broken : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline void require(bool holds, const std::string& otherwise) {
    if (!holds) throw Broken(otherwise);
}

/// Chance that can be repeated: the same seed gives the same on every machine.
class Chance {
public:
    explicit Chance(std::uint64_t seed) : engine_(seed) {}
    /// 0 … end - 1; `end` is at least 1.
    [[nodiscard]] unsigned below(std::size_t end) { return static_cast<unsigned>(engine_() % end); }
    [[nodiscard]] bool one_in(unsigned times) { return below(times) == 0; }
    template <typename Items>
    [[nodiscard]] const auto& one_of(const Items& items) {
        return *std::next(std::begin(items), below(std::size(items)));
    }

private:
    std::mt19937_64 engine_;
};

/// How many sequences, and how long each is at most.
struct Amount {
    std::size_t sequences;
    std::size_t events;
};

inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// What `make()` returns takes sequences of `Event`s; see check_sequences().
template <typename Make>
class Sequences {
public:
    using World = std::invoke_result_t<Make>;
    using Event = typename World::Event;
    using Events = std::vector<Event>;

    explicit Sequences(const Make& make) : make_(make) {}

    /// The rule that the sequence breaks; empty if none.
    [[nodiscard]] std::string broken_by(const Events& events) const {
        return rule_broken([&](World& world) {
            for (const Event& event : events) world.apply(event);
        });
    }
    /// The same for a sequence by chance; `events` are those that were needed.
    [[nodiscard]] std::string broken_by(Chance& chance, std::size_t most, Events& events) const {
        return rule_broken([&](World& world) {
            while (events.size() < most) {
                events.push_back(world.next(chance));
                world.apply(events.back());
            }
        });
    }
    /// Leaves out whatever is not needed to break a rule: halves first, then quarters and so on, down to single events
    /// for as long as that helps ("delta debugging", Zeller and Hildebrandt 2002).
    [[nodiscard]] Events shrunk(Events events) const {
        std::size_t size = (events.size() + 1) / 2;
        for (bool helped = false; size > 0; size = helped && size == 1 ? 1 : size / 2) {
            helped = false;
            for (std::size_t first = 0; first < events.size();) {
                Events fewer(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(first));
                for (std::size_t i = first + size; i < events.size(); ++i) fewer.push_back(events[i]);
                const bool enough = !broken_by(fewer).empty();
                if (enough) events = std::move(fewer);
                if (!enough) first += size;
                helped = helped || enough;
            }
        }
        return events;
    }

private:
    template <typename Run>
    std::string rule_broken(Run run) const {
        World world = make_();
        try {
            run(world);
            world.finish();
        } catch (const std::exception& broken) {
            return broken.what();
        }
        return {};
    }
    const Make& make_;
};

/// Lets chance lead worlds fresh from `make()`, and fails with the shortest sequence it can find if a rule is broken.
/// A World has:
///     Event                         plain data that is not empty of meaning when events before it are left out
///     Event next(Chance&) const     something that may happen now
///     void apply(const Event&)      lets it happen, or nothing if it makes no sense now; throws if a rule is broken
///     void finish()                 what is to hold at the end of every sequence; throws too
///     static text(const Event&)     the event as a line
template <typename Make>
void check_sequences(const Make& make, Amount amount) {
    const Sequences<Make> sequences(make);
    const std::uint64_t first = number_from_environment("BOOTKEY_SEED", 1);
    const std::uint64_t count = number_from_environment("BOOTKEY_SEQUENCES", amount.sequences);
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        CAPTURE(seed);  // should a sequence end the whole program
        Chance chance(seed);
        typename Sequences<Make>::Events events;
        if (sequences.broken_by(chance, amount.events, events).empty()) continue;
        const auto needed = sequences.shrunk(events);
        std::string report = "BOOTKEY_SEED=" + std::to_string(seed) + " breaks a rule; of its " +
                             std::to_string(events.size()) + " events these suffice:\n";
        for (const auto& event : needed) report += "    " + Sequences<Make>::World::text(event) + '\n';
        FAIL(report << "then: " << sequences.broken_by(needed));
    }
}

}  // namespace bootkey::model
