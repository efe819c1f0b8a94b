// SPDX-License-Identifier: GPL-3.0-or-later
#include "connection.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <new>
#include <utility>
#include <vector>

#include "bootkey/management/server.hpp"

namespace bootkey::management {
namespace {

constexpr int most_steps_a_turn = 4;  // of a long reply, before others get their turn

}  // namespace

base::Result<std::unique_ptr<Connection>> Connection::create(base::Loop& loop, base::UniqueFd fd, Listener listener) {
    auto input = base::Secret::with_capacity(most_at_once);
    if (!input) return std::move(input).error();
    Buffer output(evbuffer_new());
    if (!output) throw std::bad_alloc();
    return std::unique_ptr<Connection>(
        new Connection(loop, std::move(fd), std::move(*input), std::move(output), std::move(listener)));
}

Connection::Connection(base::Loop& loop, base::UniqueFd fd, base::Secret input, Buffer output, Listener listener)
    : fd_(std::move(fd)),
      input_(std::move(input)),
      output_(std::move(output)),
      listener_(std::move(listener)),
      end_(loop.timer([this] {
          const auto tell = std::move(listener_.ended);
          const auto why = std::move(why_);
          tell(why);
      })),
      watch_(loop.watch(fd_.get(), {.readable = true}, [this](base::Readiness readiness) { ready(readiness); })) {
}

Connection::~Connection() {
    flush();
    ::shutdown(fd_.get(), SHUT_WR);
    // A TCP connection with bytes that nobody has read ends by a reset, which may overtake what was sent (RFC 2525
    // section 2.17).
    input_.clear();
    [[maybe_unused]] const auto dropped = recv(fd_.get(), input_.spare().data(), input_.capacity(), 0);
}

bool Connection::send(std::string_view lines) {
    if (is_closing_ || is_over_) return false;
    if (is_deaf_) return true;
    if (evbuffer_add(output_.get(), lines.data(), lines.size()) != 0) throw std::bad_alloc();
    if (!is_busy_ || unsent() > Server::most_unsent) flush();
    if (unsent() > Server::most_unsent) give_up("does not read what it is sent");
    is_full_ = is_full_ || unsent() >= enough;
    if (!is_busy_) watch_for_more();
    return !is_full_ && !is_over_;
}

void Connection::pause(bool on) {
    is_paused_ = on;
    if (!is_busy_) watch_for_more();
}

void Connection::close() {
    if (is_over_ || std::exchange(is_closing_, true)) return;
    end_->arm(delivery);
    if (is_busy_) return;
    flush();
    watch_for_more();
}

void Connection::ready(base::Readiness readiness) {
    if (is_over_) return;
    if (readiness.readable) receive();
    go_on();
}

// Reads once: others get their turn before the rest.
void Connection::receive() {
    const ssize_t size = recv(fd_.get(), input_.spare().data(), input_.spare().size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size < 0 || (size == 0 && is_shut_)) return give_up({});
    if (size == 0) return close();  // it will say no more, but may read still
    if (is_closing_) return input_.clear();
    input_.grow(static_cast<std::size_t>(size));
}

// Sends, and lets the listener say and hear more, as far as the client keeps up.
void Connection::go_on() {
    is_busy_ = true;
    for (int step = 0; step < most_steps_a_turn && !is_closing_ && !is_over_; ++step) {
        flush();
        if (is_full_) {
            if (unsent() >= enough / 2) break;
            is_full_ = false;
            listener_.drained();
        } else if (used_ < input_.size() && !is_paused_) {
            used_ += listener_.received(input_.bytes().subspan(used_));
            if (used_ == input_.size()) {
                input_.clear();
                used_ = 0;
            }
        } else {
            break;
        }
    }
    is_busy_ = false;
    flush();
    watch_for_more();
}

// All that waits goes in one call, so that a line is torn only where the socket takes no more.
void Connection::flush() {
    while (!is_over_ && unsent() > 0) {
        std::vector<evbuffer_iovec> pieces(
            static_cast<std::size_t>(evbuffer_peek(output_.get(), -1, nullptr, nullptr, 0)));
        evbuffer_peek(output_.get(), -1, nullptr, pieces.data(), static_cast<int>(pieces.size()));
        msghdr message{};
        message.msg_iov = pieces.data();
        message.msg_iovlen = std::min<std::size_t>(pieces.size(), IOV_MAX);
        const ssize_t sent = sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) return;
        // Somebody who has gone may have said what is to be done: that is read, up to its end or an error.
        is_deaf_ = sent < 0;
        evbuffer_drain(output_.get(), is_deaf_ ? unsent() : static_cast<std::size_t>(sent));
    }
    if (!is_closing_ || is_over_ || std::exchange(is_shut_, true)) return;
    ::shutdown(fd_.get(), SHUT_WR);
    end_->arm(parting);
}

void Connection::watch_for_more() {
    if (is_over_) return;
    // What the client said is acted on first; where that had to be left for the next turn, being writable brings it
    // about.
    const bool has_input = used_ < input_.size();
    const bool listens = is_closing_ ? is_shut_ : !has_input && !is_full_ && !is_paused_;
    const bool goes_on = !is_closing_ && ((has_input && !is_paused_) || is_full_);
    watch_->update({.readable = listens, .writable = unsent() > 0 || goes_on});
}

void Connection::give_up(std::string_view why) {
    if (std::exchange(is_over_, true)) return;
    why_ = why;
    evbuffer_drain(output_.get(), unsent());
    watch_->update({});
    end_->arm({});
}

}  // namespace bootkey::management
