// SPDX-License-Identifier: GPL-3.0-or-later
//
// The states of an unlock in OpenVPN's words. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bootkey/base/address.hpp"

namespace bootkey::management {

/// How far the unlock is; names as in the protocol, in lower case.
enum class State {
    connecting,
    assign_ip,
    add_routes,
    resolve,
    wait,
    tcp_connect,
    auth,
    get_config,
    connected,
    reconnecting,
    exiting,
};

struct StateChange {
    State state = State::connecting;
    std::string description = {};  ///< one field: "SUCCESS", "server_closed"; separators in it are replaced
    /// Who answered instead of a server: "console", "management". Stands where `local` would: "SUCCESS,console".
    std::string by = {};
    std::optional<base::IpAddress> local = {};  ///< ours: that an interface got, or that the server saw
    std::optional<base::Endpoint> server = {};  ///< where the server is
    std::optional<base::Endpoint> from = {};    ///< our end of the connection to it

    friend bool operator==(const StateChange&, const StateChange&) = default;
};

/// The line of the command "state", without its end: TIME,NAME,DESC,LOCAL,REMOTE,REMOTE-PORT,LOCAL-USED,LOCAL-PORT,
/// always eight fields, which are empty where nothing is known. `when`: seconds since 1970.
[[nodiscard]] std::string state_line(std::int64_t when, const StateChange& change);

}  // namespace bootkey::management
