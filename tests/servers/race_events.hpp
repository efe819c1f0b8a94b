// SPDX-License-Identifier: GPL-3.0-or-later
//
// What can happen to the race, as plain data and as lines to be read. Servers go by name, attempts by server and
// endpoint, so that an event means the same when those before it are left out.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/base/time.hpp"
#include "bootkey/servers/progress.hpp"

namespace bootkey::servers::model {

struct Seen {
    std::string server, host, source;  // no host: configured
    std::vector<base::Endpoint> endpoints;
};
struct Crowd {  // of servers, each seen at one endpoint
    unsigned first, count, hosts;
};
struct Lost {
    std::string server, source;
};
struct InterfaceGone {
    std::uint32_t interface;
};
struct Reachable {
    std::uint32_t interface;  // 0: any
};
struct TryNow {};
struct Pass {
    base::Duration time;
};
struct GetsFurther {
    std::string server;
    base::Endpoint at;
};
struct AllWait {  // whatever shakes hands or connects comes to wait for an answer, and what follows it, so many times
    unsigned times;
};
struct Fails {
    std::string server;
    base::Endpoint at;
    Blame blame;
};
struct Rejected {
    std::string server;
};

inline std::string name_of(unsigned server) {
    return base::format("s%03u", server);
}

inline std::string line(const Seen& seen) {
    std::string text =
        seen.server + (seen.host.empty() ? " is configured" : " of " + seen.host + " is seen by source " + seen.source);
    std::string where;
    for (const auto& endpoint : seen.endpoints)
        where += (where.empty() ? " at " : ", ") + endpoint.text() + base::format(" (%u)", endpoint.interface);
    return text + (where.empty() ? " nowhere" : where);
}
inline std::string line(const Crowd& crowd) {
    return name_of(crowd.first) + " … " + name_of(crowd.first + crowd.count - 1) +
           base::format(" of %u hosts are seen, each at one endpoint", crowd.hosts);
}
inline std::string line(const Lost& lost) {
    return lost.server + " is lost by source " + lost.source;
}
inline std::string line(const InterfaceGone& gone) {
    return base::format("interface %u is gone", gone.interface);
}
inline std::string line(const Reachable& reachable) {
    return base::format("interface %u is usable (0: any)", reachable.interface);
}
inline std::string line(const TryNow&) {
    return "a person wants everything tried now";
}
inline std::string line(const Pass& pass) {
    return base::format("%.3f s pass", base::to_seconds(pass.time));
}
inline std::string line(const GetsFurther& further) {
    return further.server + " gets further at " + further.at.text();
}
inline std::string line(const AllWait& all) {
    return base::format("all attempts come to wait for an answer, %u times over", all.times);
}
inline std::string line(const Fails& fails) {
    return fails.server + " fails at " + fails.at.text() + (fails.blame == Blame::server ? ", the server says no" : "");
}
inline std::string line(const Rejected& rejected) {
    return "the answer of " + rejected.server + " is rejected";
}

struct Event {
    std::variant<Seen, Crowd, Lost, InterfaceGone, Reachable, TryNow, Pass, GetsFurther, AllWait, Fails, Rejected> what;
    bool together = false;  ///< the next one happens before the race decides

    [[nodiscard]] std::string text() const {
        return std::visit([](const auto& one) { return line(one); }, what) + (together ? ", and at once" : "");
    }
};

}  // namespace bootkey::servers::model
