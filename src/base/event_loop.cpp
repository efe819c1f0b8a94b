// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/event_loop.hpp"

#include <event2/event.h>

#include <csignal>
#include <ctime>
#include <utility>

namespace bootkey::base {
namespace {

struct EventDeleter {
    void operator()(event* registration) const noexcept { event_free(registration); }
};
using EventHandle = std::unique_ptr<event, EventDeleter>;

// A callback that may destroy its own registration: whoever dispatches holds a share of it until it has returned.
template <typename... Arguments>
using Callback = std::shared_ptr<std::function<void(Arguments...)>>;

timeval to_timeval(Duration duration) {
    const auto microseconds = std::chrono::ceil<std::chrono::microseconds>(duration).count();
    if (microseconds <= 0) return {0, 0};
    return {static_cast<time_t>(microseconds / 1'000'000), static_cast<suseconds_t>(microseconds % 1'000'000)};
}

class EventWatch final : public Watch {
public:
    EventWatch(event_base* base, int fd, Readiness interest, std::function<void(Readiness)> callback)
        : base_(base), fd_(fd), callback_(std::make_shared<std::function<void(Readiness)>>(std::move(callback))) {
        update(interest);
    }

    void update(Readiness interest) override {
        const short kinds = static_cast<short>((interest.readable ? EV_READ : 0) | (interest.writable ? EV_WRITE : 0));
        if (kinds == kinds_) return;
        event_.reset();
        kinds_ = kinds;
        if (kinds == 0) return;
        event_.reset(event_new(base_, fd_, static_cast<short>(kinds | EV_PERSIST), &EventWatch::dispatch, this));
        if (event_) event_add(event_.get(), nullptr);
    }

private:
    static void dispatch(evutil_socket_t, short what, void* self) noexcept {
        const Callback<Readiness> callback = static_cast<EventWatch*>(self)->callback_;
        (*callback)({(what & EV_READ) != 0, (what & EV_WRITE) != 0});
    }

    event_base* base_;
    int fd_;
    short kinds_ = 0;
    Callback<Readiness> callback_;
    EventHandle event_;
};

class EventTimer final : public Timer {
public:
    EventTimer(event_base* base, std::function<void()> callback)
        : callback_(std::make_shared<std::function<void()>>(std::move(callback))),
          event_(event_new(base, -1, 0, &EventTimer::dispatch, this)) {}

    void arm(Duration after) override {
        const timeval delay = to_timeval(after);
        if (event_) event_add(event_.get(), &delay);
    }
    void disarm() override {
        if (event_) event_del(event_.get());
    }

private:
    static void dispatch(evutil_socket_t, short, void* self) noexcept {
        const Callback<> callback = static_cast<EventTimer*>(self)->callback_;
        (*callback)();
    }

    Callback<> callback_;
    EventHandle event_;
};

class EventSignal final : public SignalWatch {
public:
    EventSignal(event_base* base, int number, std::function<void()> callback)
        : callback_(std::make_shared<std::function<void()>>(std::move(callback))),
          event_(event_new(base, number, EV_SIGNAL | EV_PERSIST, &EventSignal::dispatch, this)) {
        if (event_) event_add(event_.get(), nullptr);
    }

private:
    static void dispatch(evutil_socket_t, short, void* self) noexcept {
        const Callback<> callback = static_cast<EventSignal*>(self)->callback_;
        (*callback)();
    }

    Callback<> callback_;
    EventHandle event_;
};

}  // namespace

void EventLoop::BaseDeleter::operator()(event_base* base) const noexcept {
    event_base_free(base);
}

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
    event_config* config = event_config_new();
    // Without it libevent reads the coarse monotonic clock, whose ticks are 4 ms apart.
    if (config != nullptr) event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    event_base* base = config != nullptr ? event_base_new_with_config(config) : nullptr;
    if (config != nullptr) event_config_free(config);
    if (base == nullptr)
        return Error{ExitCode::unavailable, "cannot start the event loop", "libevent finds no way to wait for events",
                     "check that the kernel has epoll"};
    return std::unique_ptr<EventLoop>(new EventLoop(base));
}

EventLoop::EventLoop(event_base* base) : base_(base) {}
EventLoop::~EventLoop() = default;

Time EventLoop::now() const {
    return Clock::now();
}

std::unique_ptr<Watch> EventLoop::watch(int fd, Readiness interest, std::function<void(Readiness)> callback) {
    return std::make_unique<EventWatch>(base_.get(), fd, interest, std::move(callback));
}

std::unique_ptr<Timer> EventLoop::timer(std::function<void()> callback) {
    return std::make_unique<EventTimer>(base_.get(), std::move(callback));
}

std::unique_ptr<SignalWatch> EventLoop::signal(int signal_number, std::function<void()> callback) {
    return std::make_unique<EventSignal>(base_.get(), signal_number, std::move(callback));
}

void EventLoop::run() {
    event_base_loop(base_.get(), EVLOOP_NO_EXIT_ON_EMPTY);
}

void EventLoop::stop() {
    event_base_loopbreak(base_.get());
}

}  // namespace bootkey::base
