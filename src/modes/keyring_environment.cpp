// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/keyring_environment.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace bootkey::modes {
namespace {

// gpg(1) and gpg-agent(1), sections "ENVIRONMENT" and "Agent's Assuan protocol"; the rest is what pinentry's programs
// need.
constexpr std::array<std::string_view, 16> names = {
    "HOME",     "GNUPGHOME",          "GPG_TTY",         "TERM",
    "DISPLAY",  "XAUTHORITY",         "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR",
    "LANG",     "XDG_SESSION_TYPE",   "LC_ALL",          "DBUS_SESSION_BUS_ADDRESS",
    "LC_CTYPE", "PINENTRY_USER_DATA", "LC_MESSAGES",     "LANGUAGE"};

}  // namespace

std::vector<std::string> keyring_environment(const char* const* environment) {
    std::vector<std::string> variables;
    for (; *environment != nullptr; ++environment) {
        const std::string_view variable = *environment;
        const auto equals = variable.find('=');
        if (equals != variable.npos && std::ranges::find(names, variable.substr(0, equals)) != names.end())
            variables.emplace_back(variable);
    }
    return variables;
}

}  // namespace bootkey::modes
