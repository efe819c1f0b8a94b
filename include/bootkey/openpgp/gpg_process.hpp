// SPDX-License-Identifier: GPL-3.0-or-later
//
// The gpg processes that GPGME starts, made ours. GPGME forks twice, so that gpg's parent is process 1 and nobody here
// knows its pid. While an Adoption exists, the kernel gives such grandchildren to us instead (PR_SET_CHILD_SUBREAPER),
// and each is then held by a GpgProcess, which can end it for certain. Needs /proc; without it gpg is left to end by
// itself, as it does when its pipes close and the agent is gone. Private to the room.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <vector>

#include "bootkey/base/loop.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::openpgp {

/// One adopted process. Reaps it when it ends; destroying a GpgProcess kills and reaps its process.
class GpgProcess {
public:
    GpgProcess(base::Loop& loop, pid_t pid);
    ~GpgProcess();
    GpgProcess(const GpgProcess&) = delete;
    GpgProcess& operator=(const GpgProcess&) = delete;

    [[nodiscard]] bool running() const { return pid_ > 0; }
    /// Whether a signal has ended it. If it still runs, waits for its end, for a moment only.
    [[nodiscard]] bool was_killed();

private:
    void reap();

    bool killed_ = false;
    pid_t pid_;
    base::UniqueFd pidfd_;
    std::unique_ptr<base::Watch> watch_;
};

/// The span of time in which grandchildren become children. Not to be held across other starts of processes.
class Adoption {
public:
    Adoption();
    ~Adoption();
    Adoption(const Adoption&) = delete;
    Adoption& operator=(const Adoption&) = delete;

    /// The processes that have become our children since the beginning.
    [[nodiscard]] std::vector<std::unique_ptr<GpgProcess>> adopted(base::Loop& loop) const;

private:
    std::optional<std::vector<pid_t>> before_;
    int was_subreaper_ = 0;
};

}  // namespace bootkey::openpgp
