// SPDX-License-Identifier: GPL-3.0-or-later
//
// Performs privileged requests in this very process: hooks as children, links and routes over rtnetlink, settings in
// /proc/sys, the console level, and the journal in /run/bootkey that all of it is undone by. The part of the program
// that needs root. Whether a request may be performed is not judged here.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/changes/changes.hpp"
#include "bootkey/changes/request.hpp"
#include "bootkey/network/network_hooks.hpp"
#include "bootkey/network/udev_gate.hpp"

namespace bootkey::changes {

class PrivilegedExecutor {
public:
    /// Opens (or creates) the journal, undoes what instances that no longer run have left, and brings up the loopback
    /// interface, which has to be up before anybody connects to an IPv4 address. `runtime_directory` is /run/bootkey;
    /// where it cannot be made or written to (no root), changes that need the journal are refused, and nothing else is.
    /// `loop` and `log` must outlive the object.
    [[nodiscard]] static base::Result<std::unique_ptr<PrivilegedExecutor>> create(
        base::Loop& loop, const base::Log& log, network::HookSettings hooks,
        const std::string& runtime_directory = "/run/bootkey");
    /// Undoes what is not undone yet; put_back() is the proper end.
    ~PrivilegedExecutor();
    PrivilegedExecutor(const PrivilegedExecutor&) = delete;
    PrivilegedExecutor& operator=(const PrivilegedExecutor&) = delete;

    /// Performs the request. `done` may destroy the object. Errors: no_permission; unavailable if the interface is
    /// gone, there are too many routes, or put_back() has been called.
    void perform(const Request& request, Done done);

    /// Makes a directory (mode 0700) for the OpenPGP home in /run/bootkey, else /run, else /tmp; journalled, so that it
    /// (and an agent that runs in it) goes away even after SIGKILL. Returns its path.
    [[nodiscard]] base::Result<std::string> make_home() { return changes_.make_home(); }
    /// Removes such a directory with everything in it, before put_back() would.
    [[nodiscard]] base::Result<void> remove_home(const std::string& path) { return changes_.remove_home(path); }
    /// Ends hooks that still run, runs the stop hooks, and undoes all that no other running instance uses. `done` is
    /// called once from the loop, after at most 4.5 seconds, with the first thing that could not be put back, if any.
    void put_back(std::function<void(const base::Result<void>&)> done);

private:
    PrivilegedExecutor(base::Loop& loop, const base::Log& log, network::HookSettings hooks, Changes changes);
    void start_hooks(Done done);
    void bring_up(std::uint32_t interface, Done done);
    [[nodiscard]] base::Result<void> undo();
    void tell(const base::Result<void>& result) const;
    void later(std::function<void()> action);
    void run_later();

    const base::Log& log_;
    Changes changes_;
    network::NetworkHooks hooks_;
    network::UdevGate udev_;
    bool wait_for_udev_;
    bool ending_ = false;    // put_back() has been called
    bool put_back_ = false;  // and has done its work
    bool hooks_started_ = false;
    std::optional<Reply> hooks_reply_;  // the last one
    Done hooks_done_;                   // of the one who asked last
    std::deque<std::function<void()>> later_;
    std::shared_ptr<char> alive_ = std::make_shared<char>();
    std::unique_ptr<base::Timer> later_timer_;
};

/// Undoes what instances that no longer run have left (--restore). Returns how many changes were undone.
[[nodiscard]] base::Result<int> restore(const base::Log& log, const std::string& runtime_directory = "/run/bootkey");

/// Leaves `text` as the timeline of an unlock; see LockedJournal. Errors: no_permission, cannot_create, unavailable
/// (another instance keeps the lock).
[[nodiscard]] base::Result<void> leave_timeline(const std::string& text,
                                                const std::string& runtime_directory = "/run/bootkey");

}  // namespace bootkey::changes
