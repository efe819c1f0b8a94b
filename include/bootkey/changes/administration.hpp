// SPDX-License-Identifier: GPL-3.0-or-later
//
// What unlocking asks of the part of the program that may change the machine. Abstract, so that whoever asks
// need not be privileged, nor in the same process as who does it. Every change is recorded with its inverse before it
// is made and undone by the implementation's owner; whoever asks never has to put anything back.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/result.hpp"

namespace bootkey::changes {

class Administration {
public:
    /// Called back once, from the loop, never before the call that was given it returns.
    using Done = std::function<void(base::Result<void>)>;

    virtual ~Administration() = default;

    /// Told names of interfaces that hooks are going to take as ports of others, and that are to be left alone until
    /// then.
    using Proceed = std::function<void(const std::vector<std::string>& reserved)>;
    /// Runs every network hook with "start", in name order. `proceed` is called when all have ended, and nothing is
    /// reserved; or when --delay has passed since the call, and once more when those that still ran then have ended,
    /// if something was reserved.
    virtual void start_hooks(Proceed proceed) = 0;
    /// Turns duplicate address detection off on the interface (index) and sets IFF_UP; on old kernels not before udev
    /// has renamed it. An interface that is up already is left as it is, but counts as used by us.
    virtual void bring_up(std::uint32_t interface, Done done) = 0;
    /// Adds a route to the one address `destination` over the interface (index), unless the kernel has any route to it.
    /// At most 16 (then an error, unavailable).
    virtual void add_host_route(const base::IpAddress& destination, std::uint32_t interface, Done done) = 0;
    /// Takes a route that add_host_route() has added back before the end, where it would be in the way of better ones.
    /// Nothing if there is none, or if another running instance uses it.
    virtual void remove_host_route(const base::IpAddress& destination, std::uint32_t interface, Done done) = 0;
    /// Keeps kernel messages off the console while interfaces come up (never more of them than before).
    virtual void lower_console_level() = 0;
    /// Puts the console level back to what lower_console_level() found.
    virtual void restore_console_level() = 0;
};

}  // namespace bootkey::changes
