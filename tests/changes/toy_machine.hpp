// SPDX-License-Identifier: GPL-3.0-or-later
//
// A toy of a machine: interfaces, routes, settings, console level and directories, which bootkey's instances and others
// change. It knows of everything who made it last, and throws (model::Broken) as soon as bootkey takes from others what
// is theirs, or undoes what it has not done. Instances can be killed, and calls be made to fail, at every step.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bootkey/changes/changes.hpp"

namespace bootkey::changes::toy {

/// Thrown in place of SIGKILL: the process does nothing any more.
struct Killed {};

/// What goes wrong with one thing that an instance does. Steps are the ways into and out of the calls that it makes.
/// 0: nothing.
struct Mishap {
    unsigned killed_at = 0;       ///< this step
    unsigned fails_at = 0;        ///< the attempt to change something that fails, counted from 1
    unsigned interrupted_at = 0;  ///< the step at which others do something
    std::function<void()> others_act = {};
};

/// Something that has a value. Others' is what it would have without bootkey.
template <typename Value>
struct Setting {
    Value value;
    Value others;
    bool by_bootkey = false;

    void set_by_others(Value now) { *this = {now, now, false}; }
};

struct Interface {
    std::string name;
    Setting<bool> up{false, false};
    Setting<unsigned> accept_dad{1, 1};
    bool carrier = true;
    std::uint32_t controller = 0;
    std::set<base::IpAddress> addresses = {};  ///< of others; the kernel's own come and go with `up`

    // When bootkey brought it up; the name, when it looked at it before.
    std::string name_then = {};
    std::uint32_t controller_then = 0;
    std::set<base::IpAddress> addresses_then = {};
};

using Route = std::pair<base::IpAddress, std::uint32_t>;  // destination and interface

/// What a living instance relies on.
struct Needs {
    std::set<std::uint32_t> interfaces;
    std::set<Route> routes;
    std::set<std::string> homes;
    bool quiet_console = false;
};

class Kernel {
public:
    std::string journal_directory = {};  ///< whose lock the instances hold while they look and act; empty: not checked
    std::map<std::uint32_t, Interface> interfaces;
    std::map<Route, bool> routes;  ///< whether bootkey made it
    Setting<unsigned> console{7, 7};
    std::set<std::string> homes;           ///< of bootkey
    std::set<std::string> configurations;  ///< net-NAME.conf, which others wrote
    std::map<Instance, Needs> running;

    /// What tells others' use of the interface since bootkey brought it up; empty if nothing does.
    [[nodiscard]] std::string use_by_others(std::uint32_t index) const;
    [[nodiscard]] bool is_reachable(const base::IpAddress& destination) const;
    /// The interface goes down, and routes over it with it; those that an instance needs it does without.
    void take_down(std::uint32_t index);
    void remove_routes(std::uint32_t index);
    /// Nobody relies on the interface being up, on the route, on the console level any more: others have changed it.
    void forget_need(std::uint32_t index);
    void forget_need(const Route& route);
    void forget_need_of_console();
};

inline const char* const ipv6_settings = "/ipv6";
inline const char* const boot_configuration = "/conf";
inline const char* const printk = "/printk";

/// The machine as an instance sees it. `mishap` is counted down with each step.
[[nodiscard]] std::unique_ptr<Machine> machine(Kernel& kernel, Mishap& mishap);

}  // namespace bootkey::changes::toy
