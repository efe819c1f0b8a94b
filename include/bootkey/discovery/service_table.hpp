// SPDX-License-Identifier: GPL-3.0-or-later
//
// The one picture of what services there are, from two sources: answers to one-shot questions, quick but only a
// moment's view, and the browser, slower but told of every change. Checks everything that the network said. Pure:
// events and the time in, news out.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/time.hpp"
#include "bootkey/discovery/discovery.hpp"
#include "bootkey/discovery/sighting.hpp"

namespace bootkey::discovery {

/// What an event changed.
struct News {
    std::vector<Service> found;  ///< new or changed
    std::vector<ServiceId> lost;
    std::string refusal;  ///< for the log: what was refused and why; mostly empty, also where too much was said lately
};

class ServiceTable {
public:
    /// `is_own`: whether an address is one of this machine's.
    explicit ServiceTable(std::function<bool(const base::IpAddress&)> is_own) : is_own_(std::move(is_own)) {}

    /// A one-shot question was answered with this.
    [[nodiscard]] News answered(const Sighting& sighting, base::Time now) {
        return seen(Source::question, sighting, now);
    }
    /// The browser sees this; all of its current view of the service.
    [[nodiscard]] News browsed(const Sighting& sighting, base::Time now) {
        return seen(Source::browser, sighting, now);
    }
    /// The browser was told that the service is gone: nobody's older news of it counts any more.
    [[nodiscard]] News withdrawn(const ServiceId& id);
    /// The browser begins anew and knows nothing: what only it knew is now unconfirmed.
    void browser_restarted(base::Time now);
    /// Forgets all services on the interface. No news: whoever says so knows.
    void forget(std::uint32_t interface);

    /// Interfaces with services that the browser does not vouch for: they are to be asked for again now and then.
    [[nodiscard]] std::set<std::uint32_t> unconfirmed() const;
    /// Drops services that the browser does not vouch for and that have not been heard of for `unconfirmed_life`.
    [[nodiscard]] News expire(base::Time now);

    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    [[nodiscard]] bool is_full() const { return entries_.size() >= most_services; }
    [[nodiscard]] bool knows(const ServiceId& id) const { return entries_.contains(id); }

    static constexpr std::size_t most_services = 256;
    static constexpr std::size_t most_endpoints = 16;  ///< per service
    static constexpr std::size_t most_txt = 32;        ///< strings per service
    /// What the browser sees for the first time later than this has not been there all the time. (Responders do not
    /// repeat themselves within a second, RFC 6762 section 6, and the browser's own pauses add a third.)
    static constexpr base::Duration confirmation = std::chrono::milliseconds(1500);
    static constexpr base::Duration unconfirmed_life =
        std::chrono::seconds(150);  ///< two questions a minute apart unanswered

private:
    enum class Source { question, browser };
    struct Entry {
        std::optional<Sighting> answered;
        std::optional<Sighting> browsed;
        Source last_changed = Source::question;  // whose host and port count
        base::Time first_seen;
        base::Time seen;
        bool ever_browsed = false;
        std::optional<Service> told;  // as the listener knows it
    };
    [[nodiscard]] News seen(Source source, const Sighting& sighting, base::Time now);
    [[nodiscard]] std::optional<Service> merged(const ServiceId& id, const Entry& entry) const;
    [[nodiscard]] bool acceptable(const base::IpAddress& address) const;
    void make_room(News& news);
    void refuse(News& news, std::string text, base::Time now);

    std::function<bool(const base::IpAddress&)> is_own_;
    std::map<ServiceId, Entry> entries_;
    std::optional<base::Time> refused_at_;
};

}  // namespace bootkey::discovery
