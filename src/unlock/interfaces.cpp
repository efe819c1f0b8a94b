// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/unlock/interfaces.hpp"

#include <net/if.h>

#include <algorithm>
#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::unlock {
namespace {

using base::escaped;
using base::format;

// What keeps an interface down (memory, file descriptors, a full file system, firmware that is still being loaded) may
// pass at any time; the pause is doubled from try to try.
constexpr base::Duration first_bring_up_pause = std::chrono::milliseconds(500);
constexpr base::Duration longest_bring_up_pause = std::chrono::seconds(30);

// Why the interface has no IPv6 address either.
std::string why_no_ipv6(const network::Link& link) {
    constexpr std::uint32_t least_mtu = 1280;  // RFC 8200, section 5
    if (link.mtu != 0 && link.mtu < least_mtu)
        return format("its MTU of %u bytes is less than the %u that IPv6 needs", link.mtu, least_mtu);
    if (link.ipv6 == network::Link::Ipv6::missing) return "the kernel has no IPv6 (ipv6.disable=1 on its command line)";
    if (link.ipv6 == network::Link::Ipv6::off)
        return format("IPv6 is off (net.ipv6.conf.%s.disable_ipv6 is 1)", escaped(link.name).c_str());
    return "none of its IPv6 addresses can be used: another host may have the same, or link-local addresses are not "
           "made "
           "(addrgenmode none)";
}

bool is_running(const network::Link& link) {
    return (link.flags & IFF_UP) != 0 && (link.flags & IFF_RUNNING) != 0;
}

}  // namespace

base::Result<std::unique_ptr<Interfaces>> Interfaces::start(base::Loop& loop, const base::Log& log,
                                                            network::InterfaceChoice choice, base::Duration delay,
                                                            changes::RequestSender ask, Listener listener) {
    std::unique_ptr<Interfaces> interfaces(
        new Interfaces(loop, log, std::move(choice), delay, std::move(ask), std::move(listener)));
    Interfaces* self = interfaces.get();
    auto links = network::RtnetlinkMonitor::open(
        loop, log, [self](const network::Event& event) { self->on_event(event); },
        [self] {
            self->links_known_ = true;
            self->begin_when_ready();
        });
    if (!links) return std::move(links).error();
    self->links_ = std::move(*links);
    self->delay_timer_->arm(delay);
    self->ask_(changes::StartHooks{}, [weak = std::weak_ptr(self->self_)](const changes::Reply& reply) {
        const auto alive = weak.lock();
        if (!alive) return;
        if (!reply.result) (*alive)->log_.error(reply.result.error().message());  // interfaces can do without
        (*alive)->choice_.leave_alone(reply.reserved);
        (*alive)->hooks_over_ = true;
        (*alive)->begin_when_ready();
    });
    return interfaces;
}

Interfaces::Interfaces(base::Loop& loop, const base::Log& log, network::InterfaceChoice choice, base::Duration delay,
                       changes::RequestSender ask, Listener listener)
    : loop_(loop),
      log_(log),
      choice_(std::move(choice)),
      delay_(delay),
      ask_(std::move(ask)),
      listener_(std::move(listener)),
      bring_up_pause_(first_bring_up_pause),
      delay_timer_(loop.timer([this] { on_delay_passed(); })),
      bring_up_timer_(loop.timer([this] { bring_up_again(); })) {
}

Interfaces::~Interfaces() = default;

std::set<std::uint32_t> Interfaces::in_use() const {
    std::set<std::uint32_t> indices;
    for (const auto& [index, state] : states_)
        if (state.in_use) indices.insert(index);
    return indices;
}

std::vector<std::string> Interfaces::status() const {
    std::vector<std::string> lines;
    for (const auto& [index, link] : table().links()) {
        const auto state = states_.find(index);
        if (state == states_.end()) continue;
        std::string line =
            format("interface %s: %s", escaped(link.name).c_str(), state->second.in_use ? "in use" : "waiting");
        for (const network::InterfaceAddress& address : table().addresses())
            if (address.interface == index) line += " " + address.address.text();
        lines.push_back(std::move(line));
    }
    return lines;
}

// Interfaces are chosen when the hooks are through (or slow) and the kernel has told all it knows.
void Interfaces::begin_when_ready() {
    if (!hooks_over_ || !links_known_) return;
    log_.info(3, "network hooks are through; choosing interfaces");
    if (!std::exchange(has_begun_, true)) report_missing_names();
    const auto links = table().links();  // a copy: what is asked for may change the table
    for (const auto& [index, link] : links) consider(link);
}

void Interfaces::on_event(const network::Event& event) {
    if (const auto* changed = std::get_if<network::LinkChanged>(&event)) {
        if (hooks_over_ && links_known_) consider(changed->link);
    } else if (const auto* removed = std::get_if<network::LinkRemoved>(&event)) {
        on_removed(removed->link);
    } else if (const auto* usable = std::get_if<network::AddressUsable>(&event)) {
        const auto state = states_.find(usable->address.interface);
        if (state != states_.end() && state->second.in_use) use(usable->address, state->second);
    }
    listener_.changed();
}

void Interfaces::on_removed(const network::Link& link) {
    const auto known = states_.find(link.index);
    if (known == states_.end()) return;
    note(known->second, &timeline::InterfaceRecord::gone);
    states_.erase(known);
    log_.info(2, format("interface %s is gone", escaped(link.name).c_str()));
    listener_.gone(link.index, true);
}

