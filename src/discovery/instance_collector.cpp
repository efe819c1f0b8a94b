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

bool InstanceCollector::is_host(const DnsName& name) const {
    return std::any_of(instances_.begin(), instances_.end(), [&](const auto& entry) {
        return entry.second.location && entry.second.location->target == name;
    });
}

std::vector<Sighting> InstanceCollector::add(const DnsAnswer& answer) {
    // Records may come in any order: what others refer to is taken first.
    std::set<DnsName> touched_hosts;
    std::set<DnsName> touched;
    for (const auto& pointer : answer.pointers) {
        auto label = pointer.target.label_below(type_);
        if (!(pointer.owner == type_) || !label) continue;
        // In a flood any other makes room: what is answered as a whole has been told by then.
        if (instances_.size() >= most_instances && !instances_.contains(pointer.target)) instances_.erase(instances_.begin());
        instances_.try_emplace(pointer.target, Instance{std::move(*label), {}, {}});
        touched.insert(pointer.target);
    }
    for (const auto& location : answer.locations) {
        const auto instance = instances_.find(location.owner);
        if (instance == instances_.end()) continue;
        instance->second.location = location;
        touched.insert(location.owner);
    }
    for (const auto& text : answer.texts) {
        const auto instance = instances_.find(text.owner);
        if (instance == instances_.end()) continue;
        instance->second.txt = text.strings;
        touched.insert(text.owner);
    }
    std::erase_if(hosts_, [&](const auto& host) { return !is_host(host.first); });
    for (const auto& address : answer.addresses) {
        if (!hosts_.contains(address.owner) && !is_host(address.owner)) continue;
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
