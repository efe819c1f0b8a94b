// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/ask_twice.hpp"

#include <algorithm>

#include "bootkey/console/terminal.hpp"

namespace bootkey::modes {

base::Result<base::Secret> ask_twice(const std::string& what) {
    const auto refused = [&](const char* why) {
        return base::Error{base::ExitCode::usage, what + " not taken", why, "run bootkey again"};
    };
    auto first = console::read_password(what + ": ");
    if (!first) return first;
    if (first->empty()) return refused("it is empty");
    const auto second = console::read_password(what + ", once more: ");
    if (!second) return second.error();
    if (!std::ranges::equal(first->bytes(), second->bytes())) return refused("it was not the same the second time");
    return first;
}

}  // namespace bootkey::modes
