// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the two unprivileged processes have in common: a loop of their own, the channel to the monitor, a log that goes
// through it, and giving up privileges. Private to the room.
#pragma once

#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/monitor/channel.hpp"
#include "bootkey/monitor/messages.hpp"
#include "bootkey/options/options.hpp"
#include "bootkey/sandbox/confinement.hpp"

namespace bootkey::monitor {

/// `Outgoing`: the set of messages that the process may send.
template <typename Outgoing>
class UnprivilegedProcess {
public:
    /// `name`: what ps(1) shows, at most 15 characters. `received`: told of each message from the monitor; false if it
    /// cannot be read, which ends the process.
    UnprivilegedProcess(const char* name, base::UniqueFd channel, const options::Options& options,
                        std::function<bool(const base::Secret&)> received)
        : filters_(!options.no_sandbox), log_(options.verb) {
        prctl(PR_SET_NAME, name);
        // Nothing of the monitor's stays: not the journal, not the network, least of all the way out for the password.
        // Standard error is a pipe to the monitor.
        const std::array<int, 2> kept{STDERR_FILENO, channel.get()};
        sandbox::close_all_but(kept);
        occupy_standard_descriptors();
        auto loop = base::EventLoop::create();
        if (!loop) throw std::runtime_error(loop.error().message());
        loop_ = std::move(*loop);
        monitor_ = std::make_unique<Channel>(
            *loop_, std::move(channel),
            Channel::Listener{.received =
                                  [this, received = std::move(received)](const base::Secret& message) {
                                      if (!received(message)) loop_->stop();
                                  },
                              .closed = [this] { loop_->stop(); }});
        log_.add_sink([this](const base::LogEntry& entry) {
            // Whoever only wants to be heard does not wait, and does not make others wait.
            if (!monitor_->is_behind())
                monitor_->send(Outgoing(LogLine{static_cast<std::uint8_t>(entry.verbosity), entry.flag, entry.text}));
        });
    }

    [[nodiscard]] base::EventLoop& loop() { return *loop_; }
    [[nodiscard]] const base::Log& log() const { return log_; }
    void set_verb(int level) { log_.set_level(level); }
    [[nodiscard]] Channel& monitor() { return *monitor_; }

    /// Gives up everything that the role does not need; see sandbox::confine().
    [[nodiscard]] base::Result<void> confine(sandbox::Role role, const std::string& writable_directory, pid_t parent) {
        const auto remarks = sandbox::confine({role, writable_directory, filters_}, parent);
        if (!remarks) return remarks.error();
        for (const std::string& remark : *remarks) log_.info(2, remark);
        static_cast<void>(malloc_trim(0));  // the making of the filter took more memory than anything that follows
        return {};
    }

    /// Runs until the monitor closes the channel.
    [[nodiscard]] int run() {
        loop_->run();
        return 0;
    }

private:
    static void occupy_standard_descriptors() {
        const int null = open("/dev/null", O_RDWR);  // takes the place of standard input, the lowest
        [[maybe_unused]] const int output = null >= 0 ? dup(null) : -1;
    }

    bool filters_;
    base::Log log_;
    std::unique_ptr<base::EventLoop> loop_;
    std::unique_ptr<Channel> monitor_;
};

}  // namespace bootkey::monitor
