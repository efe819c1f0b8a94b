// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/discovery/clock_watch.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <limits>

namespace bootkey::discovery {

base::Result<std::unique_ptr<ClockWatch>> ClockWatch::create(base::Loop& loop, std::function<void()> jumped) {
    base::UniqueFd timer(::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!timer) return base::system_error("cannot watch the wall clock (timerfd_create)", errno);
    std::unique_ptr<ClockWatch> clock(new ClockWatch(std::move(timer), std::move(jumped)));
    if (!clock->arm()) return base::system_error("cannot watch the wall clock (timerfd_settime)", errno);
    clock->watch_ =
        loop.watch(clock->timer_.get(), {.readable = true}, [self = clock.get()](base::Readiness) { self->ready(); });
    return clock;
}

bool ClockWatch::arm() {
    itimerspec never{};
    // As late as the kernel can count to: it is the cancellation that is waited for.
    never.it_value.tv_sec = std::numeric_limits<std::int32_t>::max();
    if constexpr (sizeof(time_t) > sizeof(std::int32_t)) never.it_value.tv_sec *= 4;
    return ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr) == 0;
}

void ClockWatch::ready() {
    std::uint64_t expirations = 0;
    const ssize_t size = ::read(timer_.get(), &expirations, sizeof expirations);
    const bool cancelled = size < 0 && errno == ECANCELED;
    if (size < 0 && !cancelled) return;
    // A timer that cannot be armed again only means that the next jump goes unnoticed.
    static_cast<void>(arm());
    if (cancelled) jumped_();
}

}  // namespace bootkey::discovery
