// SPDX-License-Identifier: GPL-3.0-or-later
//
// What both sources tell of services, one event a line: its letter, name, host, port, interface (also seconds, or how
// many), addresses and texts, with "|" between. Accepted: if a service is found.
#include "bootkey/discovery/service_table.hpp"
#include "fuzz.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    discovery::ServiceTable table([](const auto& ip) { return ip.text() == "192.0.2.1"; });
    std::set<discovery::ServiceId> told;
    bool found = false;
    const auto listen = [&](const discovery::News& news) {
        for (const auto& id : news.lost) require(told.erase(id) == 1, "only what was found is lost");
        for (const auto& [id, host, endpoints, txt] : news.found) {
            found = told.insert(id).second || found;
            require(!endpoints.empty() && endpoints.size() <= 16 && txt.size() <= 32, "what is found is bounded");
            require(base::is_printable_utf8(id.name + host), "names are text");
            for (const auto& [ip, port, interface] : endpoints)
                require(ip.text() != "192.0.2.1" && !ip.is_loopback(), "others are there");
        }
        require(told.size() <= table.size() && table.size() <= table.most_services, "256 services are known at most");
    };
    base::Time now{1000h};
    for (Script script(input); !script.ended();) {
        auto fields = base::split(script.until("\n"), '|');
        fields.resize(7);
        const auto port = static_cast<std::uint16_t>(base::parse_number(fields[3], 0, 65535).value_or(0));
        const auto number = static_cast<std::uint32_t>(base::parse_number(fields[4], 0, 400).value_or(2));
        discovery::Sighting seen{{std::string(fields[1]), number, AF_INET6}, std::string(fields[2]), port, {}, {}};
        for (const auto text : base::split(fields[5], ','))
            seen.addresses.push_back(base::IpAddress::parse(text).value_or(base::IpAddress()));
        for (const auto text : base::split(fields[6], ',')) seen.txt.emplace_back(text);
        if (fields[0] == "q") listen(table.answered(seen, now));
        if (fields[0] == "b") listen(table.browsed(seen, now));
        if (fields[0] == "w") listen(table.withdrawn(seen.id));
        if (fields[0] == "r") table.browser_restarted(now);
        if (fields[0] == "t") listen(table.expire(now += std::chrono::seconds(number)));
        for (; fields[0] == "c" && seen.id.interface > 0; --seen.id.interface) listen(table.answered(seen, now));
    }
    table.browser_restarted(now);
    listen(table.expire(now + discovery::ServiceTable::unconfirmed_life));
    require(told.empty() && table.size() == 0, "what nobody confirms is lost in the end");
    return found;
}
