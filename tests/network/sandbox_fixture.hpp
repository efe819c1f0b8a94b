// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the tests against the real kernel stand on: a network namespace of their own in a child process, temporary
// directories, other instances of bootkey as processes that can be killed, and a log that remembers. Everything goes
// away with its owner.
#pragma once

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/base/time.hpp"
#include "catch.hpp"

namespace bootkey::network::fixture {

/// For code that runs in a child process, where Catch2's macros report to nobody.
#define EXPECT(condition)                                                                   \
    do {                                                                                    \
        if (!(condition))                                                                   \
            throw std::runtime_error(std::string(__FILE__ ":") + std::to_string(__LINE__) + \
                                     ": not true: " #condition);                            \
    } while (false)
/// The value of a Result that must not be an error.
template <typename R>
auto expect(R&& result) {
    if (!result) throw std::runtime_error(result.error().message());
    return std::forward<R>(result).value();
}

/// Runs a command line that must succeed.
inline void run(const std::string& command) {
    if (std::system(command.c_str()) != 0)
        throw std::runtime_error("failed: " + command);  // NOLINT(concurrency-mt-unsafe)
}

inline std::string content_of(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}
inline void write_text(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path) << text;
}

/// A temporary directory in memory where there is such a place.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        std::string name = std::string(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + "/bootkey-test-XXXXXX";
        if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary directory");
        path_ = name;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + '/' + name; }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

/// A log whose messages can be looked at.
class RememberingLog {
public:
    RememberingLog() : log(15) {
        log.add_sink([this](const base::LogEntry& entry) { text += entry.text + '\n'; });
    }
    RememberingLog(const RememberingLog&) = delete;
    RememberingLog& operator=(const RememberingLog&) = delete;
    [[nodiscard]] bool has(const std::string& part) const { return text.find(part) != std::string::npos; }
    base::Log log;
    std::string text;
};

/// Runs `body` in a child process; what it threw, or nothing.
inline std::string in_child(const std::function<void()>& body) {
    int ends[2];
    if (pipe(ends) != 0) return "no pipe";
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        std::string failure;
        try {
            body();
        } catch (const std::exception& exception) {
            failure = exception.what();
            if (failure.empty()) failure = "exception";
        }
        [[maybe_unused]] const auto written = write(ends[1], failure.data(), failure.size());
        _exit(0);
    }
    close(ends[1]);
    std::string failure;
    char bytes[4096];
    for (ssize_t count = 0; (count = read(ends[0], bytes, sizeof bytes)) > 0;)
        failure.append(bytes, static_cast<std::size_t>(count));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status)) failure += "killed by signal " + std::to_string(WTERMSIG(status));
    return failure;
}

/// Runs `body` in a network namespace of its own with a pair of interfaces that are down, "one" and "two"; the answer
/// of in_child(). Without the permission to make a namespace the test is skipped, visibly.
inline std::string in_namespace(const std::function<void()>& body) {
    const bool possible = in_child([] { EXPECT(unshare(CLONE_NEWNET) == 0); }).empty();
    if (!possible) {
        WARN("SKIPPED: needs root, to make a network namespace");
        return {};
    }
    return in_child([&body] {
        EXPECT(unshare(CLONE_NEWNET) == 0);
        run("ip link add name one type veth peer name two");
        body();
    });
}

/// Another process that does `begin`, and, when told to, `end`.
class Peer {
public:
    Peer(const std::function<void()>& begin, const std::function<void()>& end) {
        int to[2], from[2];
        EXPECT(pipe(to) == 0 && pipe(from) == 0);
        pid_ = fork();
        if (pid_ == 0) {
            close(to[1]);
            close(from[0]);
            step(begin, from[1]);
            char go = 0;
            if (read(to[0], &go, 1) == 1) step(end, from[1]);
            _exit(0);
        }
        close(to[0]);
        close(from[1]);
        to_ = to[1];
        from_ = from[0];
        wait_for_step();
    }
    ~Peer() {
        if (pid_ > 0) kill();
        reap();
        close(to_);
        close(from_);
    }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    /// Lets it do `end` without waiting.
    void begin_end() {
        EXPECT(write(to_, "g", 1) == 1);
        told_ = true;
    }
    void finish() {
        if (!told_) begin_end();
        wait_for_step();
        reap();
    }
    /// Ends it without giving it a chance; it stays a zombie until the Peer goes.
    void kill() {
        ::kill(pid_, SIGKILL);
        siginfo_t info{};
        waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
    }

private:
    static void step(const std::function<void()>& action, int report) {
        std::string outcome = "k";
        try {
            action();
        } catch (const std::exception& exception) {
            outcome = std::string("f") + exception.what();
        }
        if (write(report, outcome.data(), outcome.size()) < 0) _exit(1);
    }
    void wait_for_step() {
        char outcome[2048] = {};
        const ssize_t count = read(from_, outcome, sizeof outcome - 1);
        if (count <= 0 || outcome[0] != 'k')
            throw std::runtime_error(std::string("the other process failed: ") + outcome);
    }
    void reap() {
        if (pid_ > 0) waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    pid_t pid_ = -1;
    bool told_ = false;
    int to_ = -1;
    int from_ = -1;
};

/// Runs the loop until `condition` holds; false after `limit`.
inline bool run_until(base::EventLoop& loop, const std::function<bool()>& condition,
                      base::Duration limit = std::chrono::seconds(5)) {
    bool late = false;
    const auto timer = loop.timer([&] {
        late = true;
        loop.stop();
    });
    timer->arm(limit);
    std::unique_ptr<base::Timer> look;
    look = loop.timer([&] {
        if (condition())
            loop.stop();
        else
            look->arm(std::chrono::milliseconds(1));
    });
    look->arm({});
    loop.run();
    return !late;
}

}  // namespace bootkey::network::fixture
