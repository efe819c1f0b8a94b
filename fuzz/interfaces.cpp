// SPDX-License-Identifier: GPL-3.0-or-later
//
// --interface, and what it means for interfaces. The first line is its value, each other one the name of an interface.
// Accepted: if the value is one and an interface is used.
#include <linux/if.h>

#include <algorithm>

#include "bootkey/network/interface_choice.hpp"
#include "bootkey/options/option_values.hpp"
#include "bootkey/options/server_address.hpp"
#include "fuzz.hpp"

using namespace bootkey;
using network::InterfaceChoice;
using network::Use;

bool fuzz::run(Input input) {
    Script script(input);
    const auto value = script.until("\n");
    options::Options options;
    if (const auto added = options::add_interfaces(options, value); !added) {
        require_readable(added.error().message());
        return false;
    }
    const auto parts = base::split(value, ',');
    const std::vector<std::string> one_by_one(parts.begin(), parts.end());
    const bool excludes = std::ranges::any_of(parts, [](std::string_view part) { return part.starts_with('!'); });
    const InterfaceChoice choice(options.interfaces, false);
    require(choice.device() == InterfaceChoice(one_by_one, false).device(), "a list may be given in pieces");
    require(choice.device().find_first_of(" \t\n/:") == std::string::npos, "DEVICE is made of names and commas");
    for (const auto& name : choice.plain_names()) {
        require(options::is_interface_name(name) && name != "lo", "what is reported as missing is a name");
        require(excludes || choice.use({2, name, 0, 0}) != Use::ignore, "what is named is used, whatever it is");
    }
    bool used = false;
    while (!script.ended()) {
        const std::string name(script.until("\n").substr(0, IFNAMSIZ - 1));
        for (const unsigned flags : {0U, unsigned{IFF_BROADCAST}, unsigned{IFF_POINTOPOINT | IFF_NOARP}}) {
            const network::Link link{2, name, flags, 0};
            require(choice.use({2, name, flags | IFF_LOOPBACK, 0}) == Use::ignore, "loopback is never used");
            require(choice.use(link) == InterfaceChoice(one_by_one, false).use(link), "a list may be given in pieces");
            used = used || choice.use(link) != Use::ignore;
        }
    }
    return used;
}
