// SPDX-License-Identifier: GPL-3.0-or-later
//
// The signals that would end the program, held back while something that must be undone is under way. Whoever destroys
// the object gets those that came meanwhile: declare it first, so that everything else is undone by then. It owns the
// signal mask of the thread while it lives.
#pragma once

#include <poll.h>
#include <sys/signalfd.h>

#include <csignal>

#include "bootkey/base/unique_fd.hpp"

namespace bootkey::base {

class HeldSignals {
public:
    /// Holds back SIGINT, SIGQUIT, SIGTERM and SIGHUP, apart from those that are ignored and stay so.
    HeldSignals() {
        sigset_t held;
        sigemptyset(&held);
        for (const int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP}) {
            struct sigaction action {};
            if (sigaction(number, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) sigaddset(&held, number);
        }
        pthread_sigmask(SIG_BLOCK, &held, &before_);
        fd_.reset(signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK));
    }
    /// Those still pending are delivered by this, and end the program unless it handles them.
    ~HeldSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    HeldSignals(const HeldSignals&) = delete;
    HeldSignals& operator=(const HeldSignals&) = delete;

    /// Readable once one has come. For polling only: reading it would take the signal away. -1 if the kernel has no
    /// descriptor left: then they are held, but not seen.
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    /// Whether one has come.
    [[nodiscard]] bool pending() const noexcept {
        pollfd wait{fd_.get(), POLLIN, 0};
        return poll(&wait, 1, 0) > 0;
    }

private:
    sigset_t before_{};
    UniqueFd fd_;
};

}  // namespace bootkey::base
