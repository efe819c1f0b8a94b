// SPDX-License-Identifier: GPL-3.0-or-later
//
// A file descriptor with one owner, closed by its destructor.
#pragma once

#include <unistd.h>

#include <utility>

namespace bootkey::base {

class UniqueFd {
public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) noexcept : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) reset(other.release());
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    /// Gives the descriptor up without closing it; the caller owns it from now on.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    /// Closes what is held and holds `fd` instead (-1: nothing).
    void reset(int fd = -1) noexcept {
        // Not repeated on EINTR: Linux has released the descriptor by then (close(2)).
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }

private:
    int fd_ = -1;
};

}  // namespace bootkey::base
