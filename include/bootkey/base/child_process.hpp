// SPDX-License-Identifier: GPL-3.0-or-later
//
// Child processes: started with exactly the environment, descriptors, process group and user given,
// watched by a pidfd of their own (never waitpid(-1): GPGME has children too), and ended for certain.
// A ChildProcess owns its pid; destroying one that still runs kills it (and its process group, if it leads one)
// and reaps it, for which it waits a second at most.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::base {

/// What to start. Descriptors are borrowed for the call; -1 connects /dev/null. All others are closed in the child.
struct Command {
    std::string program = {};                   ///< path, no search
    std::vector<std::string> arguments = {};    ///< argv, argv[0] included
    std::vector<std::string> environment = {};  ///< "NAME=value", exactly these
    int standard_input = -1;
    int standard_output = -1;
    int standard_error = -1;
    bool own_process_group = false;   ///< the child leads a new process group
    bool as_root = false;             ///< real, effective and saved user and group become 0 (needs privilege)
    bool die_with_parent = false;     ///< the child is killed when the thread that started it ends (PR_SET_PDEATHSIG)
    std::vector<int> inherited = {};  ///< descriptors above 2 that stay open in the child, under the same numbers
    int descriptor_3 =
        -1;  ///< above 2; becomes descriptor 3: a listening socket (sd_listen_fds(3)), or what a program expects
    std::string directory = {};  ///< working directory; empty: ours
};

/// How a child ended.
struct ExitReport {
    bool signalled = false;  ///< by a signal rather than by exit
    int value = 0;           ///< exit status or signal number
    [[nodiscard]] bool success() const { return !signalled && value == 0; }
    /// "exit status 3" or "signal 9 (Killed)".
    [[nodiscard]] std::string text() const;
};

class ChildProcess {
public:
    /// Starts `command`; `on_exit` is called once from the loop when it ends (not if this object is
    /// destroyed before). Fails if the program cannot be executed: the reason is the child's own errno.
    [[nodiscard]] static Result<std::unique_ptr<ChildProcess>> start(Loop& loop, const Command& command,
                                                                     std::function<void(ExitReport)> on_exit);
    /// Forks without executing a program: the child, with all signals at their defaults and in a session of its own,
    /// runs `body` and ends with what that returns (71 if it throws). Nothing of what existed before is destroyed
    /// there, for it belongs to the parent; `body` may use what it has captured, copies or memory that nobody else
    /// touches. `on_exit` as above.
    [[nodiscard]] static Result<std::unique_ptr<ChildProcess>> fork(Loop& loop, const std::function<int()>& body,
                                                                    std::function<void(ExitReport)> on_exit);
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool running() const { return running_; }
    /// Sends `signal_number` to the child, or to its whole group if it leads one. Nothing if it has ended.
    void kill(int signal_number);

private:
    ChildProcess(pid_t pid, bool group, UniqueFd pidfd) : pid_(pid), group_(group), pidfd_(std::move(pidfd)) {}
    [[nodiscard]] static std::unique_ptr<ChildProcess> watched(Loop& loop, std::unique_ptr<ChildProcess> child,
                                                               std::function<void(ExitReport)> on_exit);
    void reap();

    pid_t pid_;
    bool group_;
    bool running_ = true;
    UniqueFd pidfd_;
    std::unique_ptr<Watch> watch_;
    std::function<void(ExitReport)> on_exit_;
};

/// Runs `command` to its end within `limit` without a loop; kills its group after that. For start-up and the
/// other modes of the program, never while unlocking.
[[nodiscard]] Result<ExitReport> run_and_wait(const Command& command, Duration limit);

}  // namespace bootkey::base
