// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/event_loop.hpp"

#include <event2/event.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <new>
#include <utility>

#include "bootkey/base/unique_fd.hpp"

namespace bootkey::base {
namespace {

struct EventDeleter {
    void operator()(event* registration) const noexcept { event_free(registration); }
};
using EventHandle = std::unique_ptr<event, EventDeleter>;

// libevent reports want of memory as a null pointer; we as everywhere else.
EventHandle make_event(event_base* base, int fd, int kinds, event_callback_fn dispatch, void* self) {
    EventHandle made(event_new(base, fd, static_cast<short>(kinds), dispatch, self));
    if (!made) throw std::bad_alloc();
    return made;
}

// A callback that may destroy its own registration: whoever dispatches holds a share of it until it has returned.
template <typename... Arguments>
using Callback = std::shared_ptr<std::function<void(Arguments...)>>;

timeval to_timeval(Duration duration) {
    const auto microseconds = std::chrono::ceil<std::chrono::microseconds>(duration).count();
    if (microseconds <= 0) return {0, 0};
    // One more, because libevent cuts the current time to whole microseconds: a timer must not fire early.
    const auto later = microseconds + 1;
    return {static_cast<time_t>(later / 1'000'000), static_cast<suseconds_t>(later % 1'000'000)};
}

class EventWatch final : public Watch {
public:
    EventWatch(event_base* base, int fd, Readiness interest, std::function<void(Readiness)> callback)
        : base_(base), fd_(fd), callback_(std::make_shared<std::function<void(Readiness)>>(std::move(callback))) {
        update(interest);
    }

    void update(Readiness interest) override {
        const int kinds = (interest.readable ? EV_READ : 0) | (interest.writable ? EV_WRITE : 0);
        if (kinds == kinds_) return;
        event_.reset();
        kinds_ = kinds;
        if (kinds == 0) return;
        add();
    }

private:
    void add() {
        event_ = make_event(base_, fd_, kinds_ | EV_PERSIST, &EventWatch::dispatch, this);
        errno = 0;
        if (event_add(event_.get(), nullptr) == 0) return;
        // epoll refuses what never blocks, such as regular files and /dev/null (EPERM in epoll_ctl(2)); to poll(2) that
        // is always ready, and so it is here. Any other reason, such as want of memory, may be gone a little later.
        never_blocks_ = errno == EPERM;
        event_ = make_event(base_, -1, 0, &EventWatch::dispatch, this);
        wait();
    }

    void wait() {
        constexpr timeval at_once{0, 0};
        constexpr timeval a_little_later{0, 50'000};
        event_add(event_.get(), never_blocks_ ? &at_once : &a_little_later);
    }

    static void dispatch(evutil_socket_t, short what, void* self) noexcept {
        auto* watch = static_cast<EventWatch*>(self);
        const Callback<Readiness> callback = watch->callback_;
        int kinds = what;
        if ((what & EV_TIMEOUT) != 0) {
            if (!watch->never_blocks_) return watch->add();
            watch->wait();
            kinds = watch->kinds_;
        }
        (*callback)({(kinds & EV_READ) != 0, (kinds & EV_WRITE) != 0});
    }

    event_base* base_;
    int fd_;
    int kinds_ = 0;
    bool never_blocks_ = false;
    Callback<Readiness> callback_;
    EventHandle event_;
};

class EventTimer final : public Timer {
public:
    EventTimer(event_base* base, std::function<void()> callback)
        : callback_(std::make_shared<std::function<void()>>(std::move(callback))),
          event_(make_event(base, -1, 0, &EventTimer::dispatch, this)) {}

    void arm(Duration after) override {
        const timeval delay = to_timeval(after);
        event_add(event_.get(), &delay);
    }
    void disarm() override { event_del(event_.get()); }

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
          event_(make_event(base, number, EV_SIGNAL | EV_PERSIST, &EventSignal::dispatch, this)) {
        event_add(event_.get(), nullptr);
    }

private:
    static void dispatch(evutil_socket_t, short, void* self) noexcept {
        const Callback<> callback = static_cast<EventSignal*>(self)->callback_;
        (*callback)();
    }

    Callback<> callback_;
    EventHandle event_;
};

// Before libevent gives up the process it says why; its warnings are about what the caller handles (see EventWatch).
void report(int severity, const char* text) noexcept {
    if (severity < EVENT_LOG_ERR) return;
    dprintf(STDERR_FILENO, "bootkey: libevent: %s\n", text);
}

// libevent ends the program with status 1, which is none of ours, where it cannot go on.
void end_on_fatal_error(int) {
    _exit(static_cast<int>(ExitCode::os_error));
}

// What libevent takes at once, and would end the program for want of: for epoll, its timer and signals. Asked for by
// copies of a descriptor, which confined processes may make, too.
bool has_descriptors() {
    constexpr int enough = 6;
    std::array<UniqueFd, enough> copies;
    for (UniqueFd& copy : copies) {
        copy.reset(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
        if (!copy && errno == EMFILE) return false;
    }
    return true;
}

}  // namespace

void EventLoop::BaseDeleter::operator()(event_base* base) const noexcept {
    event_base_free(base);
}

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
    event_set_log_callback(&report);  // libevent has one for all
    event_set_fatal_callback(&end_on_fatal_error);
    if (!has_descriptors())
        return Error{ExitCode::os_error, "cannot start the event loop", "too few files may be open",
                     "raise the limit (ulimit -n) to 64 or more"};
    event_base* base = nullptr;
    if (event_config* config = event_config_new(); config != nullptr) {
        // Without PRECISE_TIMER libevent reads the coarse monotonic clock, whose ticks are 4 ms apart; without
        // NO_CACHE_TIME it counts a timer's delay from the start of the turn, and the timer fires too early after a
        // slow callback.
        event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
        event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
        event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
        base = event_base_new_with_config(config);
        event_config_free(config);
    }
    if (base == nullptr)
        return Error{ExitCode::unavailable, "cannot start the event loop", "libevent finds no way to wait for events",
                     "check that the kernel has epoll"};
    return std::unique_ptr<EventLoop>(new EventLoop(base));
}

EventLoop::EventLoop(event_base* base) : base_(base) {
}
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
