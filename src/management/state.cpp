// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/state.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "bootkey/management/fields.hpp"

namespace bootkey::management {
namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, 11> names{"CONNECTING", "ASSIGN_IP",    "ADD_ROUTES", "RESOLVE",
                                                 "WAIT",       "TCP_CONNECT",  "AUTH",       "GET_CONFIG",
                                                 "CONNECTED",  "RECONNECTING", "EXITING"};
static_assert(names.size() == static_cast<std::size_t>(State::exiting) + 1);

std::string address_of(const std::optional<base::Endpoint>& endpoint) {
    return endpoint ? endpoint->address.text() : std::string();
}

std::string port_of(const std::optional<base::Endpoint>& endpoint) {
    return endpoint ? std::to_string(endpoint->port) : std::string();
}

}  // namespace

std::string state_line(std::int64_t when, const StateChange& change) {
    const std::string local = change.local ? change.local->text() : field(change.by, ',');
    std::string line = std::to_string(when);
    for (const std::string& next :
         {std::string(names.at(static_cast<std::size_t>(change.state))), field(change.description, ','), local,
          address_of(change.server), port_of(change.server), address_of(change.from), port_of(change.from)})
        (line += ',') += next;
    return line;
}

}  // namespace bootkey::management
