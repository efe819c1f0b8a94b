// SPDX-License-Identifier: GPL-3.0-or-later
//
// What bootkey has changed on the machine, how it was before, and which running instances rely on each change. Pure: a
// value that is read from text and written to text; journal_file.hpp keeps it, changes.hpp acts on it. A change without
// users is to be undone.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/changes/instance.hpp"

namespace bootkey::changes {

/// An interface was brought up. What was there before tells later whether somebody else has come to use it.
struct LinkUp {
    std::uint32_t interface = 0;
    std::string name;              ///< at that time
    std::uint32_t controller = 0;  ///< index of the bridge or bond it belonged to, or 0
    std::vector<base::IpAddress> addresses = {};
    friend bool operator==(const LinkUp&, const LinkUp&) = default;
};
/// Duplicate address detection was turned off: net.ipv6.conf.INTERFACE.accept_dad.
struct DadOff {
    std::uint32_t interface = 0;
    unsigned old_value = 1;
    friend bool operator==(const DadOff&, const DadOff&) = default;
};
struct HostRoute {
    std::uint32_t interface = 0;
    base::IpAddress destination;
    friend bool operator==(const HostRoute&, const HostRoute&) = default;
};
/// The kernel's console level was lowered.
struct ConsoleLowered {
    unsigned old_level = 7;
    friend bool operator==(const ConsoleLowered&, const ConsoleLowered&) = default;
};
/// A directory was made that is ours with all that is in it.
struct DirectoryMade {
    std::string path;
    friend bool operator==(const DirectoryMade&, const DirectoryMade&) = default;
};
using Change = std::variant<LinkUp, DadOff, HostRoute, ConsoleLowered, DirectoryMade>;

/// Whether both change the same thing, whatever it was before.
[[nodiscard]] bool same_object(const Change& one, const Change& other);

struct Entry {
    Change change;
    std::uint64_t network_namespace = 0;  ///< it was made in; 0 for what belongs to no namespace (console, directories)
    std::set<Instance> users = {};
    friend bool operator==(const Entry&, const Entry&) = default;
};

class Journal {
public:
    /// Reads text() back. Lines that are not understood are left out, a last line without its end too.
    [[nodiscard]] static Journal parse(std::string_view text);
    /// One line an entry: kind, namespace, users, and what the kind needs; oldest first.
    [[nodiscard]] std::string text() const;

    /// The entry for the same object in the same namespace, or nullptr. Valid until the next change of the journal.
    [[nodiscard]] Entry* find(const Change& change, std::uint64_t network_namespace);
    /// Notes that `user` is about to make `change`, as the newest entry. If there is an entry for the same object,
    /// somebody else has undone that change since: the new record of how things were before counts, and its users stay.
    /// At most 1000 entries: then the oldest of another namespace goes, whose instance was killed long ago, if there is
    /// one.
    void use(Change change, std::uint64_t network_namespace, const Instance& user);
    /// Takes the users away that `gone` holds true for, from entries of this namespace and of none.
    void drop_users(std::uint64_t network_namespace, const std::function<bool(const Instance&)>& gone);
    /// The entries to be undone in this namespace: without users, newest first. What another namespace's instances
    /// left is theirs.
    [[nodiscard]] std::vector<Entry> unused(std::uint64_t network_namespace) const;
    void remove(const Entry& entry);

    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    [[nodiscard]] bool empty() const { return entries_.empty(); }

private:
    std::vector<Entry> entries_;
};

}  // namespace bootkey::changes
