// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/unlock/configured_servers.hpp"

#include "catch.hpp"

using namespace bootkey;

namespace {

options::ServerAddress server(const std::string& address, const std::string& scope = {}) {
    return {*base::IpAddress::parse(address), 4711, scope, address};
}

network::LinkTable links(const std::vector<std::pair<std::uint32_t, std::string>>& names) {
    network::LinkTable table;
    for (const auto& [index, name] : names) (void)table.apply(network::LinkReport{{index, name, 0, 0}});
    return table;
}

}  // namespace

TEST_CASE("where a configured server can be reached") {
    const auto table = links({{1, "lo"}, {2, "eth0"}, {3, "eth1"}});
    const std::set<std::uint32_t> in_use{2, 3};
    struct Case {
        const char* address;
        const char* scope;
        const char* only_interface;
        std::vector<std::uint32_t> interfaces;  // of the endpoints expected
    };
    const auto wanted = GENERATE(values<Case>({
        {"192.0.2.1", "", "", {0, 2, 3}},  // the kernel's way first
        {"192.0.2.1", "", "eth1", {3}},
        {"192.0.2.1", "", "eth9", {0}},  // not there: leave it to the kernel's routes
        {"2001:db8::1", "", "", {0, 2, 3}},
        {"2001:db8::1", "", "eth0", {2}},
        {"fe80::1", "eth1", "", {3}},
        {"fe80::1", "eth1", "eth0", {3}},  // the address's own scope wins
        {"fe80::1", "", "eth0", {2}},
        {"fe80::1", "", "", {2, 3}},  // every interface in use
        {"fe80::1", "eth9", "", {}},  // wait for it
        {"fe80::1", "", "eth9", {}},
    }));
    CAPTURE(wanted.address, wanted.scope, wanted.only_interface);
    const auto endpoints =
        unlock::endpoints_of(server(wanted.address, wanted.scope), wanted.only_interface, in_use, table);
    std::vector<std::uint32_t> interfaces;
    for (const auto& endpoint : endpoints) {
        CHECK(endpoint.address.text() == wanted.address);
        CHECK(endpoint.port == 4711);
        interfaces.push_back(endpoint.interface);
    }
    CHECK(interfaces == wanted.interfaces);
}

TEST_CASE("where only one interface is in use, the kernel's way is the only one") {
    CHECK(unlock::endpoints_of(server("192.0.2.1", ""), "", {2}, links({{1, "lo"}, {2, "eth0"}})).size() == 1);
}
