// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ties together what does the work: hooks, the wait for udev, and the changes with their journal. Each answer comes
// from the loop.
#include "bootkey/changes/local_administration.hpp"

#include <unistd.h>

#include <deque>
#include <utility>

#include "bootkey/base/text.hpp"
#include "bootkey/changes/changes.hpp"
#include "bootkey/changes/instance.hpp"
#include "bootkey/changes/journal_file.hpp"
#include "bootkey/network/kernel_version.hpp"
#include "bootkey/network/network_namespace.hpp"
#include "bootkey/network/udev_gate.hpp"

namespace bootkey::changes {
namespace {

using base::Error;
using base::Result;

constexpr const char* udev_directory = "/run/udev";
// Of the 4.5 s for everything; what remains is for the journal's lock (1 s) and an agent that has to end (0.5 s).
constexpr base::Duration stop_hooks_budget = std::chrono::milliseconds(2900);

class Local final : public LocalAdministration {
public:
    Local(base::Loop& loop, const base::Log& log, network::HookSettings hooks, Changes changes)
        : log_(log),
          changes_(std::move(changes)),
          hooks_(loop, log, std::move(hooks)),
          udev_(loop, udev_directory),
          wait_for_udev_(network::must_wait_for_udev(network::running_kernel(), network::in_first_network_namespace(),
                                                     access(udev_directory, F_OK) == 0)),
          later_timer_(loop.timer([this] { run_later(); })) {}

    // put_back() is the proper end; this is for every other way out.
    ~Local() override {
        if (put_back_) return;
        if (auto undone = changes_.undo_ours(); !undone) log_.warning(undone.error().message());
    }

    void start_hooks(Proceed proceed) override { hooks_.start(std::move(proceed)); }

    void bring_up(std::uint32_t interface, Done done) override {
        auto act = [this, interface, done = std::move(done)] {
            done(ending_ ? refusal(base::format("cannot bring up interface number %u", interface))
                         : changes_.bring_up(interface));
        };
        if (wait_for_udev_)
            udev_.when_named(interface, std::move(act));
        else
            later(std::move(act));
    }

    void add_host_route(const base::IpAddress& destination, std::uint32_t interface, Done done) override {
        later([this, destination, interface, done = std::move(done)] {
            done(ending_ ? refusal("cannot add a route to " + destination.text())
                         : changes_.add_host_route(destination, interface));
        });
    }

    void remove_host_route(const base::IpAddress& destination, std::uint32_t interface, Done done) override {
        later([this, destination, interface, done = std::move(done)] {
            done(changes_.remove_host_route(destination, interface));
        });
    }

    void lower_console_level() override { tell(changes_.lower_console_level()); }
    void restore_console_level() override { tell(changes_.restore_console_level()); }

    Result<std::string> make_home() override { return changes_.make_home(); }
    Result<void> remove_home(const std::string& path) override { return changes_.remove_home(path); }

    void put_back(Done done) override {
        if (std::exchange(ending_, true)) return later([done = std::move(done)] { done({}); });
        hooks_.stop(stop_hooks_budget, [this, done = std::move(done)] {
            put_back_ = true;
            done(undo());
        });
    }

private:
    // What could not be undone is tried once more: it may have been for a moment's want of memory or file descriptors.
    Result<void> undo() {
        auto undone = changes_.undo_ours();
        if (undone || undone.error().code == base::ExitCode::unavailable) return undone;
        log_.info(2, undone.error().message());
        return changes_.undo_ours();
    }

    static Result<void> refusal(std::string tried) {
        return Error{base::ExitCode::unavailable, std::move(tried), "bootkey is putting everything back", ""};
    }

    // Nobody is kept from anything by kernel messages on the console, so that they are is no more than news.
    void tell(const Result<void>& result) const {
        if (!result) log_.info(2, result.error().message());
    }

    void later(std::function<void()> action) {
        if (later_.empty()) later_timer_->arm({});
        later_.push_back(std::move(action));
    }

    void run_later() {
        const auto actions = std::exchange(later_, {});
        const std::weak_ptr<char> alive = alive_;
        for (const auto& action : actions) {
            action();
            if (alive.expired()) return;
        }
    }

    const base::Log& log_;
    Changes changes_;
    network::NetworkHooks hooks_;
    network::UdevGate udev_;
    bool wait_for_udev_;
    bool ending_ = false;    // put_back() has been called
    bool put_back_ = false;  // and has done its work
    std::deque<std::function<void()>> later_;
    std::shared_ptr<char> alive_ = std::make_shared<char>();
    std::unique_ptr<base::Timer> later_timer_;
};

}  // namespace

Result<std::unique_ptr<LocalAdministration>> LocalAdministration::create(base::Loop& loop, const base::Log& log,
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
    return std::unique_ptr<LocalAdministration>(
        std::make_unique<Local>(loop, log, std::move(hooks), std::move(*changes)));
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
