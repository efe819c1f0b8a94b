// SPDX-License-Identifier: GPL-3.0-or-later
//
// A process that stands for askpass: it has that name, and a FIFO open for reading; the program that it executes is the
// test.
#pragma once

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "bootkey/base/unique_fd.hpp"
#include "catch.hpp"

namespace bootkey::console::testing {

class Reader {
public:
    /// Opens the FIFO and waits; it is open when this returns. It reads nothing.
    explicit Reader(const std::string& fifo, const char* name = "askpass", int flags = O_RDONLY,
                    uid_t user = geteuid()) {
        int ends[2];
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
        const base::UniqueFd ready(ends[0]);
        base::UniqueFd tell(ends[1]);
        pid_ = fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            prctl(PR_SET_NAME, name);
            const bool open = ::open(fifo.c_str(), flags | O_NONBLOCK) >= 0 && (user == geteuid() || setuid(user) == 0);
            if (::write(tell.get(), open ? "y" : "n", 1) == 1) pause();
            _exit(0);
        }
        char answer = 'n';
        REQUIRE(::read(ready.get(), &answer, 1) == 1);
        REQUIRE(answer == 'y');
    }
    ~Reader() { end(); }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    void end() {
        if (pid_ <= 0) return;
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }

private:
    pid_t pid_ = 0;
};

/// Makes a FIFO as askpass does.
inline void make_fifo(const std::string& path) {
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
}

}  // namespace bootkey::console::testing
