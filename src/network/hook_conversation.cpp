// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/network/hook_conversation.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <span>
#include <string_view>
#include <variant>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::network {

base::Result<std::pair<std::unique_ptr<HookConversation>, base::UniqueFd>> HookConversation::begin(base::Loop& loop,
                                                                                                   Listener listener) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return base::system_error("cannot connect a network hook", errno);
    base::UniqueFd ours(ends[0]);
    base::UniqueFd hooks(ends[1]);
    base::UniqueFd above(fcntl(hooks.get(), F_DUPFD_CLOEXEC, 3));  // out of the way of the standard descriptors
    if (!above || fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0)
        return base::system_error("cannot connect a network hook", errno);
    return std::pair(
        std::unique_ptr<HookConversation>(new HookConversation(loop, std::move(ours), std::move(listener))),
        std::move(above));
}

HookConversation::HookConversation(base::Loop& loop, base::UniqueFd end, Listener listener)
    : end_(std::move(end)),
      listener_(std::move(listener)),
      watch_(loop.watch(end_.get(), {.readable = true}, [this](base::Readiness) { (void)read(); })),
      asking_again_(loop.timer([this] {
          listener_.asks({realm_, true});
      })) {
}

void HookConversation::drain() {
    while (watch_ && read()) {
    }
}

// Whether there was something to read.
bool HookConversation::read() {
    char buffer[1024];
    const ssize_t size = recv(end_.get(), buffer, sizeof buffer, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (size <= 0)
        end({});
    else
        for (const auto& event : dialogue_.hear({buffer, static_cast<std::size_t>(size)})) take(event);
    return size > 0;
}

void HookConversation::take(const HookDialogue::Event& event) {
    if (!watch_) return;  // over
    if (const auto* asks = std::get_if<HookDialogue::Asks>(&event)) {
        realm_ = asks->realm;
        listener_.asks(*asks);
    } else if (const auto* judges = std::get_if<HookDialogue::Judges>(&event)) {
        listener_.judges(judges->good);
    } else {
        end(std::get<HookDialogue::Errs>(event).why);
    }
}

void HookConversation::answer(const std::optional<Credentials>& credentials) {
    if (!watch_) return;
    if (!credentials) {
        dialogue_.answered(false);
        return write(base::bytes_of(nobody_line));
    }
    if (!can_be_told(*credentials)) {
        asking_again_->arm({});
        return listener_.judges(false);
    }
    const auto lines = lines_of(*credentials);
    if (!lines) return end(lines.error().message());
    dialogue_.answered(true);
    write(lines->bytes());
}

// A hook that has asked a hundred times and never read still has room for the answers.
void HookConversation::write(std::span<const std::byte> bytes) {
    const ssize_t size = ::send(end_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size != static_cast<ssize_t>(bytes.size()))
        end(size < 0 && errno == EPIPE ? "" : "it does not read the answer");
}

void HookConversation::end(const std::string& why) {
    watch_.reset();
    asking_again_->disarm();
    shutdown(end_.get(), SHUT_RDWR);
    listener_.over(why);
}

}  // namespace bootkey::network
