// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/gpg_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>

#include "bootkey/base/text.hpp"

namespace bootkey::openpgp {
namespace {

// Nothing if the kernel does not tell (no /proc, or built without CONFIG_PROC_CHILDREN).
std::optional<std::vector<pid_t>> children() {
    const base::UniqueFd file(open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC));
    if (!file) return std::nullopt;
    std::string text;
    char buffer[4096];
    for (;;) {
        const ssize_t count = read(file.get(), buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return std::nullopt;
        if (count == 0) break;
        text.append(buffer, static_cast<std::size_t>(count));
    }
    std::vector<pid_t> pids;
    for (const std::string_view word : base::split(text, ' '))
        if (const auto pid = base::parse_number(word, 1, 1u << 22)) pids.push_back(static_cast<pid_t>(*pid));
    return pids;
}

}  // namespace

GpgProcess::GpgProcess(base::Loop& loop, pid_t pid)
    : pid_(pid), pidfd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {
    if (pidfd_) watch_ = loop.watch(pidfd_.get(), {.readable = true}, [this](base::Readiness) { reap(); });
}

void GpgProcess::reap() {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == 0) return;
    killed_ = WIFSIGNALED(status);
    pid_ = 0;
    watch_.reset();
}

bool GpgProcess::was_killed() {
    pollfd ended{pidfd_.get(), POLLIN, 0};
    constexpr int moment = 20;  // ms; its pipes are closed already
    if (running() && poll(&ended, 1, moment) > 0) reap();
    return killed_;
}

GpgProcess::~GpgProcess() {
    watch_.reset();
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    // A killed process ends at once, unless the kernel holds it in an uninterruptible call: then it is left to
    // process 1.
    pollfd ended{pidfd_.get(), POLLIN, 0};
    constexpr int most_milliseconds = 1000;
    while (poll(&ended, 1, most_milliseconds) < 0 && errno == EINTR) {
    }
    waitpid(pid_, nullptr, WNOHANG);
}

Adoption::Adoption() : before_(children()) {
    if (!before_) return;
    prctl(PR_GET_CHILD_SUBREAPER, &was_subreaper_);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

Adoption::~Adoption() {
    if (before_) prctl(PR_SET_CHILD_SUBREAPER, was_subreaper_);
}

std::vector<std::unique_ptr<GpgProcess>> Adoption::adopted(base::Loop& loop) const {
    std::vector<std::unique_ptr<GpgProcess>> processes;
    const auto now = before_ ? children() : std::nullopt;
    if (!now) return processes;
    for (const pid_t pid : *now) {
        // An orphan of some other child of ours that happens to come now has a process group of its own; GPGME's has
        // ours.
        if (std::ranges::find(*before_, pid) == before_->end() && getpgid(pid) == getpgrp())
            processes.push_back(std::make_unique<GpgProcess>(loop, pid));
    }
    return processes;
}

}  // namespace bootkey::openpgp
