// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/process_start.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "bootkey/base/unique_fd.hpp"

namespace bootkey::base {
namespace {

void reset_signals_and_timers() {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    (void)std::signal(SIGCHLD, SIG_DFL);
    (void)std::signal(SIGPIPE, SIG_IGN);
    (void)std::signal(SIGXFSZ, SIG_IGN);
    const itimerval off{};
    for (const auto timer : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) setitimer(timer, &off, nullptr);
}

// By the limit and by the flag: the kernel dumps into a pipe (core(5)) whatever the limit.
void forbid_core_dumps() {
    constexpr rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

void close_other_descriptors() {
    if (close_range(3, ~0U, 0) == 0) return;
    // Before Linux 5.9. The limit says nothing about what was opened before it was lowered.
    constexpr int enough = 65'536;
    for (int fd = 3; fd < enough; ++fd) close(fd);
}

// libgcrypt, in gpg, gives up an effective user id that is not the real one. And a real user id could be used to change
// our priority, and would count our processes among the caller's.
Result<void> become_root_alone(uid_t caller) {
    const uid_t user = geteuid();
    const bool done =
        user == 0 ? setgroups(0, nullptr) == 0 && setresgid(0, 0, 0) == 0 : setregid(getegid(), getegid()) == 0;
    if (done && setresuid(user, user, caller) == 0) return {};
    return system_error("cannot give up the user ids of who started bootkey", errno, "run it as root");
}

// At least these; more, if the caller has it.
void raise_limits() {
    constexpr rlim_t mebibyte = 1024 * 1024;
    struct Need {
        int resource;
        rlim_t least;
    };
    constexpr Need needs[] = {
        {RLIMIT_AS, RLIM_INFINITY},    {RLIMIT_CPU, RLIM_INFINITY},   {RLIMIT_DATA, RLIM_INFINITY},
        {RLIMIT_FSIZE, RLIM_INFINITY}, {RLIMIT_NPROC, RLIM_INFINITY}, {RLIMIT_RTTIME, RLIM_INFINITY},
        {RLIMIT_NOFILE, 1024},         {RLIMIT_STACK, 8 * mebibyte},  {RLIMIT_MEMLOCK, 8 * mebibyte},
    };
    for (const Need& need : needs) {
        rlimit now{};
        if (getrlimit(need.resource, &now) != 0) continue;
        const rlimit enough{std::max(now.rlim_cur, need.least), std::max(now.rlim_max, need.least)};
        if (setrlimit(need.resource, &enough) == 0) continue;
        now.rlim_cur = now.rlim_max;  // without CAP_SYS_RESOURCE no more than this
        setrlimit(need.resource, &now);
    }
}

// Network hooks may start daemons that stay: they inherit these too.
void take_back_priority() {
    constexpr sched_param usual{};
    sched_setscheduler(0, SCHED_OTHER, &usual);
    setpriority(PRIO_PROCESS, 0, 0);
    constexpr unsigned long usual_slack = 50'000;  // ns (prctl(2), PR_SET_TIMERSLACK)
    prctl(PR_SET_TIMERSLACK, usual_slack);
    const UniqueFd adjustment(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
    [[maybe_unused]] const auto written = write(adjustment.get(), "0", 1);
}

}  // namespace

Result<bool> leave_caller_behind() {
    const uid_t caller = getuid();
    const bool set_user_id = caller != geteuid();
    clearenv();
    reset_signals_and_timers();
    umask(022);
    close_other_descriptors();
    if (set_user_id) {
        if (auto alone = become_root_alone(caller); !alone) return std::move(alone).error();
        if (chdir("/") != 0) return system_error("cannot change to the root directory", errno);
        raise_limits();
        take_back_priority();
    }
    forbid_core_dumps();  // last: changing user ids sets the flag to what the machine's administrator wants (proc(5))
    return set_user_id;
}

}  // namespace bootkey::base
