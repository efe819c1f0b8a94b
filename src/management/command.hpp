// SPDX-License-Identifier: GPL-3.0-or-later
//
// A command of the protocol, and what it works on. The table is in command_table.cpp, what the commands do in
// commands.cpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "bootkey/base/time.hpp"
#include "bootkey/management/history.hpp"
#include "bootkey/management/queries.hpp"
#include "bootkey/management/reply.hpp"
#include "bootkey/management/settings.hpp"
#include "bootkey/management/steering.hpp"
#include "bootkey/management/words.hpp"

namespace bootkey::management {

/// What clients are told when a hold ends that they did not end, without the line's end.
constexpr const char* hold_is_over = ">INFO:The hold is over";

/// What all clients share.
struct Shared {
    Shared(Settings chosen, Steering wishes);

    Settings settings;
    Steering steering;
    History log;
    History states;
    History echoes;
    Queries queries;
    bool hold_flag;
    bool holds = false;
    int verb;
    unsigned mute;
    AuthRetry auth_retry = AuthRetry::interact;
};

/// What a client has switched on for itself.
struct Switches {
    bool log = false;
    bool state = false;
    bool echo = false;
    std::chrono::seconds byte_count{0};  // between two notifications; 0: none
    base::Time next_byte_count;
};

/// A command that is being carried out.
struct Turn {
    Shared& shared;
    Switches& switches;
    const Words& words;  // the command's name first
    base::Time now;
    std::function<void(const std::string& line)> tell_others;  // a notification, without its end, at once
    Reply reply = {};
    bool leaves = false;  // the client wants no more
};

struct Command {
    std::string_view name;
    std::size_t least = 0;        // parameters that it needs
    bool takes_more = false;      // and may have others
    bool is_secret = false;       // parameters are not to be logged, and more than `least` are refused, not ignored
    bool steers = false;          // it may change what the program does, and is no mere question
    std::string_view usage = {};  // of the parameters
    std::string_view help = {};   // empty: another command's line tells of it
    void (*run)(Turn&) = nullptr;
};

/// All commands, in the order of "help".
[[nodiscard]] std::span<const Command> commands();
/// The command of this name, or none.
[[nodiscard]] const Command* find_command(std::string_view name);

}  // namespace bootkey::management
