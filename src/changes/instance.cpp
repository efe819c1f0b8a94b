// SPDX-License-Identifier: GPL-3.0-or-later
//
// All of it is read from /proc.
#include "bootkey/changes/instance.hpp"

#include <unistd.h>

#include <optional>

#include "bootkey/base/process_stat.hpp"

namespace bootkey::changes {

base::Result<Instance> this_instance() {
    const pid_t pid = getpid();
    const auto stat = base::read_process_stat(pid);
    if (!stat) return stat.error();
    if (!*stat)
        return base::Error{base::ExitCode::os_error, "cannot tell when bootkey started",
                           "unexpected content of /proc/self/stat", ""};
    return Instance{pid, (*stat)->start_time};
}

bool is_running(const Instance& instance) {
    const auto read = base::read_process_stat(instance.pid);
    const auto stat = read ? *read : std::nullopt;
    return stat && stat->running && stat->start_time == instance.start_time;
}

}  // namespace bootkey::changes
