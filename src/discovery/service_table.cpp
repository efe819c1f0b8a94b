// SPDX-License-Identifier: GPL-3.0-or-later
//
// How the two sources become one: host and port are taken from the source whose own view of them changed last, so that
// the repetition of an older view does not make a service flap; addresses add up while both agree on host and port, and
// one that the browser saw go is gone for both.
#include "bootkey/discovery/service_table.hpp"

#include <algorithm>

#include "bootkey/base/text.hpp"

namespace bootkey::discovery {
namespace {

constexpr std::size_t longest_text = 256;  // bytes of a name, a host name or a TXT string
constexpr base::Duration refusal_pause = std::chrono::seconds(10);

bool valid_text(const std::string& text) {
    return !text.empty() && text.size() <= longest_text && base::is_printable_utf8(text);
}

bool is_v4_mapped(const base::IpAddress& address) {
    static const base::IpAddress mapped = *base::IpAddress::parse("::ffff:0.0.0.0");
    return address.is_v6() && std::equal(mapped.bytes().begin(), mapped.bytes().begin() + 12, address.bytes().begin());
}

bool same_place(const Sighting& a, const Sighting& b) {
    return a.host == b.host && a.port == b.port;
}

/// Whether there is nothing in `a` that would be worth telling somebody who knows `b`. Nobody connects by TXT.
bool same_contents(const Service& a, const Service& b) {
    return a.host == b.host && a.endpoints == b.endpoints;
}

bool contains(const std::vector<base::IpAddress>& addresses, const base::IpAddress& address) {
    return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

}  // namespace

bool ServiceTable::acceptable(const base::IpAddress& address) const {
    // IPv4-mapped addresses never go over the wire and would let others through the other checks.
    return !address.is_loopback() && !address.is_unspecified() && !address.is_multicast() && !is_v4_mapped(address) &&
           !is_own_(address);
}

std::optional<Service> ServiceTable::merged(const ServiceId& id, const Entry& entry) const {
    const Sighting* leading = entry.browsed ? &*entry.browsed : nullptr;
    const Sighting* other = entry.answered ? &*entry.answered : nullptr;
    if (leading == nullptr || (other != nullptr && entry.last_changed == Source::question)) std::swap(leading, other);

    const bool agreed = other != nullptr && same_place(*leading, *other);
    std::vector<base::IpAddress> addresses = leading->addresses;
    if (agreed) addresses.insert(addresses.end(), other->addresses.begin(), other->addresses.end());
    std::erase_if(addresses, [this](const base::IpAddress& address) { return !acceptable(address); });
    // A fixed order, so that equal sets are equal services; link-local first, since those need no route.
    std::sort(addresses.begin(), addresses.end(), [](const base::IpAddress& a, const base::IpAddress& b) {
        return a.is_link_local() != b.is_link_local() ? a.is_link_local() : a < b;
    });
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    if (addresses.size() > most_endpoints) addresses.resize(most_endpoints);
    if (addresses.empty()) return std::nullopt;

    Service service{id, leading->host, {}, {}};
    for (const base::IpAddress& address : addresses)
        service.endpoints.push_back({address, leading->port, id.interface});
    for (const std::string& text : leading->txt.empty() && agreed ? other->txt : leading->txt)
        if (service.txt.size() < most_txt && valid_text(text)) service.txt.push_back(text);
    return service;
}

News ServiceTable::seen(Source source, const Sighting& sighting, base::Time now) {
    News news;
    if (!valid_text(sighting.id.name) || !valid_text(sighting.host) || sighting.port == 0) {
        refuse(news,
               base::format("\"%s\" on host \"%s\": bad name or port", base::escaped(sighting.id.name).c_str(),
                            base::escaped(sighting.host).c_str()),
               now);
        return news;
    }
    if (!entries_.contains(sighting.id)) {
        if (std::none_of(sighting.addresses.begin(), sighting.addresses.end(),
                         [this](const auto& address) { return acceptable(address); })) {
            refuse(news,
                   base::format("\"%s\" on host \"%s\": none of its addresses is one that another machine can have",
                                base::escaped(sighting.id.name).c_str(), base::escaped(sighting.host).c_str()),
                   now);
            return news;
        }
        make_room(news);
        entries_[sighting.id].first_seen = now;
    }
    Entry& entry = entries_[sighting.id];
    entry.seen = now;
    // A server that answered a question, stopped before the browser could know it and is announced again now was
    // started anew.
    const bool reappeared = source == Source::browser && !entry.ever_browsed && now - entry.first_seen >= confirmation;
    entry.ever_browsed = entry.ever_browsed || source == Source::browser;
    std::optional<Sighting>& view = source == Source::question ? entry.answered : entry.browsed;
    if (!view || !same_place(*view, sighting)) entry.last_changed = source;
    if (source == Source::browser && view && entry.answered)
        std::erase_if(entry.answered->addresses, [&](const base::IpAddress& address) {
            return contains(view->addresses, address) && !contains(sighting.addresses, address);
        });
    view = sighting;

    auto service = merged(sighting.id, entry);
    if (service && (reappeared || !entry.told || !same_contents(*service, *entry.told))) {
        entry.told = service;
        news.found.push_back(std::move(*service));
    } else if (!service && entry.told) {
        news.lost.push_back(sighting.id);
        entries_.erase(sighting.id);
    }
    return news;
}

News ServiceTable::withdrawn(const ServiceId& id) {
    News news;
    const auto entry = entries_.find(id);
    if (entry == entries_.end()) return news;
    if (entry->second.told) news.lost.push_back(id);
    entries_.erase(entry);
    return news;
}

void ServiceTable::browser_restarted(base::Time now) {
    for (auto& [id, entry] : entries_) {
        if (!entry.browsed) continue;
        if (!entry.answered || entry.last_changed == Source::browser) entry.answered = std::move(entry.browsed);
        entry.browsed.reset();
        entry.last_changed = Source::question;
        entry.seen = now;
    }
}

void ServiceTable::forget(std::uint32_t interface) {
    std::erase_if(entries_, [&](const auto& item) { return item.first.interface == interface; });
}

std::set<std::uint32_t> ServiceTable::unconfirmed() const {
    std::set<std::uint32_t> interfaces;
    for (const auto& [id, entry] : entries_)
        if (!entry.browsed) interfaces.insert(id.interface);
    return interfaces;
}

News ServiceTable::expire(base::Time now) {
    News news;
    std::erase_if(entries_, [&](const auto& item) {
        const bool expired = !item.second.browsed && now - item.second.seen >= unconfirmed_life;
        if (expired && item.second.told) news.lost.push_back(item.first);
        return expired;
    });
    return news;
}

void ServiceTable::make_room(News& news) {
    if (!is_full()) return;
    const auto oldest = std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
        const bool a_vouched = a.second.browsed.has_value();
        const bool b_vouched = b.second.browsed.has_value();
        return a_vouched != b_vouched ? b_vouched : a.second.seen < b.second.seen;
    });
    if (oldest->second.told) news.lost.push_back(oldest->first);
    entries_.erase(oldest);
}

void ServiceTable::refuse(News& news, std::string text, base::Time now) {
    if (refused_at_ && now - *refused_at_ < refusal_pause) return;
    refused_at_ = now;
    news.refusal = "refused the announced service " + std::move(text);
}

}  // namespace bootkey::discovery
