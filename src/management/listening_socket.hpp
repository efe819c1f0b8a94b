// SPDX-License-Identifier: GPL-3.0-or-later
//
// A socket that clients connect to. Owns it, and a Unix socket's name in the file system, which goes with it.
#pragma once

#include <sys/types.h>

#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/management/settings.hpp"

namespace bootkey::management {

class ListeningSocket {
public:
    /// A Unix socket has mode 0600 from the first moment, and takes the place of one that nobody listens at, but of
    /// nothing else. A TCP socket may have an address that no interface has yet. Errors: usage (path too long),
    /// unavailable.
    [[nodiscard]] static base::Result<ListeningSocket> open(const Place& place);
    ~ListeningSocket();
    ListeningSocket(ListeningSocket&& other) noexcept = default;
    ListeningSocket& operator=(ListeningSocket&&) = delete;
    ListeningSocket(const ListeningSocket&) = delete;
    ListeningSocket& operator=(const ListeningSocket&) = delete;

    [[nodiscard]] int fd() const { return fd_.get(); }
    /// Where it listens, with the port that the kernel chose in the place of 0.
    [[nodiscard]] const Place& place() const { return place_; }

private:
    ListeningSocket(base::UniqueFd fd, Place place) : fd_(std::move(fd)), place_(std::move(place)) {}

    base::UniqueFd fd_;
    Place place_;
    dev_t device_ = 0;  // of the name in the file system, to know it again
    ino_t inode_ = 0;
};

}  // namespace bootkey::management
