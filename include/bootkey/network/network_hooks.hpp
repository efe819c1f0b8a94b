// SPDX-License-Identifier: GPL-3.0-or-later
//
// Network hooks: programs of the administrator that set up what bootkey cannot (bridges, tunnels, wireless), run in
// name order with "start" before interfaces are chosen and with "stop" at the end. Those that need credentials ask for
// them on descriptor 3. Owns the children that run them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/time.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/network/hook_dialogue.hpp"

namespace bootkey::network {

/// A hook that has been run.
struct HookReport {
    std::string name;
    std::string mode;  ///< "start" or "stop"
    base::Time begun;
    base::Time ended;
    std::string failure;  ///< empty if there was none
};

/// A start hook asks for a user name and a password. Its time limit stands still until there is a reply, and begins
/// anew.
struct HookQuestion {
    std::uint32_t number = 0;  ///< no two open questions have the same
    std::string hook;          ///< its name
    std::string realm;         ///< what they are for, printable
    bool again = false;        ///< those that it got for this realm last were no good
};

/// Who answers the questions of hooks. Called from the loop.
struct HookAnswerer {
    /// The reply, without which there is nobody who knows; may come at once or at any time. Only the first one counts,
    /// and none once the question is withdrawn.
    using Reply = std::function<void(std::optional<Credentials>)>;

    /// A question is asked. Empty: nobody knows.
    std::function<void(const HookQuestion& question, Reply reply)> asked;
    /// The hook says whether the credentials that were the reply to that question are good. May never come.
    std::function<void(std::uint32_t question, bool good)> judged;
    /// The hook has ended, or broken the rules, before the reply.
    std::function<void(std::uint32_t question)> withdrawn;
};

/// What network hooks are told, and for how long they may run.
struct HookSettings {
    std::string directory;
    std::string device;           ///< DEVICE
    std::string delay_text;       ///< DELAY, as given
    std::string connect_text;     ///< CONNECT, as given; empty: not set
    bool verbose = false;         ///< VERBOSITY
    base::Duration delay{};       ///< how long they hold others up
    base::Duration time_limit{};  ///< when a hook's process group is killed
    /// Told of each hook that ends, also when it is cut short; may be empty.
    std::function<void(const HookReport&)> ended = {};
    HookAnswerer answerer = {};
};

/// Whether a file of this name may be a hook: letters, digits, "_", "." and "-" only.
[[nodiscard]] bool is_hook_name(std::string_view name);
/// The names of the hooks in `directory`, in byte order: regular, executable files with such names. A directory that
/// does not exist has none. With `trusted_only`, whatever somebody else than root may write to is left out, with a
/// warning.
[[nodiscard]] std::vector<std::string> find_hooks(const std::string& directory, bool trusted_only,
                                                  const base::Log& log);
/// The whole environment of a hook, "NAME=value" each. `mode`: "start" or "stop".
[[nodiscard]] std::vector<std::string> hook_environment(const HookSettings& settings, std::string_view mode);

class HookRun;  // one pass through all hooks

class NetworkHooks {
public:
    NetworkHooks(base::Loop& loop, const base::Log& log, HookSettings settings);
    ~NetworkHooks();

    /// Told the interfaces that hooks say they are going to take; see changes::StartHooks.
    using Proceed = std::function<void(const std::vector<std::string>& reserved)>;

    /// Asks every hook whose file has the word in it by "ports" which interfaces it is going to take, which may take a
    /// second in all. Then runs every hook with "start", one after the other; the next one begins when the one before
    /// has ended or has run for the delay. `proceed` is called from the loop: when all have ended, or when the delay
    /// has passed since this call, and once more when the last one has ended, if something was reserved. A hook that
    /// runs for longer than the time limit, or for longer after the answer to a question, is killed with its process
    /// group.
    void start(Proceed proceed);
    /// Kills start hooks that still run and runs every hook with "stop" in the same way, but within `budget` for all of
    /// them: each gets its share before the next begins, and at its end those that still run are killed. Then calls
    /// `done` once from the loop. A `proceed` that is still due is not called any more. Runs none if start() was never
    /// called.
    void stop(base::Duration budget, const std::function<void()>& done);

private:
    void go_on();
    void read_ports();
    void run_start_hooks();
    void on_start_hooks_ended();

    base::Loop& loop_;
    const base::Log& log_;
    HookSettings settings_;
    bool started_ = false;
    Proceed proceed_;
    bool went_on_ = false;  // it was called
    std::vector<std::string> names_;
    std::vector<std::string> reserved_;  // by start hooks that have not all ended
    base::UniqueFd ports_, ports_end_;   // what hooks print with "ports"
    std::unique_ptr<base::Timer> step_;  // to the start hooks
    std::unique_ptr<HookRun> run_;
    std::unique_ptr<base::Timer> timer_;  // until proceed, or for the stop hooks' budget
};

}  // namespace bootkey::network
