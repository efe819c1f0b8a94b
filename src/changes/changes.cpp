// SPDX-License-Identifier: GPL-3.0-or-later
//
// Making changes. The order is always: lock the journal, see how things are, record, store, change; so no other
// instance changes anything in between, and whatever moment the program is killed at, the journal holds at least what
// has been changed. Undoing what was not changed does nothing. Who may not use the journal looks, too: what need not be
// changed needs no record.
#include "bootkey/changes/changes.hpp"

#include <linux/if.h>

#include <algorithm>

#include "bootkey/base/text.hpp"
#include "bootkey/changes/console_level.hpp"
#include "bootkey/changes/home_directory.hpp"
#include "bootkey/network/network_namespace.hpp"

namespace bootkey::changes {
namespace {

using base::Error;
using base::ExitCode;
using base::IpAddress;
using base::Result;

// What was wanted, and that it failed because of `cause`.
Error because(std::string tried, const Error& cause) {
    return {cause.code, std::move(tried), cause.tried + ": " + cause.why, cause.advice};
}

// The network namespace that a change belongs to: `current`, or 0 if it is one of the whole machine.
std::uint64_t namespace_of(const Change& change, std::uint64_t current) {
    const bool of_machine =
        std::holds_alternative<ConsoleLowered>(change) || std::holds_alternative<DirectoryMade>(change);
    return of_machine ? 0 : current;
}

std::string shown_link(const network::Link& link) {
    return "interface " + base::escaped(link.name);
}

}  // namespace

Paths Paths::with_journal_in(const std::string& directory) {
    Paths paths;
    paths.journal_directory = directory;
    paths.home_parents.front() = directory;
    return paths;
}

Result<Changes> Changes::open(const base::Log& log, Paths paths) {
    auto machine = this_machine();
    if (!machine) return std::move(machine).error();
    const auto self = this_instance();
    if (!self) return self.error();
    return Changes(log, std::move(paths), std::move(*machine), *self, network::own_network_namespace());
}

Changes::Changes(const base::Log& log, Paths paths, std::unique_ptr<Machine> machine, const Instance& self,
                 std::uint64_t network_namespace)
    : log_(&log),
      paths_(std::move(paths)),
      file_(paths_.journal_directory),
      machine_(std::move(machine)),
      self_(self),
      namespace_(network_namespace) {
}

std::string Changes::dad_path(const std::string& interface_name) const {
    return paths_.ipv6_settings + '/' + interface_name + "/accept_dad";
}

Result<network::Link> Changes::find_link(std::uint32_t interface) {
    auto link = machine_->link(interface);
    if (!link) return std::move(link).error();
    if (!*link)
        return Error{ExitCode::unavailable, base::format("cannot use interface number %u", interface), "it is gone",
                     ""};
    return std::move(**link);
}

Result<void> Changes::join(LockedJournal& locked, const std::vector<Change>& objects) {
    bool changed = false;
    for (const Change& object : objects)
        if (Entry* entry = locked.journal.find(object, namespace_of(object, namespace_)))
            changed = entry->users.insert(self_).second || changed;
    if (changed) return locked.store();
    locked.tidy();
    return {};
}

Result<void> Changes::release(LockedJournal& locked, const std::vector<Change>& objects) {
    for (const Change& object : objects)
        if (Entry* entry = locked.journal.find(object, namespace_of(object, namespace_)))
            std::erase_if(entry->users,
                          [this](const Instance& user) { return user == self_ || !machine_->is_running(user); });
    return undo_unused(locked).first_failure;
}

Result<void> Changes::bring_up(std::uint32_t interface) {
    auto locked = file_.open_or_make(*log_);
    const auto link = find_link(interface);
    if (!link) {
        if (locked) locked->tidy();
        return link.error();
    }
    if ((link->flags & IFF_UP) == 0)
        return locked ? raise(*locked, *link) : because("cannot bring up " + shown_link(*link), locked.error());
    // Up by another instance: then it stays up for as long as we run. Up by others: not ours to take down, no journal
    // needed.
    if (locked)
        if (auto joined = join(*locked, {LinkUp{interface, {}}, DadOff{interface}}); !joined)
            log_->warning(because("another bootkey may take down " + shown_link(*link), joined.error()).message());
    return {};
}

Result<void> Changes::record_raise(LockedJournal& locked, const network::Link& link, unsigned dad) {
    auto addresses = machine_->addresses(link.index);
    if (!addresses) return std::move(addresses).error();
    LinkUp change{link.index, link.name, link.controller};
    for (const network::AddressDetail& detail : *addresses) change.addresses.push_back(detail.address.address);
    // Undone newest first: the setting goes back when the interface is down again.
    if (dad != 0)
        locked.journal.use(DadOff{link.index, dad}, namespace_, self_);
    else if (Entry* off_already = locked.journal.find(DadOff{link.index}, namespace_))
        off_already->users.insert(self_);
    locked.journal.use(std::move(change), namespace_, self_);
    return locked.store();
}

Result<void> Changes::raise(LockedJournal& locked, const network::Link& link) {
    // Read once: what is not recorded must not be changed.
    const std::string path = dad_path(link.name);
    const unsigned dad = machine_->ipv6_setting(path).value_or(0);
    if (auto recorded = record_raise(locked, link, dad); !recorded)
        return because("cannot bring up " + shown_link(link), recorded.error());
    // Without it an IPv6 address is usable only after 1-2 s (RFC 4862, 5.4). IPv6 may be off, or /proc/sys read-only.
    if (dad != 0)
        if (const int reason = machine_->set_ipv6_setting(path, 0); reason != 0)
            log_->info(2, base::system_error("cannot turn off duplicate address detection on " + shown_link(link),
                                             reason, "its IPv6 address will be usable some 2 seconds later")
                              .message());
    auto raised = machine_->set_up(link, true);
    if (raised) {
        log_->info(3, "brought up " + shown_link(link));
        return {};
    }
    if (auto released = release(locked, {LinkUp{link.index, {}}, DadOff{link.index}}); !released)
        log_->warning(released.error().message());
    return raised;
}

Result<void> Changes::add_host_route(const IpAddress& destination, std::uint32_t interface) {
    const std::string tried = "cannot add a route to " + destination.text();
    const Change object = HostRoute{interface, destination};
    auto locked = file_.open_or_make(*log_);
    const auto known = machine_->has_route(destination);
    if (!known) {
        if (locked) locked->tidy();
        return known.error();
    }
    if (*known) return locked ? join(*locked, {object}) : Result<void>();
    if (!locked) return because(tried, locked.error());
    const auto& entries = locked->journal.entries();
    const auto own = std::count_if(entries.begin(), entries.end(), [this](const Entry& entry) {
        return std::holds_alternative<HostRoute>(entry.change) && entry.users.count(self_) != 0;
    });
    if (static_cast<std::size_t>(own) >= most_host_routes)
        return Error{ExitCode::unavailable, tried,
                     base::format("%zu servers have been given routes already", most_host_routes), ""};
    const bool ours_before = locked->journal.find(object, namespace_) != nullptr;
    locked->journal.use(object, namespace_, self_);
    if (auto stored = locked->store(); !stored) return because(tried, stored.error());
    auto added = machine_->add_host_route(destination, interface);
    if (!added) {
        if (!ours_before)
            if (auto released = release(*locked, {object}); !released) log_->warning(released.error().message());
        return std::move(added).error();
    }
    if (*added)
        log_->info(3,
                   base::format("added a route to %s over interface number %u", destination.text().c_str(), interface));
    if (*added || ours_before) return {};
    // Somebody else has made just that route, which the kernel does not use at present: not ours to delete.
    locked->journal.remove(*locked->journal.find(object, namespace_));
    return locked->store();
}

Result<void> Changes::remove_host_route(const IpAddress& destination, std::uint32_t interface) {
    const Change object = HostRoute{interface, destination};
    auto locked = file_.open(*log_);
    if (!locked) return std::move(locked).error();
    if (!*locked || (*locked)->journal.find(object, namespace_) == nullptr) return {};
    return release(**locked, {object});
}

Result<void> Changes::lower_console_level() {
    const char* tried = "cannot keep kernel messages off the console";
    auto locked = file_.open_or_make(*log_);
    const auto level = machine_->console_level(paths_.printk);
    if (!level) {
        if (locked) locked->tidy();
        return Error{ExitCode::os_error, tried, "the level in " + paths_.printk + " cannot be read", ""};
    }
    if (*level <= lowered_console_level) {
        auto joined = locked ? join(*locked, {ConsoleLowered{}}) : Result<void>();
        return joined ? joined : because(tried, joined.error());
    }
    if (!locked) return because(tried, locked.error());
    locked->journal.use(ConsoleLowered{*level}, 0, self_);
    if (auto stored = locked->store(); !stored) return because(tried, stored.error());
    const int reason = machine_->set_console_level(paths_.printk, lowered_console_level);
    if (reason == 0) return {};
    if (auto released = release(*locked, {ConsoleLowered{}}); !released) log_->warning(released.error().message());
    return base::system_error(tried, reason, "run bootkey as root", ExitCode::no_permission);
}

Result<void> Changes::restore_console_level() {
    auto locked = file_.open(*log_);
    // Someone who may not use the journal has not lowered anything.
    if (!locked && locked.error().code == ExitCode::no_permission) return {};
    if (!locked) return std::move(locked).error();
    if (!*locked || (*locked)->journal.find(ConsoleLowered{}, 0) == nullptr) return {};
    return release(**locked, {ConsoleLowered{}});
}

Result<std::string> Changes::make_home_below(const std::string& parent) {
    const std::string tried = "cannot make a directory for keys in " + parent;
    // Anew for each parent: giving up on another may have removed the journal and its directory.
    auto locked = file_.open_or_make(*log_);
    const char* why_not = !machine_->is_in_memory(parent) ? "not a file system in memory"
                          : !machine_->has_room(parent)   ? "its file system is full or read-only"
                                                          : nullptr;
    auto path = why_not == nullptr ? new_home_path(parent)
                                   : Result<std::string>(Error{ExitCode::cannot_create, tried, why_not, ""});
    Result<void> made = path ? Result<void>() : Result<void>(path.error());
    if (made && locked) {
        locked->journal.use(DirectoryMade{*path}, 0, self_);
        made = locked->store();
    }
    if (made)
        if (const int reason = machine_->make_directory(*path); reason != 0) made = base::system_error(tried, reason);
    if (made) {
        if (!locked) unrecorded_homes_.push_back(*path);
        return path;
    }
    if (locked) {
        if (path) locked->journal.remove({DirectoryMade{*path}, 0, {self_}});
        static_cast<void>(locked->store());  // as it was before
    }
    return std::move(made).error();
}

Result<std::string> Changes::make_home() {
    std::string failures;
    for (const std::string& parent : paths_.home_parents) {
        auto path = make_home_below(parent);
        if (path) return path;
        failures += (failures.empty() ? "" : "; ") + parent + ": " + path.error().why;
    }
    return Error{ExitCode::cannot_create, "cannot make a directory in memory for keys", failures,
                 "mount a tmpfs on one of these"};
}

Result<void> Changes::remove_home(const std::string& path) {
    if (std::count(unrecorded_homes_.begin(), unrecorded_homes_.end(), path) > 0) {
        auto removed = undo_directory({path});
        if (removed) std::erase(unrecorded_homes_, path);
        return removed;
    }
    auto locked = file_.open(*log_);
    if (!locked) return std::move(locked).error();
    if (!*locked) return {};
    return release(**locked, {DirectoryMade{path}});
}

}  // namespace bootkey::changes
