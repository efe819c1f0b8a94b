// SPDX-License-Identifier: GPL-3.0-or-later
#include "connector.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "socket_address.hpp"

namespace bootkey::management {

Connector::Connector(base::Loop& loop, Place place, const base::Log& log, std::function<void(base::UniqueFd)> connected)
    : loop_(loop),
      place_(std::move(place)),
      log_(log),
      connected_(std::move(connected)),
      next_(loop.timer([this] { try_now(); })),
      limit_(loop.timer([this] { fail(ETIMEDOUT); })) {
}

void Connector::again() {
    next_->arm(pause_);
    pause_ = least_pause;
}

void Connector::try_now() {
    const auto address = socket_address(place_);
    if (!address) return fail(EINVAL);
    fd_ = make_socket(*address);
    if (!fd_) return fail(errno);
    if (::connect(fd_.get(), address->get(), address->length) != 0 && errno != EINPROGRESS) return fail(errno);
    // Also if it is connected already: then it is writable at once.
    watch_ = loop_.watch(fd_.get(), {.writable = true}, [this](base::Readiness) { finish_try(); });
    limit_->arm(patience);
}

void Connector::finish_try() {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return fail(error);
    watch_.reset();
    limit_->disarm();
    failures_ = 0;
    pause_ = least_pause;
    prepare_connected(fd_.get(), place_);
    connected_(std::exchange(fd_, base::UniqueFd()));
}

void Connector::fail(int errno_value) {
    watch_.reset();
    limit_->disarm();
    fd_.reset();
    const auto error = base::system_error("cannot connect to the management client at " + text_of(place_), errno_value,
                                          "start it; it is tried again and again");
    // Told once to everybody, and then to those who want to know it all.
    if (failures_++ == 0)
        log_.warning(error.message());
    else
        log_.info(4, error.message());
    pause_ = std::max(pause_, least_pause);
    next_->arm(pause_);
    pause_ = std::min(2 * pause_, most_pause);
}

}  // namespace bootkey::management
