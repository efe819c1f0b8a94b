// SPDX-License-Identifier: GPL-3.0-or-later
//
// A pipe of a test's own, both ends close-on-exec, and what a test does with one.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "bootkey/base/unique_fd.hpp"

namespace bootkey::base::testing {

struct Pipe {
    UniqueFd read_end;
    UniqueFd write_end;

    Pipe() {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
        read_end.reset(ends[0]);
        write_end.reset(ends[1]);
    }

    void put(const std::string& text) const {
        if (write(write_end.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            throw std::runtime_error("a pipe did not take all of a test's text");
    }
};

/// Reads `fd` to its end, but at most `most` bytes. Throws if nothing comes for 10 s.
inline std::string read_to_end(int fd, std::size_t most = 1U << 20) {
    std::string text;
    char buffer[4096];
    pollfd wait{fd, POLLIN, 0};
    while (text.size() < most) {
        if (poll(&wait, 1, 10'000) != 1) throw std::runtime_error("nothing came from a pipe for 10 s");
        const ssize_t count = read(fd, buffer, std::min(sizeof buffer, most - text.size()));
        if (count <= 0) break;
        text.append(buffer, static_cast<std::size_t>(count));
    }
    return text;
}

}  // namespace bootkey::base::testing
