// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a program that asks for a password changes, and does not put back when it is killed: the settings of the
// terminals it may use (no echo), and the kernel's messages on the console, which it turns off.
#pragma once

#include <termios.h>

#include <vector>

#include "bootkey/base/unique_fd.hpp"

namespace bootkey::console {

class TerminalSettings {
public:
    /// Remembers the settings of /dev/console and of standard input's terminal, as far as they are there.
    TerminalSettings();
    /// Puts them back, and turns the kernel's messages on again if somebody has turned them off.
    void put_back() const;

private:
    struct Terminal {
        base::UniqueFd fd;
        termios settings{};
    };
    std::vector<Terminal> terminals_;
};

}  // namespace bootkey::console
