// SPDX-License-Identifier: GPL-3.0-or-later
//
// Before Linux 6.2 an interface that is up cannot be renamed, so on such kernels it must not be brought up before udev
// has given it its name. udev tells by a file in its database; this waits for it, but not for ever. A name that is not
// given stays wrong in the booted system, so where udev says that it still is at work it gets more time. Owns the
// inotify descriptor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/network/kernel_version.hpp"

namespace bootkey::network {

/// Whether interfaces have to wait for udev. `first_namespace`: we are in the network namespace of process 1, the only
/// one that udev looks after. `udev_runs`: its directory exists.
[[nodiscard]] bool must_wait_for_udev(KernelVersion kernel, bool first_namespace, bool udev_runs);

class UdevGate {
public:
    /// How long an interface waits at most if udev has nothing to do, and how many times that if it has.
    static constexpr base::Duration limit = std::chrono::seconds(1);
    static constexpr int limits_if_busy = 5;

    /// `directory`: /run/udev, or a fixture.
    UdevGate(base::Loop& loop, std::string directory = "/run/udev");

    /// Calls `ready` once from the loop: as soon as udev is done with the interface (index), at the latest after
    /// `limit`, or `limits_if_busy` of them.
    void when_named(std::uint32_t interface, std::function<void()> ready);

private:
    struct Waiting {
        std::vector<std::function<void()>> ready;
        std::unique_ptr<base::Timer> timer;
        int limits = 0;  // that have passed
    };
    bool is_named(std::uint32_t interface) const;
    bool is_busy() const;
    void watch_database();
    void on_change();
    void on_timer(std::uint32_t interface);

    base::Loop& loop_;
    std::string directory_, database_;
    base::UniqueFd inotify_;
    std::unique_ptr<base::Watch> watch_;
    std::map<std::uint32_t, Waiting> waiting_;
};

}  // namespace bootkey::network