// Decides anew about one interface: it appeared, was renamed, or changed its flags.
void Interfaces::consider(const network::Link& link) {
    const network::Use use = choice_.use(link);
    const auto known = states_.find(link.index);
    if (use == network::Use::ignore) {
        if (known == states_.end()) return;
        set_in_use(link, false);
        states_.erase(link.index);
        return;
    }
    // One that is up is asked for as well: it does not change, but no other instance takes it down under us.
    const bool wanted = use == network::Use::bring_up || (link.flags & IFF_UP) != 0;
    State& state = states_[link.index];
    state.record.index = link.index;
    state.record.name = link.name;
    if (wanted && !state.asked_up) bring_up(link);
    set_in_use(link, is_running(link));
}

void Interfaces::bring_up(const network::Link& link) {
    states_[link.index].asked_up = true;
    ++bring_ups_pending_;
    if ((link.flags & IFF_UP) != 0) {
        log_.info(3, format("interface %s: it is up already", escaped(link.name).c_str()));
    } else {
        log_.info(3, format("interface %s: bringing it up", escaped(link.name).c_str()));
        note(states_[link.index], &timeline::InterfaceRecord::asked_up);
        if (!console_lowered_) ask_(changes::LowerConsoleLevel{}, {});
        console_lowered_ = true;
    }
    ask_(changes::BringUp{link.index},
         [weak = std::weak_ptr(self_), interface = link.index](const changes::Reply& reply) {
             if (const auto alive = weak.lock()) (*alive)->on_brought_up(interface, reply.result);
         });
}

void Interfaces::on_brought_up(std::uint32_t interface, const base::Result<void>& result) {
    --bring_ups_pending_;
    if (result) return;
    // Said once as an error; the console belongs to whoever types there.
    if (bring_up_pause_ == first_bring_up_pause)
        log_.error(result.error().message());
    else
        log_.info(2, result.error().message());
    const auto is_up = [&](const auto& entry) {
        const network::Link* link = table().find(entry.first);
        return link != nullptr && (link->flags & IFF_UP) != 0;
    };
    const bool refused = result.error().code == base::ExitCode::no_permission;
    if (refused && bring_ups_pending_ == 0 && std::none_of(states_.begin(), states_.end(), is_up))
        return listener_.refused(result.error());
    const auto state = states_.find(interface);
    if (refused || state == states_.end()) return;
    state->second.failed = true;
    bring_up_timer_->arm(bring_up_pause_);
}

void Interfaces::bring_up_again() {
    bring_up_pause_ = std::min(2 * bring_up_pause_, longest_bring_up_pause);
    const auto links = table().links();  // a copy: what is asked for may change the table
    for (const auto& [index, link] : links) {
        const auto state = states_.find(index);
        if (state == states_.end() || !std::exchange(state->second.failed, false)) continue;
        state->second.asked_up = false;
        consider(link);
    }
}

void Interfaces::set_in_use(const network::Link& link, bool in_use) {
    State& state = states_[link.index];
    if (state.in_use == in_use) return;
    state.in_use = in_use;
    log_.info(3, format("interface %s: %s", escaped(link.name).c_str(), in_use ? "running" : "not running any more"));
    if (!in_use) {
        note(state, &timeline::InterfaceRecord::gone);
        return listener_.gone(link.index, false);
    }
    state.record.gone.reset();
    note(state, &timeline::InterfaceRecord::running);
    const auto is_in_use = [](const auto& entry) { return entry.second.in_use; };
    if (std::all_of(states_.begin(), states_.end(), is_in_use)) restore_console_level();
    for (const network::InterfaceAddress& address : std::set(table().addresses()))
        if (address.interface == link.index) use(address, state);
}

void Interfaces::use(const network::InterfaceAddress& address, State& state) {
    note(state, &timeline::InterfaceRecord::usable);
    listener_.usable(address);
}

void Interfaces::note(State& state, timeline::Moment timeline::InterfaceRecord::*what) {
    timeline::Moment& moment = state.record.*what;
    if (moment) return;
    moment = loop_.now();
    listener_.progress(state.record);
}

void Interfaces::report_missing_names() const {
    for (const std::string& name : choice_.plain_names()) {
        if (table().find(name) != nullptr) continue;
        log_.warning(format("cannot use interface %s: there is none of this name; it will be used when it appears",
                            escaped(name).c_str()));
    }
}

void Interfaces::on_delay_passed() {
    restore_console_level();
    if (!in_use().empty()) return report_missing_addresses();
    log_.error(
        format("no network interface is usable after %.1f seconds: none has a carrier and is up; still waiting; "
               "check cables, drivers and --interface",
               base::to_seconds(delay_)));
}

// What is said only if no interface can be used: one of several without an address is nothing unusual.
void Interfaces::report_missing_addresses() const {
    const auto indices = in_use();
    if (std::ranges::any_of(indices, [this](std::uint32_t index) { return table().usable(index); })) return;
    for (const std::uint32_t index : indices) {
        const network::Link* link = table().find(index);
        if (link == nullptr) continue;
        const std::string name = escaped(link->name);
        log_.error(
            format("interface %s is running, but has no address after %.1f seconds: it has no IPv4 address, and %s; "
                   "still waiting; give it an address, by ip= on the kernel command line for instance, or mend that",
                   name.c_str(), base::to_seconds(delay_), why_no_ipv6(*link).c_str()));
    }
}

void Interfaces::restore_console_level() {
    if (console_lowered_) ask_(changes::RestoreConsoleLevel{}, {});
    console_lowered_ = false;
}

}  // namespace bootkey::unlock
