// SPDX-License-Identifier: GPL-3.0-or-later
//
// Names of files in the network hook directory. Accepted: those that may be hooks.
#include <fnmatch.h>

#include <string>

#include "bootkey/network/network_hooks.hpp"
#include "fuzz.hpp"

using namespace bootkey;

bool fuzz::run(Input input) {
    const std::string name(text_of(input));
    const bool accepted = network::is_hook_name(name);
    const bool fits = !name.empty() && name.find('\0') == std::string::npos &&
                      fnmatch("*[!0-9A-Za-z_.-]*", name.c_str(), 0) == FNM_NOMATCH;
    require(accepted == fits, "a hook's name has letters, digits, '_', '.' and '-' only");

    const network::HookSettings settings{
        .directory = "/hooks", .device = name, .delay_text = name, .connect_text = name};
    std::string variables;
    for (const auto& variable : network::hook_environment(settings, name))
        variables += variable.substr(0, variable.find('=')) + ' ';
    require(variables.starts_with("PATH MANDOSNETHOOKDIR DEVICE MODE VERBOSITY DELAY "), "a hook has its variables");
    require(variables.ends_with(name.empty() ? "DELAY " : "DELAY CONNECT "), "and no others");
    return accepted;
}
