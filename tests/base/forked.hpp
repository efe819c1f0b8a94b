// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs a piece of a test in a process of its own: for what would spoil the test program itself, such as closed
// standard descriptors, resource limits and other users.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

namespace bootkey::base::testing {

/// The status that a forked process exits with after `body()` has returned it (0-255), or -1 if it died otherwise.
/// Assertions of the test framework have no effect in `body`: it returns what is to be checked.
template <typename Body>
int forked(Body body) {
    const pid_t pid = fork();
    if (pid < 0) throw std::runtime_error("fork failed");
    if (pid == 0) {
        alarm(20);  // an end in any case
        _exit(body());
    }
    int status = 0;
    if (waitpid(pid, &status, 0) != pid) throw std::runtime_error("waitpid failed");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace bootkey::base::testing
