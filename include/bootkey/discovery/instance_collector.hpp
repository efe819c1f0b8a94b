// SPDX-License-Identifier: GPL-3.0-or-later
//
// Puts the records of several answers, heard on one interface over one protocol, together to whole service instances,
// and says what is still to be asked. Pure and bounded, whatever the answers hold.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "bootkey/discovery/dns_message.hpp"
#include "bootkey/discovery/sighting.hpp"

namespace bootkey::discovery {

class InstanceCollector {
public:
    /// For instances of mandos_service_type that were found there.
    InstanceCollector(std::uint32_t interface, int family);

    /// Takes an answer in. Returns the instances it says something about that are whole: host, port and an address
    /// known.
    [[nodiscard]] std::vector<Sighting> add(const DnsAnswer& answer);
    /// Questions for what is lacking to known instances, at most `most_questions` at a time and each one once in a
    /// round.
    [[nodiscard]] std::vector<DnsQuestion> missing();
    /// A new round begins: what is still missing may be asked once more.
    void new_round() { asked_.clear(); }
    /// The question that starts it all: which instances are there?
    [[nodiscard]] DnsQuestion first_question() const;

    static constexpr std::size_t most_instances = 256;
    static constexpr std::size_t most_addresses = 16;  ///< per host
    static constexpr std::size_t most_questions = 8;   ///< fits any packet: 8 × 255 bytes of name at the very worst

private:
    struct Instance {
        std::string label;
        unsigned long number = 0;  // in the order in which they were named
        std::optional<DnsAnswer::Location> location;
        std::optional<std::vector<std::string>> txt;
    };
    void make_room();
    bool know(const DnsName& name);
    [[nodiscard]] std::set<DnsName> targets() const;

    std::uint32_t interface_;
    int family_;
    DnsName type_;
    std::map<DnsName, Instance> instances_;
    unsigned long next_number_ = 0;
    std::map<DnsName, std::vector<base::IpAddress>> hosts_;  // SRV targets only
    std::set<std::pair<DnsName, std::uint16_t>> asked_;
};

}  // namespace bootkey::discovery
