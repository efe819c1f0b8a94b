// SPDX-License-Identifier: GPL-3.0-or-later
//
// Processes that confine themselves and then play what has been taken over by an attacker. Assertions of the test
// framework have no effect in them: what they find out comes back as text.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <cerrno>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/pipe.hpp"
#include "bootkey/sandbox/confinement.hpp"
#include "catch.hpp"

namespace bootkey::sandbox::testing {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
inline constexpr bool sanitized = __has_feature(address_sanitizer);
#else
inline constexpr bool sanitized = false;
#endif

inline bool is_root() {
    return geteuid() == 0;
}

/// The version of the kernel's Landlock; 0 without.
inline long landlock_abi() {
    constexpr unsigned version = 1;  // LANDLOCK_CREATE_RULESET_VERSION
    const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0UL, version);
    return abi > 0 ? abi : 0;
}

/// What a system call's result says: "done", or the name of errno.
inline std::string outcome_of(long result) {
    return result >= 0 ? "done" : strerrorname_np(errno);
}

/// How a process ended: "exited N", or the signal's name, with "and left a core" where it did.
inline std::string end_of(pid_t pid) {
    int status = 0;
    if (waitpid(pid, &status, 0) != pid) return "waitpid failed";
    if (WIFEXITED(status)) return "exited " + std::to_string(WEXITSTATUS(status));
    return std::string("SIG") + sigabbrev_np(WTERMSIG(status)) + (WCOREDUMP(status) ? " and left a core" : "");
}

/// A process that confines itself, does `body` and exits. The text that `body` returns is what it says.
class Confined {
public:
    using Body = std::function<std::string()>;

    Confined(const Confinement& wanted, const Body& body) {
        const pid_t parent = getpid();
        pid_ = fork();
        if (pid_ < 0) throw std::runtime_error("fork failed");
        if (pid_ != 0) {
            words_.write_end.reset();
            return;
        }
        alarm(30);  // an end in any case
        const auto confined = confine(wanted, parent);
        words_.put(confined ? "c" : "!" + confined.error().message());
        if (!confined) _exit(1);
        words_.put(body());
        _exit(0);
    }
    ~Confined() {
        if (pid_ <= 0) return;
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    Confined(const Confined&) = delete;
    Confined& operator=(const Confined&) = delete;

    /// Its pid, once it is confined.
    pid_t pid() {
        wait_until_confined();
        return pid_;
    }
    /// Waits for its end; what it said, or else how it ended.
    std::string result() {
        wait_until_confined();
        std::string text = base::testing::read_to_end(words_.read_end.get());
        const std::string end = end_of(std::exchange(pid_, 0));
        if (end == "exited 0") return text;
        return text.empty() ? end : text + ", " + end;
    }

private:
    void wait_until_confined() {
        if (std::exchange(confined_, true)) return;
        const int fd = words_.read_end.get();
        if (base::testing::read_to_end(fd, 1) != "c") throw std::runtime_error(base::testing::read_to_end(fd));
    }

    base::testing::Pipe words_;
    pid_t pid_ = 0;
    bool confined_ = false;
};

/// A body that does nothing until the process is killed.
inline std::string stay() {
    poll(nullptr, 0, -1);
    return {};
}

/// The outcome of a system call in a confined process: "done", errno's name or the signal that ended the process.
inline std::string attempt(const Confinement& wanted, const std::function<long()>& call) {
    return Confined(wanted, [&] { return outcome_of(call()); }).result();
}

/// One thing that attackers try.
struct Attempt {
    const char* what;
    std::function<long()> call;
    const char* outcome;                    ///< with filters
    const char* without_filters = nullptr;  ///< what user id and capabilities alone make of it, if started by root
};

}  // namespace bootkey::sandbox::testing
