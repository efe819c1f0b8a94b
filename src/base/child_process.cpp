// SPDX-License-Identifier: GPL-3.0-or-later
//
// fork(2) and execve(2) rather than posix_spawn(3), which can neither change users nor ask for a parent-death signal. Between
// the two the child makes only async-signal-safe calls (signal-safety(7)) on data made ready before.
#include "bootkey/base/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cerrno>
#include <cstring>

#include "bootkey/base/text.hpp"

namespace bootkey::base {
namespace {

// The pointers execve(2) wants, to strings that stay where they are.
std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> result;
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

// Puts `wanted` (or /dev/null) in the places 0, 1 and 2, whatever descriptors those were.
bool connect_standard_descriptors(const Prepared& prepared, int& report_fd) {
    const int wanted[3] = {prepared.command.standard_input, prepared.command.standard_output, prepared.command.standard_error};
    int safe[3];
    for (int i = 0; i < 3; ++i) {
        safe[i] = fcntl(wanted[i] >= 0 ? wanted[i] : prepared.null_fd, F_DUPFD, 3);
        if (safe[i] < 0) return false;
    }
    report_fd = fcntl(report_fd, F_DUPFD_CLOEXEC, 3);
    for (int i = 0; i < 3; ++i)
        if (dup2(safe[i], i) < 0) return false;
    // Close on exec rather than now, so that the report descriptor lives until then.
    return close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

void reset_signals() {
    for (int number = 1; number < NSIG; ++number) {
        struct sigaction action{};
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
        if (getppid() != prepared.parent) _exit(127);  // the parent was gone before the prctl
    }
    if (!connect_standard_descriptors(prepared, report_fd)) give_up(report_fd, errno);
    if (!command.directory.empty() && chdir(command.directory.c_str()) != 0) give_up(report_fd, errno);
    for (const int fd : command.inherited) fcntl(fd, F_SETFD, 0);
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

// Forks and returns when the program runs, or with the reason why it does not.
Result<Started> fork_and_exec(const Command& command) {
    const std::string tried = "cannot start " + escaped(command.program);
    UniqueFd null_fd(open("/dev/null", O_RDWR | O_CLOEXEC));
    int ends[2];
    if (!null_fd || pipe2(ends, O_CLOEXEC) != 0) return system_error(tried, errno);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const Prepared prepared{command,       pointers(command.arguments), pointers(command.environment),
                            null_fd.get(), write_end.get(),             getpid()};
    const pid_t pid = fork();
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
    // Not pidfd_open() of glibc, which has it only from 2.36 on and not in older initial RAM disks.
    UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd) {
        const int reason = errno;
        ::kill(command.own_process_group ? -pid : pid, SIGKILL);
        wait_for(pid);
        return system_error(tried, reason);
    }
    return Started{pid, std::move(pidfd)};
}

// The end of the child if it has ended, and reaps it.
std::optional<ExitReport> reap_now(const UniqueFd& pidfd) {
    siginfo_t info{};
    if (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOHANG) != 0)
        return errno == EINTR ? std::nullopt : std::optional<ExitReport>(ExitReport{true, SIGKILL});
    if (info.si_pid == 0) return std::nullopt;
    return ExitReport{info.si_code != CLD_EXITED, info.si_status};
}

}  // namespace

std::string ExitReport::text() const {
    if (!signalled) return format("exit status %d", value);
    const char* name = sigdescr_np(value);
    return format("signal %d (%s)", value, name != nullptr ? name : "unknown");
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(Loop& loop, const Command& command, std::function<void(ExitReport)> on_exit) {
    Result<Started> started = fork_and_exec(command);
    if (!started) return std::move(started).error();
    std::unique_ptr<ChildProcess> child(new ChildProcess(started->pid, command.own_process_group, std::move(started->pidfd)));
    child->on_exit_ = std::move(on_exit);
    child->watch_ = loop.watch(child->pidfd_.get(), {.readable = true}, [self = child.get()](Readiness) { self->reap(); });
    return child;
}

ChildProcess::~ChildProcess() {
    if (!running_) return;
    kill(SIGKILL);
    wait_for(pid_);
}

void ChildProcess::kill(int signal_number) {
    if (running_) ::kill(group_ ? -pid_ : pid_, signal_number);
}

void ChildProcess::reap() {
    const std::optional<ExitReport> report = reap_now(pidfd_);
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
        poll(&wait, 1, left > 0 ? static_cast<int>(left) : 0);
        if (const auto report = reap_now(started->pidfd)) return *report;
        if (Clock::now() >= deadline) break;
    }
    ::kill(command.own_process_group ? -started->pid : started->pid, SIGKILL);
    wait_for(started->pid);
    return Error{ExitCode::unavailable, "waiting for " + escaped(command.program),
                 format("it did not end within %.1f seconds and was killed", to_seconds(limit)), ""};
}

}  // namespace bootkey::base
