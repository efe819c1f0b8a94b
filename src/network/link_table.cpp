// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table of interfaces and usable addresses, and what each of the kernel's reports changes in it.
#include "bootkey/network/link_table.hpp"

#include <linux/if.h>
#include <linux/if_addr.h>

#include <algorithm>
#include <iterator>

#include "bootkey/base/overloaded.hpp"

namespace bootkey::network {
namespace {

// An address may be a source and receive: duplicate address detection is over, or it is optimistic (RFC 4429).
bool is_usable(unsigned flags) {
    if ((flags & IFA_F_DADFAILED) != 0) return false;
    return (flags & IFA_F_TENTATIVE) == 0 || (flags & IFA_F_OPTIMISTIC) != 0;
}

// One visitor out of several lambdas.
}  // namespace

std::vector<Event> LinkTable::apply(const Report& report) {
    return std::visit(base::Overloaded{
                          [this](const LinkReport& r) { return link_reported(r.link); },
                          [this](const LinkGoneReport& r) { return link_gone(r.index); },
                          [this](const AddressReport& r) {
                              return is_usable(r.flags) ? address_usable(r.address) : address_gone(r.address);
                          },
                          [this](const AddressGoneReport& r) { return address_gone(r.address); },
                      },
                      report);
}

std::vector<Event> LinkTable::link_reported(const Link& link) {
    if (link.index == 0) return {};
    links_unseen_.erase(link.index);
    const auto [place, is_new] = links_.try_emplace(link.index, link);
    if (!is_new) {
        if (place->second == link) return {};
        place->second = link;
    }
    return {LinkChanged{link, is_new}};
}

std::vector<Event> LinkTable::link_gone(std::uint32_t index) {
    links_unseen_.erase(index);
    const auto place = links_.find(index);
    if (place == links_.end()) return {};
    std::vector<Event> events;
    std::erase_if(addresses_, [&](const InterfaceAddress& address) {
        if (address.interface != index) return false;
        addresses_unseen_.erase(address);
        events.emplace_back(AddressGone{address});
        return true;
    });
    events.emplace_back(LinkRemoved{std::move(place->second)});
    links_.erase(place);
    return events;
}

std::vector<Event> LinkTable::address_usable(const InterfaceAddress& address) {
    addresses_unseen_.erase(address);
    if (!addresses_.insert(address).second) return {};
    return {AddressUsable{address}};
}

std::vector<Event> LinkTable::address_gone(const InterfaceAddress& address) {
    addresses_unseen_.erase(address);
    if (addresses_.erase(address) == 0) return {};
    return {AddressGone{address}};
}

void LinkTable::begin_dump() {
    links_unseen_.clear();
    for (const auto& [index, link] : links_) links_unseen_.insert(index);
    addresses_unseen_ = addresses_;
}

std::vector<Event> LinkTable::end_dump() {
    std::vector<Event> events;
    const auto add = [&events](std::vector<Event> more) {
        std::move(more.begin(), more.end(), std::back_inserter(events));
    };
    // Each call takes its element out of the set that is walked.
    while (!addresses_unseen_.empty()) add(address_gone(InterfaceAddress(*addresses_unseen_.begin())));
    while (!links_unseen_.empty()) add(link_gone(std::uint32_t{*links_unseen_.begin()}));
    return events;
}

const Link* LinkTable::find(std::uint32_t index) const {
    const auto place = links_.find(index);
    return place == links_.end() ? nullptr : &place->second;
}

const Link* LinkTable::find(const std::string& name) const {
    const auto place =
        std::find_if(links_.begin(), links_.end(), [&](const auto& entry) { return entry.second.name == name; });
    return place == links_.end() ? nullptr : &place->second;
}

bool LinkTable::usable(std::uint32_t index) const {
    const Link* link = find(index);
    constexpr unsigned ready = IFF_UP | IFF_RUNNING;
    if (link == nullptr || (link->flags & ready) != ready) return false;
    const auto first = addresses_.lower_bound(InterfaceAddress{index, {}});
    return first != addresses_.end() && first->interface == index;
}

bool LinkTable::is_own(const base::IpAddress& address) const {
    return std::any_of(addresses_.begin(), addresses_.end(),
                       [&](const InterfaceAddress& own) { return own.address == address; });
}

}  // namespace bootkey::network
