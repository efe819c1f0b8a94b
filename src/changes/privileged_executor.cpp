// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ties together what does the work: hooks, the wait for udev, and the changes with their journal. Each answer comes
// from the loop.
#include "bootkey/changes/privileged_executor.hpp"

#include <unistd.h>

#include <utility>

#include "bootkey/base/overloaded.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/changes/journal_file.hpp"
#include "bootkey/network/kernel_version.hpp"
#include "bootkey/network/netlink_request.hpp"
#include "bootkey/network/network_namespace.hpp"

namespace bootkey::changes {
namespace {

using base::Error;
using base::Result;

constexpr const char* udev_directory = "/run/udev";
// Of the 4.5 s for everything; what remains is for the journal's lock (1 s) and an agent that has to end (0.5 s).
constexpr base::Duration stop_hooks_budget = std::chrono::milliseconds(2900);

Result<void> ending(std::string tried) {
    return Error{base::ExitCode::unavailable, std::move(tried), "bootkey is putting everything back", ""};
}

void reply(const Done& done, Result<void> result) {
    if (done) done({std::move(result)});
}

}  // namespace

Result<std::unique_ptr<PrivilegedExecutor>> PrivilegedExecutor::create(base::Loop& loop, const base::Log& log,
                                                                       network::HookSettings hooks,
                                                                       const std::string& runtime_directory) {
    auto changes = Changes::open(log, Paths::with_journal_in(runtime_directory));
    if (!changes) return std::move(changes).error();
    const auto undone = changes->undo_left_over();
    // Without permission there is nothing of ours there; with it, unlocking goes on even if the journal is out of
    // order.
    if (!undone && undone.error().code != base::ExitCode::no_permission) log.warning(undone.error().message());
    if (undone && *undone > 0)
        log.info(1, base::format("put back %d changes that a bootkey which was killed had left", *undone));
    // Before it has been up, as in an initial RAM disk, Linux takes every IPv4 address for a broadcast address. Who
    // connects to a server then makes a neighbour entry that stays: all that is sent to the server goes to everybody,
    // and the server does not heed it.
    if (const auto up = changes->bring_up(network::loopback_interface); !up) log.info(2, up.error().message());
    return std::unique_ptr<PrivilegedExecutor>(
        new PrivilegedExecutor(loop, log, std::move(hooks), std::move(*changes)));
}

PrivilegedExecutor::PrivilegedExecutor(base::Loop& loop, const base::Log& log, network::HookSettings hooks,
                                       Changes changes)
    : log_(log),
      changes_(std::move(changes)),
      hooks_(loop, log, std::move(hooks)),
      udev_(loop, udev_directory),
      wait_for_udev_(network::must_wait_for_udev(network::running_kernel(), network::in_first_network_namespace(),
                                                 access(udev_directory, F_OK) == 0)),
      later_timer_(loop.timer([this] { run_later(); })) {
}

PrivilegedExecutor::~PrivilegedExecutor() {
    if (put_back_) return;
    if (auto undone = changes_.undo_ours(); !undone) log_.warning(undone.error().message());
}

void PrivilegedExecutor::perform(const Request& request, Done done) {
    std::visit(base::Overloaded{
                   [&](const StartHooks&) { start_hooks(std::move(done)); },
                   [&](const BringUp& asked) { bring_up(asked.interface, std::move(done)); },
                   [&](const AddHostRoute& asked) {
                       later([this, asked, done = std::move(done)] {
                           reply(done, ending_ ? ending("cannot add a route to " + asked.destination.text())
                                               : changes_.add_host_route(asked.destination, asked.interface));
                       });
                   },
                   [&](const RemoveHostRoute& asked) {
                       later([this, asked, done = std::move(done)] {
                           reply(done, changes_.remove_host_route(asked.destination, asked.interface));
                       });
                   },
                   [&](const LowerConsoleLevel&) {
                       tell(changes_.lower_console_level());
                       later([done = std::move(done)] { reply(done, {}); });
                   },
                   [&](const RestoreConsoleLevel&) {
                       tell(changes_.restore_console_level());
                       later([done = std::move(done)] { reply(done, {}); });
                   },
               },
               request);
}

void PrivilegedExecutor::start_hooks(Done done) {
    hooks_done_ = std::move(done);
    const auto tell_reply = [this] {
        const Done told = hooks_done_;  // which may destroy the object
        if (told) told(Reply(*hooks_reply_));
    };
    if (hooks_reply_) return later(tell_reply);
    if (std::exchange(hooks_started_, true)) return;
    hooks_.start([this, tell_reply](const std::vector<std::string>& reserved) {
        hooks_reply_ = Reply{{}, reserved};
        tell_reply();
    });
}

void PrivilegedExecutor::bring_up(std::uint32_t interface, Done done) {
    auto act = [this, interface, done = std::move(done)] {
        reply(done, ending_ ? ending(base::format("cannot bring up interface number %u", interface))
                            : changes_.bring_up(interface));
    };
    if (wait_for_udev_)
        udev_.when_named(interface, std::move(act));
    else
        later(std::move(act));
}

void PrivilegedExecutor::put_back(std::function<void(const Result<void>&)> done) {
    if (std::exchange(ending_, true)) return later([done = std::move(done)] { done({}); });
    hooks_.stop(stop_hooks_budget, [this, done = std::move(done)] {
        put_back_ = true;
        done(undo());
    });
}

// What could not be undone is tried once more: it may have been for a moment's want of memory or file descriptors.
Result<void> PrivilegedExecutor::undo() {
    auto undone = changes_.undo_ours();
    if (undone || undone.error().code == base::ExitCode::unavailable) return undone;
    log_.info(2, undone.error().message());
    return changes_.undo_ours();
}

// Nobody is kept from anything by kernel messages on the console, so that they are is no more than news.
void PrivilegedExecutor::tell(const Result<void>& result) const {
    if (!result) log_.info(2, result.error().message());
}

void PrivilegedExecutor::later(std::function<void()> action) {
    if (later_.empty()) later_timer_->arm({});
    later_.push_back(std::move(action));
}

void PrivilegedExecutor::run_later() {
    const auto actions = std::exchange(later_, {});
    const std::weak_ptr<char> alive = alive_;
    for (const auto& action : actions) {
        action();
        if (alive.expired()) return;
    }
}

Result<int> restore(const base::Log& log, const std::string& runtime_directory) {
    auto changes = Changes::open(log, Paths::with_journal_in(runtime_directory));
    if (!changes) return std::move(changes).error();
    return changes->undo_left_over();
}

Result<void> leave_timeline(const std::string& text, const std::string& runtime_directory) {
    const base::Log quiet(-1);  // all that is to be said of the journal has been said by now
    auto locked = JournalFile(runtime_directory).open_or_make(quiet);
    if (!locked) return std::move(locked).error();
    return locked->leave_timeline(text);
}

}  // namespace bootkey::changes
