// SPDX-License-Identifier: GPL-3.0-or-later
//
// cryptsetup's askpass, started by us to ask a person beside the network. It blocks all signals, so it is ended by an
// answer: a byte in its own FIFO. Only if that does not help is it killed, and what it leaves behind put back.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/child_process.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/console/fifo_writer.hpp"
#include "bootkey/console/terminal_settings.hpp"
#include "bootkey/console/waiting_askpass.hpp"

namespace bootkey::console {

/// The FIFO that Debian's askpass makes.
inline constexpr const char* askpass_fifo = "/lib/cryptsetup/passfifo";

class Askpass {
public:
    /// What it printed if it ended with success, byte for byte; nothing if it ended in any other way. Called once from
    /// the loop, and may destroy the object.
    using Ended = std::function<void(std::optional<base::Secret> answer)>;

    /// Starts it at our standard input and error. `text`: its prompt. `environment`: all of it, as "NAME=value". Errors
    /// (os_error): it cannot be executed.
    [[nodiscard]] static base::Result<std::unique_ptr<Askpass>> start(base::Loop& loop, const base::Log& log,
                                                                      const std::string& text,
                                                                      std::vector<std::string> environment,
                                                                      Ended ended);
    /// Kills what still runs, and puts the terminal back.
    ~Askpass();
    Askpass(const Askpass&) = delete;
    Askpass& operator=(const Askpass&) = delete;

    /// Ends it, whose answer does not count any more; calls `then` from the loop when it is gone, which takes a second
    /// at most, and one more if even killing it does not help.
    void end(std::function<void()> then);

private:
    Askpass(base::Loop& loop, const base::Log& log, Ended ended);
    void read_answer();
    void on_exit(const base::ExitReport& report);
    void ask_to_end();
    void be_impatient();
    void kill_all();

    base::Loop& loop_;
    const base::Log& log_;
    Ended ended_;
    TerminalSettings settings_;
    base::UniqueFd output_;  // its standard output, our end
    std::unique_ptr<base::Watch> output_watch_;
    base::Secret answer_;
    bool too_long_ = false;
    bool killed_ = false;
    std::unique_ptr<FifoWriter> writer_;
    std::unique_ptr<base::Timer> again_, limit_;
    std::unique_ptr<base::ChildProcess> process_;
};

}  // namespace bootkey::console
