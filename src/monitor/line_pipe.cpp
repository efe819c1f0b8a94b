// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/line_pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace bootkey::monitor {
namespace {

constexpr std::size_t longest_line = 1024;  // bytes
constexpr int most_reads = 64;              // when draining: what a pipe holds at most

}  // namespace

base::Result<std::pair<std::unique_ptr<LinePipe>, base::UniqueFd>> LinePipe::make(
    base::Loop& loop, std::function<void(std::string_view line)> line) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return base::system_error("cannot make a pipe to another process of bootkey", errno);
    base::UniqueFd reading(ends[0]);
    base::UniqueFd writing(ends[1]);
    fcntl(reading.get(), F_SETFL, O_NONBLOCK);
    return std::pair(std::unique_ptr<LinePipe>(new LinePipe(loop, std::move(reading), std::move(line))),
                     std::move(writing));
}

LinePipe::LinePipe(base::Loop& loop, base::UniqueFd end, std::function<void(std::string_view line)> line)
    : end_(std::move(end)),
      line_(std::move(line)),
      watch_(loop.watch(end_.get(), {.readable = true}, [this](base::Readiness) { static_cast<void>(read_some()); })) {
}

bool LinePipe::read_some() {
    std::array<char, 1024> buffer;
    const ssize_t count = read(end_.get(), buffer.data(), buffer.size());
    if (count < 0) return false;
    if (count == 0) {
        watch_->update({});
        return false;
    }
    rest_.append(buffer.data(), static_cast<std::size_t>(count));
    for (;;) {
        const std::size_t end = rest_.find('\n');
        if (end == std::string::npos && rest_.size() < longest_line) return true;
        line_(std::string_view(rest_).substr(0, end));
        rest_.erase(0, end == std::string::npos ? end : end + 1);
    }
}

void LinePipe::drain() {
    for (int reads = 0; reads < most_reads && read_some(); ++reads) {
    }
    if (!rest_.empty()) line_(std::exchange(rest_, {}));
}

}  // namespace bootkey::monitor
