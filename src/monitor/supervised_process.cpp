// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/supervised_process.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::monitor {

using base::format;
using namespace std::chrono_literals;

namespace {

constexpr base::Duration closing_limit = 1s;  // from closing the channel to the end

}  // namespace

SupervisedProcess::SupervisedProcess(base::Loop& loop, const base::Log& log, Role role)
    : loop_(loop),
      log_(log),
      role_(std::move(role)),
      restart_timer_(loop.timer([this] { start_again(); })),
      kill_timer_(loop.timer([this] {
          if (process_) process_->kill(SIGKILL);
      })),
      ask_timer_(loop.timer([this] { ask(); })) {
}

SupervisedProcess::~SupervisedProcess() = default;

base::Duration SupervisedProcess::restart_pause(int count) {
    constexpr base::Duration first = 100ms;
    constexpr base::Duration longest = 10s;
    constexpr int most_doublings = 7;
    return std::min(longest, first * (1 << std::clamp(count - 1, 0, most_doublings)));
}

base::Result<void> SupervisedProcess::start() {
    auto ends = Channel::make_ends();
    if (!ends) return std::move(ends).error();
    auto errors = LinePipe::make(loop_, [this](std::string_view line) { role_.said(line); });
    if (!errors) return std::move(errors).error();
    auto process = base::ChildProcess::fork(
        loop_,
        [this, &ends = *ends, &errors = errors->second] {
            ends.first.reset();  // or it would never see the monitor close it
            if (dup2(errors.get(), STDERR_FILENO) < 0) return static_cast<int>(base::ExitCode::os_error);
            return role_.body(std::move(ends.second));
        },
        [this](const base::ExitReport& report) { on_exit(report.text()); });
    if (!process) return std::move(process).error();
    process_ = std::move(*process);
    errors_ = std::move(errors->first);
    condemned_ = false;
    started_ = loop_.now();
    channel_ = std::make_unique<Channel>(
        loop_, std::move(ends->first),
        Channel::Listener{.received = [this](base::Secret message) { on_message(std::move(message)); },
                          .closed = [this] { kill_timer_->arm(closing_limit); }});
    unanswered_ = owed_ = 0;
    if (role_.ask) ask_timer_->arm(role_.ask_pause);
    if (role_.started) role_.started();
    return {};
}

void SupervisedProcess::ask() {
    if (!process_ || condemned_ || ended_) return;
    if (unanswered_ == most_unanswered) {
        condemned_ = true;
        log_.error(format("the %s has not answered for %g s; it is killed", role_.name.c_str(),
                          base::to_seconds(most_unanswered * role_.ask_pause)));
        return process_->kill(SIGKILL);
    }
    ++unanswered_;
    ++owed_;
    role_.ask();
    ask_timer_->arm(role_.ask_pause);
}

bool SupervisedProcess::heard() {
    unanswered_ = 0;
    if (owed_ == 0) return false;
    --owed_;
    return true;
}

void SupervisedProcess::on_message(base::Secret message) {
    if (ended_ || condemned_ || role_.received(std::move(message))) return;
    condemned_ = true;
    log_.error(format("the %s said what it may not say; it is killed", role_.name.c_str()));
    if (process_) process_->kill(SIGKILL);
}

void SupervisedProcess::on_exit(const std::string& how) {
    if (channel_) channel_->drain();  // its last words
    errors_->drain();
    channel_.reset();
    process_.reset();
    kill_timer_->disarm();
    if (ended_) return std::exchange(ended_, {})();
    restarts_ = is_sound() ? 1 : restarts_ + 1;
    const base::Duration pause = restart_pause(restarts_);
    log_.error(format("the %s ended with %s; it is started again in %g s", role_.name.c_str(), how.c_str(),
                      base::to_seconds(pause)));
    if (role_.lost()) restart_timer_->arm(pause);
}

void SupervisedProcess::start_again() {
    const auto started = start();
    if (started) return;
    log_.error(started.error().message());
    restart_timer_->arm(restart_pause(++restarts_));
}

bool SupervisedProcess::retry() {
    if (is_sound()) retries_ = 0;
    if (retries_ == most_retries) return false;
    ++retries_;
    channel_.reset();
    kill_timer_->arm(closing_limit);
    return true;
}

void SupervisedProcess::end(base::Duration limit, std::function<void()> then) {
    restart_timer_->disarm();
    ended_ = std::move(then);
    channel_.reset();
    if (process_) return kill_timer_->arm(limit);
    restart_timer_ = loop_.timer([this] { std::exchange(ended_, {})(); });
    restart_timer_->arm({});
}

}  // namespace bootkey::monitor
