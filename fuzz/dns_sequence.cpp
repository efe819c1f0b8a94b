// SPDX-License-Identifier: GPL-3.0-or-later
//
// Packets of multicast DNS one after the other, taken all the way to services that are found and lost. Pieces of input
// are separated by "\n\n\n"; the first letter of each says what it is. Accepted: if a service is found.
#include <set>

#include "bootkey/discovery/datagram.hpp"
#include "bootkey/discovery/instance_collector.hpp"
#include "bootkey/discovery/service_table.hpp"
#include "fuzz.hpp"

using namespace bootkey;
using discovery::InstanceCollector;

bool fuzz::run(Input input) {
    InstanceCollector collector(2, AF_INET6);
    discovery::ServiceTable table(
        [](const base::IpAddress& address) { return address == *base::IpAddress::parse("fe80::1"); });
    base::Time now{1000h};
    std::set<std::pair<std::string, unsigned>> asked;  // in this round
    bool found = false;
    for (Script script(input); !script.ended();) {
        const auto piece = script.until("\n\n\n");
        const char kind = piece.empty() ? '\0' : piece.front();
        if (kind == 't') now += std::chrono::seconds(piece.size());
        if (kind == 'n') {
            collector.new_round();
            asked.clear();
        }
        const auto answer = discovery::parse_answer(base::bytes_of(piece.substr(piece.empty() ? 0 : 1)));
        if ((kind != 'q' && kind != 'b') || !answer) continue;
        for (const auto& sighting : collector.add(*answer)) {
            require(sighting.port != 0 && !sighting.addresses.empty(), "what is called whole is whole");
            require(sighting.addresses.size() <= InstanceCollector::most_addresses, "16 addresses of a host are kept");
            found |= !(kind == 'q' ? table.answered(sighting, now) : table.browsed(sighting, now)).found.empty();
        }
        const auto questions = collector.missing();
        require(questions.size() <= InstanceCollector::most_questions, "8 questions at a time are asked");
        require(make_query(1, questions).size() <= discovery::largest_mdns_message, "questions fit into a packet");
        for (const auto& one : questions)
            require(asked.emplace(one.name.wire(), one.type).second, "a question is asked once in a round");
        require(table.size() <= table.most_services, "256 services are known");
    }
    return found;
}
