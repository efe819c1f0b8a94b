// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tells when the wall clock is set (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET): at boot without a battery-backed clock
// it jumps by decades, and whoever compares wall clock times is then asleep. Owns its timer descriptor.
#pragma once

#include <functional>
#include <memory>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::discovery {

class ClockWatch {
public:
    /// `jumped` is called from the loop each time the clock was set, however little; slewing does not count.
    [[nodiscard]] static base::Result<std::unique_ptr<ClockWatch>> create(base::Loop& loop,
                                                                          std::function<void()> jumped);
    ClockWatch(const ClockWatch&) = delete;
    ClockWatch& operator=(const ClockWatch&) = delete;

private:
    ClockWatch(base::UniqueFd timer, std::function<void()> jumped)
        : timer_(std::move(timer)), jumped_(std::move(jumped)) {}
    [[nodiscard]] bool arm();
    void ready();

    base::UniqueFd timer_;
    std::function<void()> jumped_;
    std::unique_ptr<base::Watch> watch_;
};

}  // namespace bootkey::discovery
