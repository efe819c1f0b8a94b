// SPDX-License-Identifier: GPL-3.0-or-later
//
// The data of a TXT record. Accepted: what is well-formed.
#include "bootkey/discovery/dns_message.hpp"
#include "fuzz.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    const auto strings = discovery::parse_txt(input);
    if (!strings) return false;
    std::string written;
    for (const auto& text : *strings) {
        require(!text.empty() && text.size() <= 255, "a string has 1 to 255 bytes");
        written += static_cast<char>(text.size()) + text;
    }
    require(written.size() <= input.size(), "no string is made up");
    require(discovery::parse_txt(base::bytes_of(written)) == strings, "strings are read back");
    return true;
}
