// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/askpass_watch.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace bootkey::console {
namespace {

// The kernel tells that a file is opened a moment before the process has it among its descriptors, and that moment may
// be long on a machine with fewer processors than it thinks. So whoever is not found is looked for a few times
// more: 2.5 s in all.
constexpr base::Duration first_pause = std::chrono::milliseconds(10);
constexpr int most_looks = 8;  // each after twice the pause

}  // namespace

base::Result<std::unique_ptr<AskpassWatch>> AskpassWatch::create(base::Loop& loop, const base::Log& log,
                                                                 const std::string& path, Listener listener,
                                                                 std::string program) {
    if (access("/proc/self/fd", R_OK | X_OK) != 0)
        return base::system_error("cannot look for askpass in /proc", errno, "mount it", base::ExitCode::unavailable);
    std::unique_ptr<AskpassWatch> made(new AskpassWatch(loop, log, path, std::move(program), std::move(listener)));
    auto file = FileWatch::create(loop, path, [self = made.get()](FileWatch::News news) { self->look_again(news); });
    if (!file) return std::move(file).error();
    made->file_ = std::move(*file);
    made->look_again(FileWatch::News::opened);
    return made;
}

AskpassWatch::AskpassWatch(base::Loop& loop, const base::Log& log, std::string path, std::string program,
                           Listener listener)
    : loop_(loop),
      log_(log),
      path_(std::move(path)),
      program_(std::move(program)),
      listener_(std::move(listener)),
      look_(loop.timer([this] { look(); })) {
}

void AskpassWatch::look_again(FileWatch::News news) {
    if (news == FileWatch::News::opened) {
        looks_left_ = most_looks;
        pause_ = first_pause;
    }
    look_->arm({});
}

void AskpassWatch::look() {
    std::vector<WaitingAskpass> found;
    const auto fifo = find_fifo(path_);
    const std::string complaint = fifo ? std::string() : fifo.error().message();
    if (complaint != complaint_ && !complaint.empty()) log_.error(complaint);
    complaint_ = complaint;
    if (fifo && *fifo) found = find_askpass(**fifo, program_);

    std::erase_if(waiting_, [&](const auto& known) {
        const bool gone =
            std::ranges::none_of(found, [&](const WaitingAskpass& one) { return one.prompt.process == known.first; });
        if (gone) listener_.gone(known.first);
        return gone;
    });
    for (WaitingAskpass& one : found)
        if (!waiting_.contains(one.prompt.process)) add(std::move(one));
    if (found.empty() && fifo && *fifo && looks_left_ > 0) {
        --looks_left_;
        look_->arm(pause_);
        pause_ *= 2;
    }
    listener_.changed();
}

void AskpassWatch::add(WaitingAskpass askpass) {
    const ProcessNumber process = askpass.prompt.process;
    Waiting& waiting = waiting_[process];
    waiting.pidfd = std::move(askpass.pidfd);
    waiting.end = loop_.watch(waiting.pidfd.get(), {.readable = true}, [this, process](base::Readiness) {
        waiting_.erase(process);
        listener_.gone(process);
        listener_.changed();
    });
    listener_.waits(askpass.prompt);
}

}  // namespace bootkey::console
