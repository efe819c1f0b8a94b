// SPDX-License-Identifier: GPL-3.0-or-later
//
// A person at a terminal: runs a piece of the program in a child with a pseudo-terminal of its own, and types.
#pragma once

#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "bootkey/base/unique_fd.hpp"

namespace bootkey::modes::testing {

struct Session {
    int status;          ///< what `body` returned, or -1 if it died
    std::string screen;  ///< what was to be seen on the terminal
};

/// Runs `body` (returns 0-255) and types one of `lines` whenever a prompt (": " at the end) has appeared.
template <typename Body>
Session typing(const std::vector<std::string>& lines, Body body) {
    int master = -1;
    const pid_t child = forkpty(&master, nullptr, nullptr, nullptr);
    if (child < 0) throw std::runtime_error("forkpty failed");
    if (child == 0) {
        alarm(50);  // an end in any case
        _exit(body());
    }
    const base::UniqueFd terminal(master);
    Session session{-1, {}};
    auto next = lines.begin();
    char buffer[256];
    for (ssize_t count; (count = read(terminal.get(), buffer, sizeof buffer)) > 0;) {
        session.screen.append(buffer, static_cast<std::size_t>(count));
        if (next == lines.end() || !session.screen.ends_with(": ")) continue;
        if (write(terminal.get(), next->data(), next->size()) < 0) throw std::runtime_error("write failed");
        ++next;
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) throw std::runtime_error("waitpid failed");
    if (WIFEXITED(status)) session.status = WEXITSTATUS(status);
    return session;
}

}  // namespace bootkey::modes::testing
