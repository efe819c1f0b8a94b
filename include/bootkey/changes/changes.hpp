// SPDX-License-Identifier: GPL-3.0-or-later
//
// Every change that bootkey makes to the machine, made and undone: each is recorded in the journal before it is made,
// shared with other running instances, and undone when the last of them no longer needs it. Nothing here waits for
// anything but the journal's lock (at most a second) and an agent that is told to end (half a second).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/changes/journal.hpp"
#include "bootkey/changes/journal_file.hpp"
#include "bootkey/changes/machine.hpp"

namespace bootkey::changes {

/// Where things are on this machine.
struct Paths {
    std::string journal_directory = "/run/bootkey";
    /// For OpenPGP homes: the first that is in memory and can be written to.
    std::vector<std::string> home_parents = {"/run/bootkey", "/run", "/tmp", "/dev/shm"};
    std::string boot_configuration = "/run";  ///< of net-INTERFACE.conf, which ipconfig writes (klibc, initramfs-tools)
    std::string ipv6_settings = "/proc/sys/net/ipv6/conf";
    std::string printk = "/proc/sys/kernel/printk";
    /// The usual places, with another directory for the journal.
    [[nodiscard]] static Paths with_journal_in(const std::string& directory);
};

/// Host routes that one instance may add: announcements come from the network, routes stay in the kernel.
inline constexpr std::size_t most_host_routes = 16;

class Changes {
public:
    /// Changes to this machine by this process. Opens what is needed; touches nothing yet.
    [[nodiscard]] static base::Result<Changes> open(const base::Log& log, Paths paths = {});
    /// Changes to `machine`, in the network namespace of that number, by an instance that calls itself `self`.
    Changes(const base::Log& log, Paths paths, std::unique_ptr<Machine> machine, const Instance& self,
            std::uint64_t network_namespace);

    /// See BringUp. Returns at once; errors: no_permission, unavailable if the interface is gone.
    [[nodiscard]] base::Result<void> bring_up(std::uint32_t interface);
    [[nodiscard]] base::Result<void> add_host_route(const base::IpAddress& destination, std::uint32_t interface);
    [[nodiscard]] base::Result<void> remove_host_route(const base::IpAddress& destination, std::uint32_t interface);
    [[nodiscard]] base::Result<void> lower_console_level();
    [[nodiscard]] base::Result<void> restore_console_level();
    /// See PrivilegedExecutor.
    [[nodiscard]] base::Result<std::string> make_home();
    [[nodiscard]] base::Result<void> remove_home(const std::string& path);

    /// Undoes what instances that no longer run have left here. Returns how many changes were undone; the error if the
    /// journal cannot be used. A change that cannot be undone stays in the journal and is warned of.
    [[nodiscard]] base::Result<int> undo_left_over();
    /// Gives up all that this instance uses and undoes what nobody else does. The first thing that could not be put
    /// back, if any.
    [[nodiscard]] base::Result<void> undo_ours();

private:
    base::Result<network::Link> find_link(std::uint32_t interface);
    /// Lets this instance use the entries for these objects that are there already.
    base::Result<void> join(LockedJournal& locked, const std::vector<Change>& objects);
    /// Records what is needed to bring the interface up and does it.
    base::Result<void> raise(LockedJournal& locked, const network::Link& link);
    base::Result<void> record_raise(LockedJournal& locked, const network::Link& link, unsigned dad);
    /// Takes this instance off the entries for these objects, undoes what then has no users, and stores the journal.
    base::Result<void> release(LockedJournal& locked, const std::vector<Change>& objects);
    /// Makes a home below `parent`, recorded if there can be a journal.
    base::Result<std::string> make_home_below(const std::string& parent);
    std::string dad_path(const std::string& interface_name) const;

    /// Undoes all entries without users and stores the journal; how many, and the first failure.
    struct Undone {
        int count = 0;
        base::Result<void> first_failure = {};
    };
    Undone undo_unused(LockedJournal& locked);
    base::Result<void> undo(const Change& change);
    base::Result<void> undo_link(const LinkUp& change);
    base::Result<void> take_down(const network::Link& link, const LinkUp& before);
    base::Result<void> undo_dad(const DadOff& change);
    base::Result<void> undo_route(const HostRoute& change);
    base::Result<void> undo_console(const ConsoleLowered& change);
    base::Result<void> undo_directory(const DirectoryMade& change);
    /// What tells that somebody else has come to use the interface; empty if nothing does.
    base::Result<std::string> other_use(const network::Link& now, const LinkUp& before);

    const base::Log* log_;
    Paths paths_;
    JournalFile file_;
    std::unique_ptr<Machine> machine_;
    Instance self_;
    std::uint64_t namespace_;
    std::vector<std::string> unrecorded_homes_;  // of a user who may not write the journal
};

}  // namespace bootkey::changes
