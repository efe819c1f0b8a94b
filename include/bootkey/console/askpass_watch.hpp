// SPDX-License-Identifier: GPL-3.0-or-later
//
// News of the askpass processes that wait at cryptsetup's FIFO: those that are there at the start, those that come, and
// their going. Woken by the kernel alone (inotify on the FIFO, a pidfd for each process): while nothing happens,
// nothing is done.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/console/file_watch.hpp"
#include "bootkey/console/waiting_askpass.hpp"

namespace bootkey::console {

class AskpassWatch {
public:
    /// Called from the loop; may not destroy the watch.
    struct Listener {
        std::function<void(const Prompt& prompt)> waits;
        std::function<void(ProcessNumber process)> gone;
        /// After all of these, and also when only something about the FIFO has changed.
        std::function<void()> changed;
    };

    /// Watches the FIFO at `path` for processes that execute `program`. The first news come from the loop. `log` must
    /// outlive it. Errors: as of FileWatch; unavailable (no /proc).
    [[nodiscard]] static base::Result<std::unique_ptr<AskpassWatch>> create(base::Loop& loop, const base::Log& log,
                                                                            const std::string& path, Listener listener,
                                                                            std::string program = askpass_program);
    AskpassWatch(const AskpassWatch&) = delete;
    AskpassWatch& operator=(const AskpassWatch&) = delete;

private:
    struct Waiting {
        base::UniqueFd pidfd;
        std::unique_ptr<base::Watch> end;
    };

    AskpassWatch(base::Loop& loop, const base::Log& log, std::string path, std::string program, Listener listener);
    void look();
    void look_again(FileWatch::News news);
    void add(WaitingAskpass askpass);

    base::Loop& loop_;
    const base::Log& log_;
    std::string path_;
    std::string program_;
    Listener listener_;
    std::string complaint_;  // about what is in the FIFO's place; said once
    std::map<ProcessNumber, Waiting> waiting_;
    std::unique_ptr<FileWatch> file_;
    std::unique_ptr<base::Timer> look_;
    int looks_left_ = 0;
    base::Duration pause_{};
};

}  // namespace bootkey::console
