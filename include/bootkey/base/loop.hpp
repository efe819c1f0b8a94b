// SPDX-License-Identifier: GPL-3.0-or-later
//
// The event loop as the program sees it: watches on descriptors and monotonic timers. Abstract, so that
// tests can run time and readiness by hand; EventLoop (event_loop.hpp) is the real one, on libevent.
// A Watch or Timer is a registration owned by who asked for it: destroying it ends it, also from inside
// its own callback. It must go before the loop does. Callbacks run from the loop only, never from inside
// the call that registers them.
#pragma once

#include <functional>
#include <memory>

#include "bootkey/base/time.hpp"

namespace bootkey::base {

/// What a descriptor is watched for, or ready for. Error and hang-up are reported as whatever is watched for;
/// what never blocks (a regular file, /dev/null) is always ready.
struct Readiness {
    bool readable = false;
    bool writable = false;
    friend bool operator==(const Readiness&, const Readiness&) = default;
};

class Watch {
public:
    virtual ~Watch() = default;
    /// Watches for something else from now on; nothing at all pauses the watch.
    virtual void update(Readiness interest) = 0;
};

class Timer {
public:
    virtual ~Timer() = default;
    /// Calls back once, `after` from now, never earlier; replaces what was set before.
    virtual void arm(Duration after) = 0;
    virtual void disarm() = 0;
};

class Loop {
public:
    virtual ~Loop() = default;
    [[nodiscard]] virtual Time now() const = 0;
    /// Calls back whenever `fd` is ready (level-triggered). The descriptor stays the caller's and must
    /// outlive the watch.
    [[nodiscard]] virtual std::unique_ptr<Watch> watch(int fd, Readiness interest,
                                                       std::function<void(Readiness)> callback) = 0;
    /// A timer that is not armed yet.
    [[nodiscard]] virtual std::unique_ptr<Timer> timer(std::function<void()> callback) = 0;
};

}  // namespace bootkey::base
