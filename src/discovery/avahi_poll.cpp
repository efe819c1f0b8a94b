// SPDX-License-Identifier: GPL-3.0-or-later
//
// AvahiPoll's functions (avahi-common/watch.h). The types AvahiWatch and AvahiTimeout are ours to define.
#include "bootkey/discovery/avahi_poll.hpp"

#include <avahi-common/watch.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>

using bootkey::base::Readiness;
using bootkey::discovery::AvahiPollAdapter;

struct AvahiWatch {
    const AvahiPollAdapter* adapter;
    int fd;
    bool from_network;
    AvahiWatchEvent happened;
    AvahiWatchCallback callback;
    void* userdata;
    std::unique_ptr<bootkey::base::Watch> registration;
};

struct AvahiTimeout {
    AvahiTimeoutCallback callback;
    void* userdata;
    std::unique_ptr<bootkey::base::Timer> timer;
};

namespace bootkey::discovery {
namespace {

const AvahiPollAdapter& adapter_of(const AvahiPoll* api) {
    return *static_cast<const AvahiPollAdapter*>(api->userdata);
}

Readiness to_readiness(AvahiWatchEvent events) {
    return {.readable = (events & AVAHI_WATCH_IN) != 0, .writable = (events & AVAHI_WATCH_OUT) != 0};
}

AvahiWatchEvent to_events(Readiness readiness) {
    return static_cast<AvahiWatchEvent>((readiness.readable ? AVAHI_WATCH_IN : 0) |
                                        (readiness.writable ? AVAHI_WATCH_OUT : 0));
}

bool is_network_socket(int fd) {
    int domain = 0;
    socklen_t size = sizeof domain;
    return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && (domain == AF_INET || domain == AF_INET6);
}

/// Takes the first datagram off the socket if it is not admitted. Returns whether Avahi may go on.
bool admit_next(const AvahiWatch& watch) {
    std::array<std::byte, largest_mdns_message> datagram;
    Arrival arrival;
    const ssize_t size = receive_datagram(watch.fd, datagram, MSG_PEEK | MSG_DONTWAIT, arrival);
    if (size < 0) return true;  // an error on the socket is Avahi's to take
    if (!arrival.truncated && watch.adapter->admission()({datagram.data(), static_cast<std::size_t>(size)}, arrival))
        return true;
    static_cast<void>(::recv(watch.fd, datagram.data(), 0, MSG_DONTWAIT));
    return false;
}

void dispatch(AvahiWatch* watch, Readiness readiness) {
    if (readiness.readable && watch->from_network && watch->adapter->admission() && !admit_next(*watch)) return;
    watch->happened = to_events(readiness);
    watch->callback(watch, watch->fd, watch->happened, watch->userdata);
    // The watch may be gone now.
}

AvahiWatch* watch_new(const AvahiPoll* api, int fd, AvahiWatchEvent events, AvahiWatchCallback callback,
                      void* userdata) noexcept {
    const AvahiPollAdapter& adapter = adapter_of(api);
    auto watch = std::make_unique<AvahiWatch>(
        AvahiWatch{&adapter, fd, is_network_socket(fd), static_cast<AvahiWatchEvent>(0), callback, userdata, {}});
    watch->registration = adapter.loop().watch(
        fd, to_readiness(events), [self = watch.get()](Readiness readiness) { dispatch(self, readiness); });
    return watch.release();  // Avahi's, until watch_free
}

void watch_update(AvahiWatch* watch, AvahiWatchEvent events) noexcept {
    watch->registration->update(to_readiness(events));
}

AvahiWatchEvent watch_get_events(AvahiWatch* watch) noexcept {
    return watch->happened;
}

void watch_free(AvahiWatch* watch) noexcept {
    const std::unique_ptr<AvahiWatch> owner(watch);
}

void timeout_update(AvahiTimeout* timeout, const timeval* when) noexcept {
    if (when == nullptr) {
        timeout->timer->disarm();
        return;
    }
    timeval now{};
    ::gettimeofday(&now, nullptr);
    // Avahi counts in wall clock time, our timers do not. A day at most: `when` may be nonsense after a jump of the
    // clock.
    constexpr time_t longest = 24 * 60 * 60;
    const std::chrono::seconds seconds(std::clamp(when->tv_sec, now.tv_sec - longest, now.tv_sec + longest) -
                                       now.tv_sec);
    const std::chrono::microseconds fraction(when->tv_usec - now.tv_usec);
    timeout->timer->arm(std::max<base::Duration>(base::Duration::zero(), seconds + fraction));
}

AvahiTimeout* timeout_new(const AvahiPoll* api, const timeval* when, AvahiTimeoutCallback callback,
                          void* userdata) noexcept {
    auto timeout = std::make_unique<AvahiTimeout>(AvahiTimeout{callback, userdata, {}});
    timeout->timer = adapter_of(api).loop().timer([self = timeout.get()] { self->callback(self, self->userdata); });
    timeout_update(timeout.get(), when);
    return timeout.release();  // Avahi's, until timeout_free
}

void timeout_free(AvahiTimeout* timeout) noexcept {
    const std::unique_ptr<AvahiTimeout> owner(timeout);
}

}  // namespace

AvahiPollAdapter::AvahiPollAdapter(base::Loop& loop, Admission admission)
    : loop_(loop), admission_(std::move(admission)), api_(std::make_unique<AvahiPoll>()) {
    api_->userdata = this;
    api_->watch_new = watch_new;
    api_->watch_update = watch_update;
    api_->watch_get_events = watch_get_events;
    api_->watch_free = watch_free;
    api_->timeout_new = timeout_new;
    api_->timeout_update = timeout_update;
    api_->timeout_free = timeout_free;
}

AvahiPollAdapter::~AvahiPollAdapter() = default;

}  // namespace bootkey::discovery
