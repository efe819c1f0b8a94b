// SPDX-License-Identifier: GPL-3.0-or-later
//
// fork(2) and execve(2) rather than posix_spawn(3), which can neither change users nor ask for a parent-death signal.
// Between the two the child makes only async-signal-safe calls (signal-safety(7)) on data made ready before.
#include "bootkey/base/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>

#include "bootkey/base/text.hpp"

namespace bootkey::base {
namespace {

// The pointers execve(2) wants, to strings that stay where they are.
std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> result;
    result.reserve(strings.size() + 1);
    for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
}

// Everything the child needs, made before the fork.
struct Prepared {
    const Command& command;
    std::vector<char*> arguments;
    std::vector<char*> environment;
    int null_fd;
    int report_fd;  // gets errno if exec fails; closed by exec if not
    pid_t parent;
};

[[noreturn]] void give_up(int report_fd, int errno_value) {
    [[maybe_unused]] const auto written = write(report_fd, &errno_value, sizeof errno_value);
    _exit(127);
}

// Marks all descriptors from 3 on close-on-exec, rather than closing them, so that the report descriptor lives until
// then.
bool close_others_on_exec() {
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return true;
    if (errno != ENOSYS && errno != EINVAL) return false;
    // Before Linux 5.11. Our own descriptors all have the flag already; this is for what whoever started us left open.
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
    constexpr rlim_t enough = 65536;
    const int end = static_cast<int>(limit.rlim_cur < enough ? limit.rlim_cur : enough);
    for (int fd = 3; fd < end; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);
    return true;
}

// Puts `wanted` (or /dev/null) in the places 0, 1 and 2, whatever descriptors those were.
bool connect_standard_descriptors(const Prepared& prepared, int& report_fd) {
    const int wanted[3] = {prepared.command.standard_input, prepared.command.standard_output,
                           prepared.command.standard_error};
    int safe[3];
    for (int i = 0; i < 3; ++i) {
        safe[i] = fcntl(wanted[i] >= 0 ? wanted[i] : prepared.null_fd, F_DUPFD, 3);
        if (safe[i] < 0) return false;
    }
    if (report_fd < 3) {  // started with closed standard descriptors, the pipe has got one of their places
        const int above = fcntl(report_fd, F_DUPFD_CLOEXEC, 3);
        if (above < 0) return false;
        report_fd = above;
    }
    for (int i = 0; i < 3; ++i)
        if (dup2(safe[i], i) < 0) return false;
    return close_others_on_exec();
}

// Puts `fd` in place 3, which the report descriptor may have, and leaves it open there.
bool put_in_place_3(int fd, int& report_fd) {
    if (report_fd == 3) {
        const int above = fcntl(report_fd, F_DUPFD_CLOEXEC, 4);
        if (above < 0) return false;
        report_fd = above;
    }
    return fd == 3 ? fcntl(fd, F_SETFD, 0) == 0 : dup2(fd, 3) == 3;
}

void reset_signals() {
    for (int number = 1; number < NSIG; ++number) {
        struct sigaction action {};
        action.sa_handler = SIG_DFL;
        sigaction(number, &action, nullptr);  // fails for SIGKILL, SIGSTOP and the C library's own: as wanted
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void become(const Prepared& prepared) {
    const Command& command = prepared.command;
    int report_fd = prepared.report_fd;
    reset_signals();
    if (command.own_process_group && setpgid(0, 0) != 0) give_up(report_fd, errno);
    if (command.as_root && (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)) give_up(report_fd, errno);
    if (command.die_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != prepared.parent) give_up(report_fd, ESRCH);  // the parent was gone before the prctl
    }
    if (!connect_standard_descriptors(prepared, report_fd)) give_up(report_fd, errno);
    if (!command.directory.empty() && chdir(command.directory.c_str()) != 0) give_up(report_fd, errno);
    for (const int fd : command.inherited) fcntl(fd, F_SETFD, 0);
    if (command.descriptor_3 >= 0 && !put_in_place_3(command.descriptor_3, report_fd)) give_up(report_fd, errno);
    execve(command.program.c_str(), prepared.arguments.data(), prepared.environment.data());
    give_up(report_fd, errno);
}

struct Started {
    pid_t pid;
    UniqueFd pidfd;
};

void wait_for(pid_t pid) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
}

// Kills the child and reaps it, together with its group if it leads one. Waits a second at most: a process that the
// kernel holds in an uninterruptible call (a driver, a dead disk) must not hold us too; it ends when that call does.
void end_for_certain(pid_t pid, bool group, const UniqueFd& pidfd) {
    if (group) ::kill(-pid, SIGKILL);
    ::kill(pid, SIGKILL);  // by itself too: it may have left its group
    pollfd wait{pidfd.get(), POLLIN, 0};
    while (poll(&wait, 1, 1000) < 0 && errno == EINTR) {
    }
    waitpid(pid, nullptr, WNOHANG);
}

// Whoever started us may have left SIGCHLD ignored: the kernel would reap our children and forget how they ended
// (wait(2)).
void keep_ended_children() {
    struct sigaction action {};
    if (sigaction(SIGCHLD, nullptr, &action) != 0) return;
    if (action.sa_handler != SIG_IGN && (action.sa_flags & SA_NOCLDWAIT) == 0) return;
    action = {};
    action.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &action, nullptr);
}

// Signals stay blocked until the child has given up our handlers: libevent's would tell us of signals meant for the
// child.
pid_t fork_with_signals_blocked() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = ::fork();
    const int reason = errno;
    if (pid != 0) pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = reason;
    return pid;
}

