// SPDX-License-Identifier: GPL-3.0-or-later
//
// What /proc/PID/stat says of a process (proc(5)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "bootkey/base/result.hpp"

namespace bootkey::base {

struct ProcessStat {
    bool running = false;          ///< false for a zombie as well
    pid_t parent = 0;              ///< 0 if it has none
    std::uint64_t start_time = 0;  ///< clock ticks after the machine's start
};
/// Pure; nothing if `line` is not the content of such a file. A process may have chosen its name to deceive.
[[nodiscard]] std::optional<ProcessStat> parse_process_stat(std::string_view line);
/// The file of the process with this number. Fails (os_error) without such a process and without /proc; nothing if
/// the file is there and is not understood.
[[nodiscard]] Result<std::optional<ProcessStat>> read_process_stat(pid_t pid);

}  // namespace bootkey::base
