// SPDX-License-Identifier: GPL-3.0-or-later
//
// What unlocking asks of the part of the program that may change the machine, as values: the one who asks is not
// privileged, and is in another process than the one that performs. Every change is recorded with its inverse before it
// is made, and undone by the one that performs it; nobody else has to put anything back.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/result.hpp"

namespace bootkey::changes {

// Each request lists its fields by parts(), for it travels between processes.

/// Run every network hook with "start", in name order. They run once: to be asked again is to be told again how it
/// went.
struct StartHooks {
    static auto parts(auto&) { return std::tie(); }
};
/// Turn duplicate address detection off on the interface and set IFF_UP; on old kernels not before udev has renamed it.
/// An interface that is up already is left as it is, but counts as used by us.
struct BringUp {
    std::uint32_t interface = 0;  ///< index
    static auto parts(auto& self) { return std::tie(self.interface); }
};
/// Add a route to this one address over the interface, unless the kernel has any route to it. At most 16 (then an
/// error, unavailable).
struct AddHostRoute {
    std::uint32_t interface = 0;  ///< index
    base::IpAddress destination{};
    static auto parts(auto& self) { return std::tie(self.interface, self.destination); }
};
/// Take a route that was added back before the end, where it would be in the way of better ones. Nothing if there is
/// none, or if another running instance uses it.
struct RemoveHostRoute {
    std::uint32_t interface = 0;  ///< index
    base::IpAddress destination{};
    static auto parts(auto& self) { return std::tie(self.interface, self.destination); }
};
/// Keep kernel messages off the console while interfaces come up (never more of them than before).
struct LowerConsoleLevel {
    static auto parts(auto&) { return std::tie(); }
};
/// Put the console level back to what LowerConsoleLevel found.
struct RestoreConsoleLevel {
    static auto parts(auto&) { return std::tie(); }
};
using Request =
    std::variant<StartHooks, BringUp, AddHostRoute, RemoveHostRoute, LowerConsoleLevel, RestoreConsoleLevel>;

/// How a request ended.
struct Reply {
    base::Result<void> result = {};
    /// To StartHooks when --delay has passed and some hooks still run: the names of interfaces that they are going to
    /// take as ports of others, and that are to be left alone until then. Another reply follows when they have ended.
    std::vector<std::string> reserved = {};
};

/// Told the reply, from the loop, never before the call that was given it returns. None: nobody wants to know.
using Done = std::function<void(const Reply&)>;
/// Asks for something, in whatever process it is performed.
using RequestSender = std::function<void(const Request& request, Done done)>;

}  // namespace bootkey::changes
