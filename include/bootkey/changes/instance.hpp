// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who a running bootkey is, so that another one can tell whether it still runs: a process number alone would be
// mistaken for whatever process gets the same number next.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>

#include "bootkey/base/result.hpp"

namespace bootkey::changes {

struct Instance {
    pid_t pid = 0;
    std::uint64_t start_time = 0;  ///< as in base::ProcessStat
    friend auto operator<=>(const Instance&, const Instance&) = default;
};

/// The calling process. Fails (os_error) without /proc.
[[nodiscard]] base::Result<Instance> this_instance();
[[nodiscard]] bool is_running(const Instance& instance);

}  // namespace bootkey::changes
