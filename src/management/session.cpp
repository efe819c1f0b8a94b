// SPDX-License-Identifier: GPL-3.0-or-later
#include "session.hpp"

#include <cstddef>
#include <utility>

namespace bootkey::management {
namespace {

constexpr std::size_t one_piece = 32 * 1024;      // bytes of a long reply that are sent at once
constexpr std::size_t most_waiting = 256 * 1024;  // bytes of notifications behind a reply

}  // namespace

base::Result<std::unique_ptr<Session>> Session::create(ClientId id, bool is_admitted, const Outlet& outlet) {
    auto splitter = LineSplitter::create();
    if (!splitter) return std::move(splitter).error();
    auto words = Words::create(LineSplitter::longest_line);
    if (!words) return std::move(words).error();
    return std::unique_ptr<Session>(new Session(id, is_admitted, std::move(*splitter), std::move(*words), outlet));
}

void Session::answer(Reply reply) {
    reply_ = std::move(reply);
    is_busy_ = false;
    send_some();
}

void Session::notify(std::string_view lines) {
    if (closing_) return;
    if (!is_busy_ && reply_.empty()) return send(lines);
    waiting_ += lines;
    if (waiting_.size() > most_waiting) {
        waiting_.clear();
        close();
    }
}

void Session::pause(bool on) {
    if (std::exchange(is_paused_, on) != on) outlet_.pause(id_, on);
}

void Session::drained() {
    is_full_ = false;
    send_some();
}

// A reply and what waits behind it are sent together where they fit.
void Session::send_some() {
    while (!closing_ && !is_full_ && !is_busy_ && !(reply_.empty() && waiting_.empty())) {
        std::string lines;
        reply_.move_to(lines, one_piece);
        if (reply_.empty()) lines += std::exchange(waiting_, {});
        send(lines);
    }
}

void Session::close() {
    if (std::exchange(closing_, true)) return;
    outlet_.close(id_);
}

}  // namespace bootkey::management
