// SPDX-License-Identifier: GPL-3.0-or-later
//
// What clients of the management interface make the program do, and what it tells them when they ask. The owner of an
// Interface fills these in, all of them. They are called from inside the Interface, mostly while it carries out a
// command, and may call it back: whatever it is told then reaches the clients after the reply to the command. None may
// destroy the Interface or its Server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/management/settings.hpp"

namespace bootkey::management {

/// One server, as the command "status" shows it. Names may be anything: they are made fit for their field, once.
struct ServerRow {
    std::string name;  ///< of the service, or ADDRESS:PORT as configured
    base::IpAddress address;
    std::uint16_t port = 0;
    std::string interface;
    std::string phase;  ///< one word: "connecting", "waiting"
    std::uint64_t tries = 0;
    std::string last_error;   ///< a text that was made fit to be shown, backslashes stay; empty: none yet
    std::uint64_t bytes = 0;  ///< received from it
    std::int64_t since = 0;   ///< when the phase began, seconds since 1970
};

/// Bytes over all connections to servers since the start, and how many connections there are now.
struct Totals {
    std::uint64_t connections = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
};

struct Steering {
    // Answers to Interface::ask(). `name` is the query's.
    std::function<void(std::string_view name, base::Secret password)> password;
    std::function<void(std::string_view name, base::Secret username, base::Secret password)> credentials;
    std::function<void(std::string_view name, bool ok)> confirmation;
    std::function<void(std::string_view name, base::Secret text)> text;
    std::function<void()> forget_passwords;
    std::function<void(AuthRetry mode)> auth_retry_changed;

    // Orders
    std::function<void()> hold_released;     ///< the hold that Interface::hold() began is over
    std::function<void(int signal)> signal;  ///< SIGHUP, SIGTERM, SIGUSR1 or SIGUSR2: to be obeyed as if it had arrived
    /// Drops connections to the server of this name, to be tried again after --retry. `name`: as the command "status"
    /// or the log shows it, or as it is. Returns how many.
    std::function<std::size_t(std::string_view name)> kill_by_name;
    /// The same for servers at this address. `scope`: name or index of the interface; empty: whichever.
    std::function<std::size_t(const base::IpAddress& address, std::string_view scope, std::uint16_t port)>
        kill_by_address;
    std::function<void(int level)> verb_changed;          ///< 0-15
    std::function<void(unsigned messages)> mute_changed;  ///< at most so many of one category in a row; 0: no limit

    // Values
    std::function<std::vector<ServerRow>()> servers;
    std::function<std::vector<std::string>()> network;  ///< lines of the command "net": interfaces, addresses, routes
    std::function<Totals()> totals;
    std::function<std::int64_t()> unix_time;  ///< seconds since 1970, by the wall clock
};

}  // namespace bootkey::management
