// SPDX-License-Identifier: GPL-3.0-or-later
//
// Records to service instances: PTR names the instance, SRV its host and port, A and AAAA the host's addresses.
#include "bootkey/discovery/instance_collector.hpp"

#include <arpa/nameser.h>

#include <algorithm>

namespace bootkey::discovery {

InstanceCollector::InstanceCollector(std::uint32_t interface, int family)
    : interface_(interface), family_(family), type_(*DnsName::from_text(std::string(mandos_service_type))) {
}

DnsQuestion InstanceCollector::first_question() const {
    return {type_, ns_t_ptr};
}

// In a flood the one that was named first makes room: if it was answered as a whole, it has been told.
void InstanceCollector::make_room() {
    if (instances_.size() < most_instances) return;
    instances_.erase(std::min_element(instances_.begin(), instances_.end(),
                                      [](const auto& a, const auto& b) { return a.second.number < b.second.number; }));
}

/// Whether that is the name of an instance; if so it is among the known ones then.
bool InstanceCollector::know(const DnsName& name) {
    if (instances_.contains(name)) return true;
    auto label = name.label_below(type_);
    if (!label) return false;
    make_room();
    instances_.emplace(name, Instance{std::move(*label), next_number_++, {}, {}});
    return true;
}

/// All hosts that instances are on.
std::set<DnsName> InstanceCollector::targets() const {
    std::set<DnsName> names;
    for (const auto& [name, instance] : instances_)
        if (instance.location) names.insert(instance.location->target);
    return names;
}

std::vector<Sighting> InstanceCollector::add(const DnsAnswer& answer) {
    // Records may come in any order: what others refer to is taken first.
    std::set<DnsName> touched_hosts;
    std::set<DnsName> touched;
    for (const auto& pointer : answer.pointers)
        if (pointer.owner == type_ && know(pointer.target)) touched.insert(pointer.target);
    // A server that comes announces its PTR record a second before the others: in a flood it may be forgotten by then.
    for (const auto& location : answer.locations) {
        if (!know(location.owner)) continue;
        instances_.at(location.owner).location = location;
        touched.insert(location.owner);
    }
    for (const auto& text : answer.texts) {
        const auto instance = instances_.find(text.owner);
        if (instance == instances_.end()) continue;
        instance->second.txt = text.strings;
        touched.insert(text.owner);
    }
    const std::set<DnsName> hosts = targets();
    std::erase_if(hosts_, [&](const auto& host) { return !hosts.contains(host.first); });
    for (const auto& address : answer.addresses) {
        if (!hosts.contains(address.owner)) continue;
        auto& known = hosts_[address.owner];
        if (known.size() < most_addresses && std::find(known.begin(), known.end(), address.address) == known.end())
            known.push_back(address.address);
        touched_hosts.insert(address.owner);
    }

    std::vector<Sighting> whole;
    for (const auto& [name, instance] : instances_) {
        if (!instance.location) continue;
        if (!touched.contains(name) && !touched_hosts.contains(instance.location->target)) continue;
        const auto host = hosts_.find(instance.location->target);
        if (host == hosts_.end()) continue;
        whole.push_back({{instance.label, interface_, family_},
                         instance.location->target.text(),
                         instance.location->port,
                         host->second,
                         instance.txt.value_or(std::vector<std::string>{})});
    }
    return whole;
}

std::vector<DnsQuestion> InstanceCollector::missing() {
    std::vector<DnsQuestion> questions;
    const auto ask = [&](const DnsName& name, std::uint16_t type) {
        if (questions.size() < most_questions && asked_.emplace(name, type).second) questions.push_back({name, type});
    };
    for (const auto& [name, instance] : instances_) {
        if (!instance.location) ask(name, ns_t_srv);
        if (!instance.txt) ask(name, ns_t_txt);
        if (instance.location && !hosts_.contains(instance.location->target)) {
            ask(instance.location->target, ns_t_aaaa);
            ask(instance.location->target, ns_t_a);
        }
    }
    return questions;
}

}  // namespace bootkey::discovery
