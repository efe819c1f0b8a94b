// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/channel.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace bootkey::monitor {
namespace {

constexpr int most_messages_a_turn = 32;  // before others get theirs
constexpr base::Duration shortage_pause = std::chrono::milliseconds(10);

}  // namespace

base::Result<std::pair<base::UniqueFd, base::UniqueFd>> Channel::make_ends() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        return base::system_error("cannot connect two processes of bootkey", errno);
    return std::pair(base::UniqueFd(ends[0]), base::UniqueFd(ends[1]));
}

Channel::Channel(base::Loop& loop, base::UniqueFd end, Listener listener)
    : end_(std::move(end)),
      listener_(std::move(listener)),
      closing_(loop.timer([this] { close(); })),
      again_(loop.timer([this] { flush(); })),
      watch_(loop.watch(end_.get(), {.readable = true}, [this](base::Readiness readiness) { ready(readiness); })) {
}

void Channel::send_bytes(base::Secret bytes) {
    if (closed_) return;
    if (queue_.size() >= most_queued) return give_up();
    queue_.push_back(std::move(bytes));
    if (queue_.size() == 1) flush();
}

void Channel::give_up() {
    if (!closed_) closing_->arm({});
}

void Channel::flush() {
    bool shortage = false;
    while (!queue_.empty() && !shortage) {
        const auto bytes = queue_.front().bytes();
        // A message goes whole or not at all.
        if (::send(end_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) break;
            // Want of memory passes, but nothing tells when: a connection that cannot take anything now still counts as
            // writable.
            shortage = errno == ENOBUFS || errno == ENOMEM;
            // If the other end is gone, what it said before is read first.
            if (!shortage) queue_.clear();
            continue;
        }
        queue_.pop_front();
    }
    if (shortage) again_->arm(shortage_pause);
    watch_->update({.readable = true, .writable = !queue_.empty() && !shortage});
}

void Channel::ready(base::Readiness readiness) {
    const std::weak_ptr<char> alive = alive_;
    if (readiness.readable) receive(most_messages_a_turn);
    if (!alive.expired() && !closed_ && readiness.writable) flush();
}

void Channel::receive(int most) {
    const std::weak_ptr<char> alive = alive_;
    for (int count = 0; count < most && receive_one(); ++count)
        if (alive.expired()) return;
}

// Takes one message, if there is one, and tells it. The buffer is no larger than the message, locked and wiped.
bool Channel::receive_one() {
    if (closed_) return false;
    const ssize_t size = recv(end_.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    // Zero is the end of the connection, for nobody sends empty messages.
    auto message = size > 0 && static_cast<std::size_t>(size) <= longest_message
                       ? base::Secret::with_capacity(static_cast<std::size_t>(size))
                       : base::Secret();
    if (!message || message->capacity() == 0 ||
        recv(end_.get(), message->spare().data(), message->capacity(), 0) != size) {
        close();
        return false;
    }
    message->grow(static_cast<std::size_t>(size));
    const auto tell = listener_.received;  // a copy: it may destroy this object
    tell(std::move(*message));
    return true;
}

void Channel::close() {
    if (closed_) return;
    closed_ = true;
    ::shutdown(end_.get(), SHUT_RDWR);  // the other end sees it at once, if it is still there
    queue_.clear();
    again_->disarm();
    watch_->update({});
    const auto tell = std::move(listener_.closed);
    tell();
}

}  // namespace bootkey::monitor
