// SPDX-License-Identifier: GPL-3.0-or-later
//
// A Loop whose time and readiness the test sets by hand: nothing happens but by advance() and make_ready(),
// so a test of an hour takes no time and always goes the same way. Each Watch or Timer owns its registration;
// the loop only remembers it weakly, so either may go first, also from inside a callback.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bootkey/base/loop.hpp"

namespace bootkey::fakes {

class FakeLoop final : public base::Loop {
public:
    [[nodiscard]] base::Time now() const override { return state_->now; }

    [[nodiscard]] std::unique_ptr<base::Watch> watch(int fd, base::Readiness interest,
                                                     std::function<void(base::Readiness)> callback) override {
        auto entry = std::make_shared<WatchEntry>(WatchEntry{fd, interest, std::move(callback)});
        remember(watches_, entry);
        return std::make_unique<FakeWatch>(std::move(entry));
    }

    [[nodiscard]] std::unique_ptr<base::Timer> timer(std::function<void()> callback) override {
        auto entry = std::make_shared<TimerEntry>(TimerEntry{std::nullopt, 0, std::move(callback)});
        remember(timers_, entry);
        return std::make_unique<FakeTimer>(state_, std::move(entry));
    }

    /// Lets `duration` pass. Timers that come due are called in order of their deadlines (of equal ones, the
    /// one armed first), each with now() at its deadline; also those that are armed meanwhile.
    void advance(base::Duration duration) { run_until(state_->now + duration); }

    /// Lets time pass until the next timer and calls it. Returns whether there was one.
    bool run_next_timer() {
        const auto next = next_timer();
        if (next) run_until(state_->now + *next, 1);
        return next.has_value();
    }

    /// Calls back the watches on `fd` that want any of `readiness` (with what they want of it), as one turn
    /// of the real loop would. Returns how many were called.
    std::size_t make_ready(int fd, base::Readiness readiness) {
        std::size_t called = 0;
        const auto present = watches_;  // callbacks may add watches, which have their turn next time
        for (const auto& weak : present) {
            const auto entry = weak.lock();
            if (!entry || entry->fd != fd) continue;
            const base::Readiness wanted{entry->interest.readable && readiness.readable,
                                         entry->interest.writable && readiness.writable};
            if (wanted == base::Readiness{}) continue;
            ++called;
            entry->callback(wanted);
        }
        return called;
    }

    /// What is watched for on `fd`, by all watches together; nothing if there is none.
    [[nodiscard]] base::Readiness interest(int fd) const {
        base::Readiness all;
        for (const auto& weak : watches_) {
            const auto entry = weak.lock();
            if (!entry || entry->fd != fd) continue;
            all.readable = all.readable || entry->interest.readable;
            all.writable = all.writable || entry->interest.writable;
        }
        return all;
    }

    /// How long from now until the next timer comes due; nothing if none is armed.
    [[nodiscard]] std::optional<base::Duration> next_timer() const {
        const auto entry = earliest();
        if (!entry) return std::nullopt;
        return std::max(*entry->deadline - state_->now, base::Duration::zero());
    }

    /// How many watches exist, paused ones included.
    [[nodiscard]] std::size_t watch_count() const { return alive(watches_); }
    /// How many timers exist, armed or not.
    [[nodiscard]] std::size_t timer_count() const { return alive(timers_); }

private:
    struct State {
        base::Time now{std::chrono::hours(1000)};  // far from the clock's zero, so that the past can be spoken of
        std::uint64_t armed = 0;                   // counts arm() calls
    };
    struct WatchEntry {
        int fd;
        base::Readiness interest;
        std::function<void(base::Readiness)> callback;
    };
    struct TimerEntry {
        std::optional<base::Time> deadline;
        std::uint64_t order;
        std::function<void()> callback;
    };

    class FakeWatch final : public base::Watch {
    public:
        explicit FakeWatch(std::shared_ptr<WatchEntry> entry) : entry_(std::move(entry)) {}
        void update(base::Readiness interest) override { entry_->interest = interest; }

    private:
        std::shared_ptr<WatchEntry> entry_;
    };

    class FakeTimer final : public base::Timer {
    public:
        FakeTimer(std::shared_ptr<State> state, std::shared_ptr<TimerEntry> entry)
            : state_(std::move(state)), entry_(std::move(entry)) {}
        void arm(base::Duration after) override {
            entry_->deadline = state_->now + std::max(after, base::Duration::zero());
            entry_->order = ++state_->armed;
        }
        void disarm() override { entry_->deadline.reset(); }

    private:
        std::shared_ptr<State> state_;
        std::shared_ptr<TimerEntry> entry_;
    };

    template <typename Entry>
    static void remember(std::vector<std::weak_ptr<Entry>>& entries, const std::shared_ptr<Entry>& entry) {
        std::erase_if(entries, [](const auto& weak) { return weak.expired(); });
        entries.push_back(entry);
    }

    template <typename Entry>
    static std::size_t alive(const std::vector<std::weak_ptr<Entry>>& entries) {
        return static_cast<std::size_t>(
            std::count_if(entries.begin(), entries.end(), [](const auto& weak) { return !weak.expired(); }));
    }

    std::shared_ptr<TimerEntry> earliest() const {
        std::shared_ptr<TimerEntry> first;
        for (const auto& weak : timers_) {
            const auto entry = weak.lock();
            if (!entry || !entry->deadline) continue;
            if (!first || std::pair(*entry->deadline, entry->order) < std::pair(*first->deadline, first->order))
                first = entry;
        }
        return first;
    }

    // Calls the timers due up to `target`, at most `most` of them. Without `most`, a timer that arms itself
    // with no delay for ever is a defect of the tested code, and found.
    void run_until(base::Time target, std::optional<int> most = std::nullopt) {
        constexpr int too_many = 100'000;
        for (int called = 0; !most || called < *most; ++called) {
            const auto entry = earliest();
            if (!entry || *entry->deadline > target) break;
            if (called == too_many) throw std::logic_error("a timer is armed again and again without end");
            state_->now = std::max(state_->now, *entry->deadline);
            entry->deadline.reset();
            entry->callback();  // may destroy its timer; `entry` holds the callback until it has returned
        }
        state_->now = std::max(state_->now, target);
    }

    std::shared_ptr<State> state_ = std::make_shared<State>();
    std::vector<std::weak_ptr<WatchEntry>> watches_;
    std::vector<std::weak_ptr<TimerEntry>> timers_;
};

}  // namespace bootkey::fakes
