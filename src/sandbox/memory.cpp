// SPDX-License-Identifier: GPL-3.0-or-later
//
// prctl(2), setrlimit(2), mlockall(2).
#include "memory.hpp"

#include <cap-ng.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>

#include "bootkey/sandbox/confinement.hpp"

namespace bootkey::sandbox {
namespace {

bool lift_lock_limit() {
    constexpr rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    rlimit now{};
    if (getrlimit(RLIMIT_MEMLOCK, &now) == 0 && now.rlim_cur == RLIM_INFINITY) return true;
    return setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0;
}

bool has_lock_capability() {
    return capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_IPC_LOCK) == 1;
}

std::vector<std::string> protect(bool with_capabilities) {
    std::vector<std::string> remarks;
    const auto remark = [&](const char* what) { remarks.push_back(std::string(what) + ": " + std::strerror(errno)); };
    constexpr rlimit nothing{0, 0};
    if (setrlimit(RLIMIT_CORE, &nothing) != 0) remark("core dumps cannot be forbidden");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) remark("debuggers cannot be kept out");
    if (!lift_lock_limit() && !(with_capabilities && has_lock_capability())) {
        remarks.emplace_back(
            "secrets are locked into RAM, but not all memory: the limit on locked memory (ulimit -l) stays");
        return remarks;
    }
    // On fault: what is mapped but never touched takes no memory.
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
        remark("secrets are locked into RAM, but not all memory");
    return remarks;
}

}  // namespace

std::vector<std::string> protect_memory() {
    return protect(true);
}

std::vector<std::string> protect_memory_without_capabilities() {
    return protect(false);
}

}  // namespace bootkey::sandbox
