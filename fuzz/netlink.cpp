// SPDX-License-Identifier: GPL-3.0-or-later
//
// A datagram of rtnetlink, taken all the way to the table of links. Accepted: if it reports a link or an
// address.
#include "bootkey/network/netlink_message.hpp"
#include "bootkey/network/rtnetlink.hpp"
#include "fuzz.hpp"

using namespace bootkey;
using namespace network;

bool fuzz::run(Input input) {
    LinkTable table;
    std::map<std::uint32_t, Link> links;  // as the events tell of them
    std::set<InterfaceAddress> addresses;
    const auto listen = [&](const std::vector<Event>& events) {
        for (const Event& event : events) {
            if (const auto* changed = std::get_if<LinkChanged>(&event))
                require(links.insert_or_assign(changed->link.index, changed->link).second == changed->is_new,
                        "new once");
            if (const auto* removed = std::get_if<LinkRemoved>(&event))
                require(links.erase(removed->link.index) == 1, "only a known link is removed");
            if (const auto* usable = std::get_if<AddressUsable>(&event))
                require(addresses.insert(usable->address).second, "an address becomes usable once");
            if (const auto* gone = std::get_if<AddressGone>(&event))
                require(addresses.erase(gone->address) == 1, "only a usable address goes");
        }
        require(links == table.links() && addresses == table.addresses(), "the events tell all that the table knows");
    };
    bool understood = false;
    Bytes rest = input;
    while (const auto message = take_message(rest)) {
        require(message->whole.size() + rest.size() <= input.size(), "a message lies within its datagram");
        const auto report = decode(message->whole);
        if (report) listen(table.apply(*report));
        understood = understood || report;
    }
    table.begin_dump();
    listen(table.end_dump());
    require(links.empty() && addresses.empty(), "what a dump does not report is gone");
    return understood;
}
