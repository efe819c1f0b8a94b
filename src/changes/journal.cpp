// SPDX-License-Identifier: GPL-3.0-or-later
//
// The journal's text. Fields are separated by one blank, so no field may hold one: interface names cannot
// (dev_valid_name in the kernel), and paths that do are not ours. A list is comma-separated, "-" if empty.
#include "bootkey/changes/journal.hpp"

#include <linux/if.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "bootkey/base/overloaded.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::changes {
namespace {

using Fields = std::vector<std::string_view>;

constexpr std::size_t most_entries = 1000;
constexpr std::size_t first_own_field = 3;  // after kind, namespace and users
constexpr std::uint64_t most_index = std::numeric_limits<std::int32_t>::max();

template <typename Items, typename ToText>
std::string join(const Items& items, ToText to_text) {
    std::string text;
    for (const auto& item : items) text += (text.empty() ? "" : ",") + to_text(item);
    return text.empty() ? "-" : text;
}

// The list's items, or nothing if one of them is malformed.
template <typename Item, typename FromText>
std::optional<std::vector<Item>> parse_list(std::string_view text, FromText from_text) {
    std::vector<Item> items;
    if (text == "-") return items;
    for (const std::string_view part : base::split(text, ',')) {
        const std::optional<Item> item = from_text(part);
        if (!item) return std::nullopt;
        items.push_back(*item);
    }
    return items;
}

std::string instance_text(const Instance& user) {
    return base::format("%d:%llu", static_cast<int>(user.pid), static_cast<unsigned long long>(user.start_time));
}

std::optional<Instance> parse_instance(std::string_view text) {
    const auto parts = base::split(text, ':');
    if (parts.size() != 2) return std::nullopt;
    const auto pid = base::parse_number(parts[0], 1, most_index);
    const auto start_time = base::parse_number(parts[1], 0, std::numeric_limits<std::uint64_t>::max());
    if (!pid || !start_time) return std::nullopt;
    return Instance{static_cast<pid_t>(*pid), *start_time};
}

std::optional<std::uint32_t> parse_index(std::string_view text) {
    const auto index = base::parse_number(text, 1, most_index);
    return index ? std::optional(static_cast<std::uint32_t>(*index)) : std::nullopt;
}

// The kernel's rule (dev_valid_name), as far as names become part of paths here.
bool is_interface_name(std::string_view text) {
    return !text.empty() && text.size() < IFNAMSIZ &&
           text.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

// The kinds: the word each line begins with, and the fields that follow the first three.

std::string fields_text(const Change& change) {
    return std::visit(base::Overloaded{
                          [](const LinkUp& c) {
                              return base::format("%u %s %u ", c.interface, c.name.c_str(), c.controller) +
                                     join(c.addresses, [](const base::IpAddress& address) { return address.text(); });
                          },
                          [](const DadOff& c) { return base::format("%u %u", c.interface, c.old_value); },
                          [](const HostRoute& c) { return base::format("%u ", c.interface) + c.destination.text(); },
                          [](const ConsoleLowered& c) { return base::format("%u", c.old_level); },
                          [](const DirectoryMade& c) { return c.path; },
                      },
                      change);
}

std::optional<Change> parse_link(const Fields& f) {
    const auto index = parse_index(f[3]);
    const auto controller = base::parse_number(f[5], 0, most_index);
    const auto addresses = parse_list<base::IpAddress>(f[6], base::IpAddress::parse);
    if (!index || !is_interface_name(f[4]) || !controller || !addresses) return std::nullopt;
    return LinkUp{*index, std::string(f[4]), static_cast<std::uint32_t>(*controller), *addresses};
}

std::optional<Change> parse_dad(const Fields& f) {
    const auto index = parse_index(f[3]);
    const auto value = base::parse_number(f[4], 0, 2);  // 2: on, and IPv6 off if the link-local address is a duplicate
    if (!index || !value) return std::nullopt;
    return DadOff{*index, static_cast<unsigned>(*value)};
}

std::optional<Change> parse_route(const Fields& f) {
    const auto index = parse_index(f[3]);
    const auto destination = base::IpAddress::parse(f[4]);
    if (!index || !destination) return std::nullopt;
    return HostRoute{*index, *destination};
}

std::optional<Change> parse_console(const Fields& f) {
    const auto level = base::parse_number(f[3], 1, 15);
    if (!level) return std::nullopt;
    return ConsoleLowered{static_cast<unsigned>(*level)};
}

std::optional<Change> parse_directory(const Fields& f) {
    if (f[3].empty() || f[3].front() != '/' || f[3].find('\0') != std::string_view::npos) return std::nullopt;
    return DirectoryMade{std::string(f[3])};
}

struct Kind {
    const char* word;
    std::size_t fields;  // after the first three
    std::optional<Change> (*parse)(const Fields&);
};
// In the order of Change's alternatives.
constexpr Kind kinds[] = {
    {"link", 4, parse_link},       {"accept_dad", 2, parse_dad},      {"route", 2, parse_route},
    {"console", 1, parse_console}, {"directory", 1, parse_directory},
};
static_assert(std::size(kinds) == std::variant_size_v<Change>);

std::optional<Entry> parse_entry(std::string_view line) {
    const Fields fields = base::split(line, ' ');
    const auto* kind =
        std::find_if(std::begin(kinds), std::end(kinds), [&](const Kind& each) { return fields[0] == each.word; });
    if (kind == std::end(kinds) || fields.size() != first_own_field + kind->fields) return std::nullopt;
    const auto network_namespace = base::parse_number(fields[1], 0, std::numeric_limits<std::uint64_t>::max());
    const auto users = parse_list<Instance>(fields[2], parse_instance);
    auto change = kind->parse(fields);
    if (!network_namespace || !users || !change) return std::nullopt;
    return Entry{std::move(*change), *network_namespace, {users->begin(), users->end()}};
}

}  // namespace

bool same_object(const Change& one, const Change& other) {
    if (one.index() != other.index()) return false;
    if (const auto* link = std::get_if<LinkUp>(&one)) return link->interface == std::get<LinkUp>(other).interface;
    if (const auto* dad = std::get_if<DadOff>(&one)) return dad->interface == std::get<DadOff>(other).interface;
    if (std::holds_alternative<ConsoleLowered>(one)) return true;  // there is one console level
    return one == other;
}

Journal Journal::parse(std::string_view text) {
    Journal journal;
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
        auto entry = parse_entry(text.substr(0, end));
        text.remove_prefix(end + 1);
        // Of two lines on one object the first is true: the second was never written by us.
        if (entry && journal.find(entry->change, entry->network_namespace) == nullptr)
            journal.entries_.push_back(std::move(*entry));
    }
    return journal;
}

