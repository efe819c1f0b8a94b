// SPDX-License-Identifier: GPL-3.0-or-later
//
// Undoing changes. Everything is undone only if it is still as bootkey made it; what was changed again since belongs to
// somebody else. Undoing twice, or what was recorded but never done, does nothing.
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <set>

#include "bootkey/base/text.hpp"
#include "bootkey/changes/changes.hpp"
#include "bootkey/changes/console_level.hpp"
#include "bootkey/changes/home_directory.hpp"
#include "bootkey/network/kernel_version.hpp"

namespace bootkey::changes {
namespace {

using base::Error;
using base::ExitCode;
using base::Result;

constexpr network::KernelVersion says_who_made_addresses{5, 18};  // IFA_PROTO

// Whether the kernel gave the interface this address by itself: the loopback interface's, link-local, or by router
// advertisements (RFC 4862).
bool kernel_made(const network::AddressDetail& detail) {
    if (detail.address.address.is_loopback()) return true;
    if (!detail.address.address.is_v6()) return false;
    if (detail.protocol != 0 || (detail.flags & IFA_F_TEMPORARY) != 0) return true;
    if (network::running_kernel() >= says_who_made_addresses) return false;
    // What older kernels make looks like this; DHCPv6 clients and network managers set IFA_F_NOPREFIXROUTE or another
    // length.
    if (detail.prefix_length != 64 || (detail.flags & IFA_F_NOPREFIXROUTE) != 0) return false;
    const bool permanent = (detail.flags & IFA_F_PERMANENT) != 0;
    return detail.address.address.is_link_local() ? permanent : !permanent;
}

// Whether the route came with an address or from a router, or is a matter of the interface itself.
bool kernel_made(const network::RouteDetail& route) {
    return route.table == RT_TABLE_LOCAL || route.protocol == RTPROT_KERNEL || route.protocol == RTPROT_RA ||
           route.protocol == RTPROT_REDIRECT;
}

// The interface that the change was made to; 0 if it was made to something else.
std::uint32_t interface_of(const Change& change) {
    if (const auto* link = std::get_if<LinkUp>(&change)) return link->interface;
    if (const auto* dad = std::get_if<DadOff>(&change)) return dad->interface;
    if (const auto* route = std::get_if<HostRoute>(&change)) return route->interface;
    return 0;
}

// Meanwhile the system may have booted, of which nothing works without the loopback interface; and that others use it
// cannot be seen. Only the instance that has brought it up takes it down.
bool is_needed_by_all(const Change& change) {
    return interface_of(change) == network::loopback_interface && std::holds_alternative<LinkUp>(change);
}

// Over which instances that still run need host routes.
std::set<std::uint32_t> interfaces_with_routes(const std::vector<Entry>& entries, std::uint64_t network_namespace) {
    std::set<std::uint32_t> interfaces;
    for (const Entry& entry : entries)
        if (const auto* route = std::get_if<HostRoute>(&entry.change))
            if (entry.network_namespace == network_namespace && !entry.users.empty())
                interfaces.insert(route->interface);
    return interfaces;
}

}  // namespace

Result<int> Changes::undo_left_over() {
    auto locked = file_.open(*log_);
    if (!locked) return std::move(locked).error();
    if (!*locked) return 0;
    (*locked)->journal.drop_users(namespace_, [this](const Instance& user) { return !machine_->is_running(user); });
    const auto unused = (*locked)->journal.unused(namespace_);
    if (unused.empty()) {
        (*locked)->tidy();
        return 0;
    }
    for (const Entry& entry : unused)
        if (is_needed_by_all(entry.change)) (*locked)->journal.remove(entry);
    const Undone undone = undo_unused(**locked);
    if (undone.first_failure) return undone.count;
    // What is not ours, or has gone, is not left over.
    if (undone.first_failure.error().code != ExitCode::unavailable) return undone.first_failure.error();
    log_->warning(undone.first_failure.error().message());
    return undone.count;
}

Result<void> Changes::undo_ours() {
    Result<void> first;
    std::erase_if(unrecorded_homes_, [&](const std::string& home) {
        auto undone = undo_directory({home});
        if (undone) return true;
        if (first) first = std::move(undone);
        return false;
    });
    auto locked = file_.open(*log_);
    if (!locked) {
        // Someone who may not use the journal has recorded nothing in it.
        if (locked.error().code != ExitCode::no_permission && first) return std::move(locked).error();
        return first;
    }
    if (!*locked) return first;
    (*locked)->journal.drop_users(
        namespace_, [this](const Instance& user) { return user == self_ || !machine_->is_running(user); });
    const Undone undone = undo_unused(**locked);
    return first ? undone.first_failure : first;
}

Changes::Undone Changes::undo_unused(LockedJournal& locked) {
    Undone result;
    const auto note = [&result](Result<void> outcome) {
        const auto is_grave = [](const Result<void>& one) { return !one && one.error().code != ExitCode::unavailable; };
        if (!outcome && (result.first_failure || (is_grave(outcome) && !is_grave(result.first_failure))))
            result.first_failure = std::move(outcome);
    };
    // An interface waits for the routes over it to be undone, which would look like others' use of it.
    std::set<std::uint32_t> waiting = interfaces_with_routes(locked.journal.entries(), namespace_);
    for (const Entry& entry : locked.journal.unused(namespace_)) {
        const std::uint32_t interface = interface_of(entry.change);
        if (!std::holds_alternative<HostRoute>(entry.change) && waiting.contains(interface)) continue;
        // Its accept_dad waits for the interface to go down, which may be needed by instances that did not turn it off.
        const bool is_setting = std::holds_alternative<DadOff>(entry.change);
        if (is_setting && locked.journal.find(LinkUp{interface, {}}, namespace_) != nullptr) continue;
        auto undone = undo(entry.change);
        if (undone) {
            locked.journal.remove(entry);
            ++result.count;
        } else if (undone.error().code == ExitCode::unavailable) {
            locked.journal.remove(entry);  // never to be undone: what it is about is not ours
        } else if (interface != 0) {
            waiting.insert(interface);
        }
        note(std::move(undone));
    }
    note(locked.store());
    return result;
}

Result<void> Changes::undo(const Change& change) {
    if (const auto* link = std::get_if<LinkUp>(&change)) return undo_link(*link);
    if (const auto* dad = std::get_if<DadOff>(&change)) return undo_dad(*dad);
    if (const auto* route = std::get_if<HostRoute>(&change)) return undo_route(*route);
    if (const auto* console = std::get_if<ConsoleLowered>(&change)) return undo_console(*console);
    if (const auto* directory = std::get_if<DirectoryMade>(&change)) return undo_directory(*directory);
    return {};
}

Result<std::string> Changes::other_use(const network::Link& now, const LinkUp& before) {
    if (now.controller != 0 && now.controller != before.controller)
        return base::format("it now belongs to interface number %u", now.controller);
    for (const std::string& name : {now.name, before.name}) {
        const std::string path = paths_.boot_configuration + "/net-" + name + ".conf";
        if (machine_->exists(path)) return base::escaped(path) + " was written for it";
    }
    const auto addresses = machine_->addresses(now.index);
    if (!addresses) return addresses.error();
    for (const network::AddressDetail& detail : *addresses) {
        const base::IpAddress& address = detail.address.address;
        const bool known =
            std::find(before.addresses.begin(), before.addresses.end(), address) != before.addresses.end();
        if (!known && !kernel_made(detail)) return "the address " + address.text() + " was added to it";
    }
    const auto routes = machine_->routes(now.index);
    if (!routes) return routes.error();
    const bool own_routes_only = std::all_of(routes->begin(), routes->end(),
                                             [](const network::RouteDetail& route) { return kernel_made(route); });
    return std::string(own_routes_only ? "" : "a route over it was added");
}

Result<void> Changes::undo_link(const LinkUp& change) {
    const auto link = machine_->link(change.interface);
    if (!link) return link.error();
    if (!*link || ((*link)->flags & IFF_UP) == 0) return {};
    const std::string shown = "interface " + base::escaped((*link)->name);
    const auto use = other_use(**link, change);
    if (!use) return use.error();
    if (!use->empty()) {
        log_->info(1, shown + " is left up: " + *use);
        return {};
    }
    auto done = take_down(**link, change);
    if (done) log_->info(3, "took down " + shown);
    return done;
}

// An interface that goes down loses its IPv6 addresses, also those that it had before it came up; unless the kernel is
// told to keep what was given to it for good (Linux, Documentation/networking/ip-sysctl.rst, keep_addr_on_down).
Result<void> Changes::take_down(const network::Link& link, const LinkUp& before) {
    const bool had_addresses = std::ranges::any_of(
        before.addresses, [](const base::IpAddress& address) { return address.is_v6() && !address.is_link_local(); });
    const std::string path = paths_.ipv6_settings + '/' + link.name + "/keep_addr_on_down";
    const auto old_value = had_addresses ? machine_->ipv6_setting(path) : std::nullopt;
    const bool changed = old_value == 0U && machine_->set_ipv6_setting(path, 1) == 0;
    auto done = machine_->set_up(link, false);
    if (changed)
        if (const int reason = machine_->set_ipv6_setting(path, *old_value); reason != 0)
            log_->warning(
                base::system_error("cannot put back " + base::escaped(path), reason, "write 0 into it").message());
    return done;
}

Result<void> Changes::undo_dad(const DadOff& change) {
    const auto link = machine_->link(change.interface);
    if (!link) return link.error();
    if (!*link) return {};
    const std::string path = dad_path((*link)->name);  // it may have been renamed
    const std::string tried = "cannot put back " + base::escaped(path);
    const std::string advice = base::format("write %u into it", change.old_value);
    const auto now = machine_->ipv6_setting(path);
    if (!now) {
        const auto again = machine_->link(change.interface);
        if (!again) return again.error();
        // For want of IPv6 there may be no such setting. If it has another name by now, it is not to be forgotten.
        const bool renamed = *again && (*again)->name != (*link)->name;
        if (!renamed && !machine_->exists(path)) return {};
        return Error{ExitCode::os_error, tried, renamed ? "the interface was renamed just now" : "it cannot be read",
                     advice};
    }
    if (*now != 0) return {};
    const int reason = machine_->set_ipv6_setting(path, change.old_value);
    if (reason == 0) return {};
    return base::system_error(tried, reason, advice);
}

Result<void> Changes::undo_route(const HostRoute& change) {
    const auto deleted = machine_->delete_host_route(change.destination, change.interface);
    if (!deleted) return deleted.error();
    if (*deleted) log_->info(3, "deleted the route to " + change.destination.text());
    return {};
}

Result<void> Changes::undo_console(const ConsoleLowered& change) {
    const bool hidden = machine_->console_level(paths_.printk) != lowered_console_level;
    const int reason =
        hidden ? machine_->replace_hidden_console_level(paths_.printk, lowered_console_level, change.old_level)
               : machine_->set_console_level(paths_.printk, change.old_level);
    if (reason == 0) return {};
    return base::system_error("cannot put back the kernel's console level", reason,
                              base::format("write %u into %s", change.old_level, paths_.printk.c_str()));
}

Result<void> Changes::undo_directory(const DirectoryMade& change) {
    if (!is_home_path(change.path, paths_.home_parents))
        return Error{ExitCode::unavailable, "will not remove " + base::escaped(change.path),
                     "bootkey makes no directory of that name", ""};
    return machine_->remove_home(change.path);
}

}  // namespace bootkey::changes
