// SPDX-License-Identifier: GPL-3.0-or-later
//
// Loop on libevent (libevent_core). Owns the event base. Signals are taken by libevent's own handlers, so
// the signal mask stays empty and children start with clean dispositions.
#pragma once

#include <functional>
#include <memory>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"

struct event_base;

namespace bootkey::base {

/// A registered signal handler; the disposition from before comes back when it is destroyed.
class SignalWatch {
public:
    virtual ~SignalWatch() = default;
};

class EventLoop final : public Loop {
public:
    /// Fails (unavailable) if libevent finds no usable kernel interface.
    [[nodiscard]] static Result<std::unique_ptr<EventLoop>> create();
    ~EventLoop() override;
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    [[nodiscard]] Time now() const override;
    [[nodiscard]] std::unique_ptr<Watch> watch(int fd, Readiness interest,
                                               std::function<void(Readiness)> callback) override;
    [[nodiscard]] std::unique_ptr<Timer> timer(std::function<void()> callback) override;
    /// Calls back from the loop for each `signal_number` that arrives.
    [[nodiscard]] std::unique_ptr<SignalWatch> signal(int signal_number, std::function<void()> callback);

    /// Dispatches events until stop().
    void run();
    /// Makes run() return after the callback that is running now.
    void stop();

private:
    struct BaseDeleter {
        void operator()(event_base* base) const noexcept;
    };
    explicit EventLoop(event_base* base);
    std::unique_ptr<event_base, BaseDeleter> base_;
};

}  // namespace bootkey::base
