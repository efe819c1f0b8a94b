// SPDX-License-Identifier: GPL-3.0-or-later
//
// A datagram of rtnetlink as the answer to a request: acknowledgements, routes, addresses. Accepted: if it has any.
#include <linux/rtnetlink.h>

#include "bootkey/network/netlink_message.hpp"
#include "fuzz.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    bool understood = false;
    network::Bytes rest = input;
    while (const auto message = network::take_message(rest)) {
        if (const auto answer = network::decode_acknowledgement(*message)) {
            require(answer->errno_value >= 0 && answer->errno_value < 4096, "an answer has an errno");
            if (!answer->explanation.empty()) require_readable(answer->explanation);
            understood = true;
        }
        if (const auto route = network::decode_route(*message)) {
            require(route->interfaces.size() <= message->payload.size() / sizeof(rtnexthop), "no next hop is made up");
            understood = understood || message->type == RTM_NEWROUTE;
        }
        if (const auto address = network::decode_address(*message)) {
            require(address->address.interface != 0, "an address is on an interface");
            understood = understood || message->type == RTM_NEWADDR;
        }
    }
    return understood;
}
