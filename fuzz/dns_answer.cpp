// SPDX-License-Identifier: GPL-3.0-or-later
//
// A packet of multicast DNS. Accepted: answers that are understood and that Avahi may see, too.
#include "bootkey/discovery/dns_message.hpp"
#include "fuzz.hpp"

using namespace bootkey;
using discovery::DnsName;

namespace {

void check(const DnsName& name) {
    const auto wire = base::bytes_of(name.wire());
    std::size_t length = 0;
    const auto read = DnsName::from_wire(wire, 0, length);
    fuzz::require(read == name && length == wire.size() && length <= 255, "a name's wire form is read back");
    const bool has_nul = name.wire().find('\0') + 1 != wire.size();
    if (!has_nul && !name.is_root())
        fuzz::require(DnsName::from_text(name.text()) == name, "a name's text is read back");
}

bool understood(fuzz::Input message) {
    return discovery::parse_answer(message) || discovery::is_plain_answer(message);
}

}  // namespace

bool fuzz::run(Input input) {
    if (understood(input)) {
        std::vector<std::byte> longer(input.begin(), input.end());
        longer.emplace_back();
        require(!understood(longer), "an answer with one byte more is none");
        require(!understood(input.first(input.size() - 1)), "an answer with one byte less is none");
    }
    const auto answer = discovery::parse_answer(input);
    if (!answer) return false;
    std::vector<DnsName> names;
    for (const auto& [owner, target] : answer->pointers) names.insert(names.end(), {owner, target});
    for (const auto& [owner, target, port] : answer->locations) names.insert(names.end(), {owner, target});
    for (const auto& [owner, strings] : answer->texts) names.push_back(owner);
    for (const auto& [owner, address] : answer->addresses) names.push_back(owner);
    require(12 + 6 * names.size() <= input.size(), "no record is made up");  // one has 11 bytes or two names
    for (const auto& name : names) check(name);
    return discovery::is_plain_answer(input);
}
