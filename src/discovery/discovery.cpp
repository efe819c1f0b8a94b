// SPDX-License-Identifier: GPL-3.0-or-later
//
// The two sources and the table of what they found, tied together: asks when an interface becomes usable, starts the
// browser just after, makes it anew when the wall clock jumps, and once a minute asks again for what the browser does
// not vouch for.
#include "bootkey/discovery/discovery.hpp"

#include <map>
#include <utility>

#include "bootkey/discovery/avahi_browser.hpp"
#include "bootkey/discovery/clock_watch.hpp"
#include "bootkey/discovery/dns_message.hpp"
#include "bootkey/discovery/one_shot_query.hpp"
#include "bootkey/discovery/service_table.hpp"

namespace bootkey::discovery {
namespace {

using namespace std::chrono_literals;

// Long enough for the answer to the first question to come (well under 1 ms) and be acted upon before the browser's
// start.
constexpr auto browser_start_pause = 5ms;
constexpr auto tending_pause = 60s;
constexpr auto tending_pause_without_browser = 10s;
constexpr auto tending_pause_in_a_flood = 3s;  // the browser's cache may be full: a new server is found by asking alone

class MulticastDiscovery final : public Discovery {
public:
    MulticastDiscovery(base::Loop& loop, const base::Log& log, Listener listener,
                       std::function<bool(const base::IpAddress&)> is_own, Browsing browsing)
        : loop_(loop),
          log_(log),
          listener_(std::move(listener)),
          browsing_(browsing),
          table_(std::move(is_own)),
          question_(loop, log, [this](const Sighting& sighting) { tell(table_.answered(sighting, loop_.now())); }),
          browser_timer_(loop.timer([this] { start_browser(); })),
          tending_timer_(loop.timer([this] { tend(); })) {}

    // Without it a jump of the wall clock may silence the browser, and servers are still asked for by questions.
    void watch_clock() {
        auto clock = ClockWatch::create(loop_, [this] { restart_browser(); });
        if (clock)
            clock_ = std::move(*clock);
        else
            log_.warning(clock.error().message());
    }

    void address_usable(std::uint32_t interface, const base::IpAddress& local) override {
        usable_[{interface, local.family()}] = local;
        question_.ask(interface, local);
        if (browser_)
            browser_->join(interface);
        else
            browser_timer_->arm(browser_start_pause);
        if (!tending_) tend_later();
    }

    void interface_gone(std::uint32_t interface) override {
        std::erase_if(usable_, [&](const auto& entry) { return entry.first.first == interface; });
        question_.forget(interface);
        if (browser_) browser_->leave(interface);
        table_.forget(interface);
    }

    void ask_again() override {
        for (const auto& [place, local] : usable_) question_.ask(place.first, local);
    }

private:
    void start_browser() {
        if (browser_ || browsing_ == Browsing::off) return;
        auto browser = AvahiBrowser::create(
            loop_, log_,
            {.appeared = [this](const ServiceId& id) { appeared(id); },
             .heard = [this](std::uint32_t interface, int family,
                             const DnsAnswer& announcement) { heard(interface, family, announcement); },
             .changed = [this](const Sighting& sighting) { tell(table_.browsed(sighting, loop_.now())); },
             .withdrawn = [this](const ServiceId& id) { tell(table_.withdrawn(id)); },
             .failed = [this] { browser_failed(); }});
        if (!browser) {
            log_.warning(browser.error().message());  // tend() tries again
            return;
        }
        browser_ = std::move(*browser);
        for (const auto& [place, local] : usable_) browser_->join(place.first);
    }

    void restart_browser() {
        if (!browser_) return;
        log_.info(3, "the wall clock was set: browsing for servers anew");
        browser_.reset();
        table_.browser_restarted(loop_.now());
        start_browser();
    }

    void browser_failed() {
        log_.warning(
            "browsing for servers (multicast DNS) failed; servers are asked for by single questions meanwhile");
        browser_.reset();
        table_.browser_restarted(loop_.now());
    }

    void heard(std::uint32_t interface, int family, const DnsAnswer& announcement) {
        const auto place = usable_.find({interface, family});
        if (place != usable_.end()) question_.take(interface, place->second, announcement);
    }

    /// The browser knows a name but not yet where that is; an answer to a question says both at once.
    void appeared(const ServiceId& id) {
        const auto place = usable_.find({id.interface, id.family});
        if (place != usable_.end() && !table_.knows(id)) question_.ask_once_more(id.interface, place->second);
    }

    void tend() {
        tend_later();
        if (usable_.empty()) return;
        start_browser();
        const auto unconfirmed = table_.unconfirmed();
        for (const auto& [place, local] : usable_)
            if (!browser_ || flooded_ || unconfirmed.contains(place.first)) question_.ask(place.first, local);
        tell(table_.expire(loop_.now()));
    }

    void tend_later() {
        tending_ = true;
        if (flooded_)
            tending_timer_->arm(tending_pause_in_a_flood);
        else if (browser_ || browsing_ == Browsing::on)
            tending_timer_->arm(tending_pause);
        else
            tending_timer_->arm(tending_pause_without_browser);
    }

    void tell(const News& news) {
        if (!news.refusal.empty()) log_.info(2, news.refusal);
        for (const ServiceId& id : news.lost) listener_.lost(id);
        for (const Service& service : news.found) listener_.found(service);
        if (flooded_ == table_.is_full()) return;
        flooded_ = !flooded_;
        tend_later();
    }

    base::Loop& loop_;
    const base::Log& log_;
    Listener listener_;
    Browsing browsing_;
    ServiceTable table_;
    OneShotQuery question_;
    std::unique_ptr<AvahiBrowser> browser_;
    std::unique_ptr<ClockWatch> clock_;
    std::unique_ptr<base::Timer> browser_timer_;
    std::unique_ptr<base::Timer> tending_timer_;
    bool tending_ = false;
    bool flooded_ = false;                                             // the table was full when last seen
    std::map<std::pair<std::uint32_t, int>, base::IpAddress> usable_;  // interface and family: its latest address
};

}  // namespace

base::Result<std::unique_ptr<Discovery>> Discovery::create(base::Loop& loop, const base::Log& log, Listener listener,
                                                           std::function<bool(const base::IpAddress&)> is_own,
                                                           Browsing browsing) {
    auto discovery = std::make_unique<MulticastDiscovery>(loop, log, std::move(listener), std::move(is_own), browsing);
    discovery->watch_clock();
    return std::unique_ptr<Discovery>(std::move(discovery));
}

}  // namespace bootkey::discovery
