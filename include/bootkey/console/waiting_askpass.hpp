// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who waits at cryptsetup's FIFO: the processes called askpass that have it open for reading, as /proc tells, with what
// their environment says about the device (Debian's cryptroot sets it; see run_keyscript in /lib/cryptsetup/functions).
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/console/askpass_offers.hpp"

namespace bootkey::console {

/// Where Debian's cryptsetup has askpass.
inline constexpr const char* askpass_program = "/lib/cryptsetup/askpass";

struct WaitingAskpass {
    Prompt prompt;
    base::UniqueFd pidfd;  ///< readable when the process has ended
};

/// The prompt of process `pid` with this environment, as /proc/PID/environ has it: each variable ends with a NUL.
/// Without a device's name, the process is a try of its own. Whose keyscript it was started by, at whatever distance,
/// is inherited as CRYPTTAB_OPTION_keyscript.
[[nodiscard]] Prompt prompt_of(pid_t pid, std::string_view environment);

/// What is at `path`, if that is a FIFO of ours that nobody else may read or write. Errors: os_error (ENOENT and
/// ENOTDIR are none: then nothing is returned); no_permission where something else is in its place.
[[nodiscard]] base::Result<std::optional<struct stat>> find_fifo(const std::string& path);
/// All processes that have `fifo` open for reading and may have the password: their user is ours, and what they execute
/// is the file `program`, by whatever path it was started. The name of a process, which it chooses itself, says
/// nothing.
[[nodiscard]] std::vector<WaitingAskpass> find_askpass(const struct stat& fifo,
                                                       const std::string& program = askpass_program);
/// Whether process `pid` has `fifo` open for reading.
[[nodiscard]] bool reads(pid_t pid, const struct stat& fifo);
/// Whether a process other than this one has `fifo` open for writing: what it writes would get mixed with ours.
[[nodiscard]] bool others_write(const struct stat& fifo);
/// The processes whose parent is `pid`.
[[nodiscard]] std::vector<pid_t> children_of(pid_t pid);

}  // namespace bootkey::console
