// SPDX-License-Identifier: GPL-3.0-or-later
//
// unix:PATH, IP:PORT or PORT as --management and --control take it. Accepted: what means one place.
#include "bootkey/options/management_address.hpp"

#include "fuzz.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    const auto parsed = options::parse_management_address(text_of(input));
    if (!parsed) {
        require_readable(parsed.error().message());
        return false;
    }
    require(parsed->text == text_of(input), "a place is called as it was given");
    if (!parsed->path.empty()) {
        require(parsed->path.starts_with('/') && parsed->path.size() <= 107, "a socket can have the path");
        require(!options::is_reached_by_others(*parsed), "a Unix socket is this machine's");
        return true;
    }
    require(parsed->endpoint.port != 0 && !parsed->endpoint.address.is_multicast(), "a socket can have the address");
    const auto again = options::parse_management_address(parsed->endpoint.text());
    require(again && again->endpoint == parsed->endpoint, "it is read back");
    return true;
}
