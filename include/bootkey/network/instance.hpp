// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who a running bootkey is, so that another one can tell whether it still runs: a process number alone would be
// mistaken for whatever process gets the same number next.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

#include "bootkey/base/result.hpp"

namespace bootkey::network {

struct Instance {
    pid_t pid = 0;
    std::uint64_t start_time = 0;  ///< clock ticks after the machine's start: field 22 of /proc/PID/stat, proc(5)
    friend auto operator<=>(const Instance&, const Instance&) = default;
};

/// What /proc/PID/stat says of a process. A zombie runs no more.
struct ProcessStat {
    bool running = false;
    std::uint64_t start_time = 0;
};
/// Pure; nothing if `line` is not the content of such a file. A process may have chosen its name to deceive.
[[nodiscard]] std::optional<ProcessStat> parse_process_stat(std::string_view line);

/// The calling process. Fails (os_error) without /proc.
[[nodiscard]] base::Result<Instance> this_instance();
[[nodiscard]] bool is_running(const Instance& instance);
/// The inode number of the caller's network namespace (namespaces(7)); 0 if the kernel has no namespaces.
[[nodiscard]] std::uint64_t own_network_namespace();
/// Whether the caller is in the network namespace of process 1, where udev works. Also if that cannot be told.
[[nodiscard]] bool in_first_network_namespace();

}  // namespace bootkey::network
