// SPDX-License-Identifier: GPL-3.0-or-later
//
// Administration done by this very process: hooks as children, links and routes over rtnetlink, settings in /proc/sys,
// the console level, and the journal in /run/bootkey that all of it is undone by. The part of the program that needs
// root.
#pragma once

#include <memory>
#include <string>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/changes/administration.hpp"
#include "bootkey/network/network_hooks.hpp"

namespace bootkey::changes {

class LocalAdministration : public Administration {
public:
    /// Opens (or creates) the journal, undoes what instances that no longer run have left, and brings up the loopback
    /// interface, which has to be up before anybody connects to an IPv4 address. `runtime_directory` is /run/bootkey;
    /// where it cannot be made or written to (no root), changes that need the journal are refused, and nothing else is.
    [[nodiscard]] static base::Result<std::unique_ptr<LocalAdministration>> create(
        base::Loop& loop, const base::Log& log, network::HookSettings hooks,
        const std::string& runtime_directory = "/run/bootkey");

    /// Makes a directory (mode 0700) for the OpenPGP home in /run/bootkey, else /run, else /tmp; journalled, so that it
    /// (and an agent that runs in it) goes away even after SIGKILL. Returns its path.
    [[nodiscard]] virtual base::Result<std::string> make_home() = 0;
    /// Removes such a directory with everything in it, before put_back() would.
    [[nodiscard]] virtual base::Result<void> remove_home(const std::string& path) = 0;
    /// Ends hooks that still run, runs the stop hooks, and undoes all that no other running instance uses. `done` is
    /// called once from the loop, after at most 4.5 seconds, with the first thing that could not be put back, if any.
    virtual void put_back(Done done) = 0;
};

/// Undoes what instances that no longer run have left (--restore). Returns how many changes were undone.
[[nodiscard]] base::Result<int> restore(const base::Log& log, const std::string& runtime_directory = "/run/bootkey");

/// Leaves `text` as the timeline of an unlock; see LockedJournal. Errors: no_permission, cannot_create, unavailable
/// (another instance keeps the lock).
[[nodiscard]] base::Result<void> leave_timeline(const std::string& text,
                                                const std::string& runtime_directory = "/run/bootkey");

}  // namespace bootkey::changes
