// SPDX-License-Identifier: GPL-3.0-or-later
//
// An unprivileged process of an unlock, as the monitor sees it: forked, spoken to over a channel, started again with
// growing pauses when it ends by itself or does not answer any more, and ended for certain when it is not wanted any
// more. Its standard error is a pipe to the monitor: it has nothing by which it could reach a terminal.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "bootkey/base/child_process.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/monitor/channel.hpp"
#include "bootkey/monitor/line_pipe.hpp"

namespace bootkey::monitor {

class SupervisedProcess {
public:
    struct Role {
        std::string name;  ///< for the log
        /// What the process does, given its end of the channel; what it returns is its exit status.
        std::function<int(base::UniqueFd channel)> body;
        /// A line that it has written to standard error.
        std::function<void(std::string_view line)> said;
        /// It has been started (again); may be empty.
        std::function<void()> started;
        /// Asks it for a sign of life, of which heard() is to be told; empty: it may be silent for ever.
        std::function<void()> ask;
        base::Duration ask_pause = std::chrono::seconds(10);
        /// A message from it. False if that is none that it may send: then it is killed and started again.
        std::function<bool(base::Secret message)> received;
        /// It has ended by itself. False if it is not to be started again.
        std::function<bool()> lost;
    };

    /// All references must outlive the object; `role`'s functions are called from the loop (`body` in the other
    /// process).
    SupervisedProcess(base::Loop& loop, const base::Log& log, Role role);
    /// Kills what still runs.
    ~SupervisedProcess();
    SupervisedProcess(const SupervisedProcess&) = delete;
    SupervisedProcess& operator=(const SupervisedProcess&) = delete;

    /// Starts it. Errors (os_error): the kernel has no room for a process.
    [[nodiscard]] base::Result<void> start();
    /// Sends it a message of one of the sets in messages.hpp; lost if it is not running just now.
    template <typename Set>
    void send(const Set& message) {
        if (channel_) channel_->send(message);
    }
    /// It has answered what `ask` asked. False if nothing was asked that it had not answered yet.
    [[nodiscard]] bool heard();
    /// It cannot do its work, for a reason that may pass: it is ended in order and started again after a pause. False,
    /// and nothing is done, if that has been tried `most_retries` times since it was last sound.
    [[nodiscard]] bool retry();
    /// Closes its channel, upon which it ends in order, and calls `then` from the loop when it has, or has been killed
    /// because it took longer than `limit`.
    void end(base::Duration limit, std::function<void()> then);

    /// The pause before it is started for the `count`th time again: 0.1 s, doubled up to 10 s.
    [[nodiscard]] static base::Duration restart_pause(int count);
    /// One that has run that long is believed to be sound: the pauses begin anew.
    static constexpr base::Duration sound_after = std::chrono::seconds(60);
    static constexpr int most_retries = 3;
    /// It is killed when it owes so many signs of life: a library may loop for ever on a packet. They are counted, and
    /// not the time, of which any amount may pass while processes are stopped.
    static constexpr int most_unanswered = 3;

private:
    void on_message(base::Secret message);
    void on_exit(const std::string& how);
    void start_again();
    void ask();
    [[nodiscard]] bool is_sound() const { return loop_.now() - started_ >= sound_after; }

    base::Loop& loop_;
    const base::Log& log_;
    Role role_;
    int restarts_ = 0;
    int retries_ = 0;
    int unanswered_ = 0;  // asked in a row
    int owed_ = 0;        // of all that were asked
    base::Time started_{};
    std::function<void()> ended_;  // set while it is being ended
    std::unique_ptr<base::Timer> restart_timer_;
    std::unique_ptr<base::Timer> kill_timer_;
    std::unique_ptr<base::Timer> ask_timer_;
    bool condemned_ = false;  // it has said what it may not say, and is not listened to any more
    std::unique_ptr<LinePipe> errors_;
    std::unique_ptr<Channel> channel_;
    std::unique_ptr<base::ChildProcess> process_;
};

}  // namespace bootkey::monitor