// Checked before we open descriptors of our own, which could have the number of one that is closed by mistake.
bool all_open(const Command& command) {
    const auto is_open = [](int fd) { return fcntl(fd, F_GETFD) >= 0; };
    for (const int fd : {command.standard_input, command.standard_output, command.standard_error, command.descriptor_3})
        if (fd >= 0 && !is_open(fd)) return false;
    return std::all_of(command.inherited.begin(), command.inherited.end(), is_open);
}

Result<Started> with_pidfd(const std::string& tried, pid_t pid, bool group) {
    // Not pidfd_open() of glibc, which has it only from 2.36 on and not in older initial RAM disks.
    UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (pidfd) return Started{pid, std::move(pidfd)};
    const int reason = errno;
    ::kill(group ? -pid : pid, SIGKILL);
    wait_for(pid);
    return system_error(tried, reason);
}

// Forks and returns when the program runs, or with the reason why it does not.
Result<Started> fork_and_exec(const Command& command) {
    const std::string tried = "cannot start " + escaped(command.program);
    if (!all_open(command)) return system_error(tried, EBADF);
    keep_ended_children();
    const UniqueFd null_fd(open("/dev/null", O_RDWR | O_CLOEXEC));
    int ends[2];
    if (!null_fd || pipe2(ends, O_CLOEXEC) != 0) return system_error(tried, errno);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const Prepared prepared{
        command, pointers(command.arguments), pointers(command.environment), null_fd.get(), write_end.get(), getpid()};
    const pid_t pid = fork_with_signals_blocked();
    if (pid < 0) return system_error(tried, errno);
    if (pid == 0) become(prepared);
    write_end.reset();
    int failure = 0;
    ssize_t count = 0;
    do {
        count = read(read_end.get(), &failure, sizeof failure);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        wait_for(pid);
        return system_error(tried, failure, failure == ENOENT ? "check that it is installed" : "");
    }
    return with_pidfd(tried, pid, command.own_process_group);
}

[[noreturn]] void run_body(const std::function<int()>& body) {
    reset_signals();
    setsid();
    int status = static_cast<int>(ExitCode::os_error);
    try {
        status = body();
    } catch (const std::exception& exception) {
        (void)std::fprintf(stderr, "bootkey: process %d stopped by an internal error: %s\n", getpid(),
                           exception.what());
    }
    _exit(status);
}

// The end of the child if it has ended, and reaps it.
std::optional<ExitReport> reap_now(pid_t pid) {
    siginfo_t info{};
    if (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) != 0) {
        if (errno == EINTR) return std::nullopt;
        return ExitReport{true, SIGKILL};  // somebody else has reaped it: how it ended is lost, so it is no success
    }
    if (info.si_pid == 0) return std::nullopt;
    return ExitReport{info.si_code != CLD_EXITED, info.si_status};
}

}  // namespace

std::string ExitReport::text() const {
    if (!signalled) return format("exit status %d", value);
    const char* name = sigdescr_np(value);
    return format("signal %d (%s)", value, name != nullptr ? name : "unknown");
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(Loop& loop, const Command& command,
                                                          std::function<void(ExitReport)> on_exit) {
    Result<Started> started = fork_and_exec(command);
    if (!started) return std::move(started).error();
    std::unique_ptr<ChildProcess> child(
        new ChildProcess(started->pid, command.own_process_group, std::move(started->pidfd)));
    return watched(loop, std::move(child), std::move(on_exit));
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::fork(Loop& loop, const std::function<int()>& body,
                                                         std::function<void(ExitReport)> on_exit) {
    const char* tried = "cannot start another process";
    keep_ended_children();
    const pid_t pid = fork_with_signals_blocked();
    if (pid < 0) return system_error(tried, errno);
    if (pid == 0) run_body(body);
    Result<Started> started = with_pidfd(tried, pid, false);
    if (!started) return std::move(started).error();
    return watched(loop, std::unique_ptr<ChildProcess>(new ChildProcess(pid, false, std::move(started->pidfd))),
                   std::move(on_exit));
}

std::unique_ptr<ChildProcess> ChildProcess::watched(Loop& loop, std::unique_ptr<ChildProcess> child,
                                                    std::function<void(ExitReport)> on_exit) {
    child->on_exit_ = std::move(on_exit);
    child->watch_ =
        loop.watch(child->pidfd_.get(), {.readable = true}, [self = child.get()](Readiness) { self->reap(); });
    return child;
}

ChildProcess::~ChildProcess() {
    if (!running_) return;
    end_for_certain(pid_, group_, pidfd_);
}

void ChildProcess::kill(int signal_number) {
    if (running_) ::kill(group_ ? -pid_ : pid_, signal_number);
}

void ChildProcess::reap() {
    const std::optional<ExitReport> report = reap_now(pid_);
    if (!report) return;
    running_ = false;
    watch_->update({});
    const std::function<void(ExitReport)> on_exit = std::move(on_exit_);
    if (on_exit) on_exit(*report);  // may destroy this object
}

Result<ExitReport> run_and_wait(const Command& command, Duration limit) {
    Result<Started> started = fork_and_exec(command);
    if (!started) return std::move(started).error();
    const Time deadline = Clock::now() + limit;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd wait{started->pidfd.get(), POLLIN, 0};
        poll(&wait, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));
        if (const auto report = reap_now(started->pid)) return *report;
        if (Clock::now() >= deadline) break;
    }
    end_for_certain(started->pid, command.own_process_group, started->pidfd);
    return Error{ExitCode::unavailable, "waiting for " + escaped(command.program),
                 format("it did not end within %.1f seconds and was killed", to_seconds(limit)),
                 "find out what it waits for"};
}

}  // namespace bootkey::base