std::string Journal::text() const {
    std::string text;
    for (const Entry& entry : entries_) {
        text += kinds[entry.change.index()].word;
        text += base::format(" %llu ", static_cast<unsigned long long>(entry.network_namespace));
        text += join(entry.users, instance_text) + ' ' + fields_text(entry.change) + '\n';
    }
    return text;
}

Entry* Journal::find(const Change& change, std::uint64_t network_namespace) {
    const auto place = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return entry.network_namespace == network_namespace && same_object(entry.change, change);
    });
    return place == entries_.end() ? nullptr : &*place;
}

void Journal::use(Change change, std::uint64_t network_namespace, const Instance& user) {
    std::set<Instance> users = {user};
    if (const Entry* entry = find(change, network_namespace)) {
        users.insert(entry->users.begin(), entry->users.end());
        remove(*entry);
    }
    if (entries_.size() >= most_entries) {
        const auto foreign = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
            return entry.network_namespace != 0 && entry.network_namespace != network_namespace;
        });
        if (foreign != entries_.end()) entries_.erase(foreign);
    }
    entries_.push_back({std::move(change), network_namespace, std::move(users)});
}

void Journal::drop_users(std::uint64_t network_namespace, const std::function<bool(const Instance&)>& gone) {
    for (Entry& entry : entries_)
        if (entry.network_namespace == network_namespace || entry.network_namespace == 0)
            std::erase_if(entry.users, gone);
}

std::vector<Entry> Journal::unused(std::uint64_t network_namespace) const {
    std::vector<Entry> result;
    std::copy_if(entries_.rbegin(), entries_.rend(), std::back_inserter(result), [&](const Entry& entry) {
        const bool ours = entry.network_namespace == network_namespace || entry.network_namespace == 0;
        return ours && entry.users.empty();
    });
    return result;
}

void Journal::remove(const Entry& entry) {
    std::erase(entries_, Entry(entry));
}

}  // namespace bootkey::changes
