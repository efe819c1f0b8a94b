// SPDX-License-Identifier: GPL-3.0-or-later
//
// The one way in which the program speaks to people. A Log takes messages with a verbosity and a flag
// and hands those that pass the level to its sinks (standard error; later also a history). It is made in
// main and handed to whoever needs it by reference. Secrets never reach it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bootkey/base/time.hpp"

namespace bootkey::base {

/// What kind of message, in OpenVPN's letters (management interface, "log" command).
enum class LogFlag : char { info = 'I', fatal = 'F', nonfatal = 'N', warning = 'W', debug = 'D' };

struct LogEntry {
    Time time;      ///< when it was said
    int verbosity;  ///< the lowest level at which it is shown, 0-15
    LogFlag flag;
    std::string text;  ///< one line without line end; hostile text in it is escaped by whoever said it
};

class Log {
public:
    using Sink = std::function<void(const LogEntry&)>;

    /// Shows messages of verbosity ≤ `level` (0-15); 9 and more are debugging.
    explicit Log(int level = 1) : level_(level) {}
    Log(const Log&) = delete;  // sinks may refer to their log
    Log& operator=(const Log&) = delete;

    void set_level(int level) { level_ = level; }
    [[nodiscard]] int level() const { return level_; }
    /// Of information (not errors and warnings), at most `messages` of one category in a row are shown from now on, and
    /// how many are left out; 0: all. One category is what begins with the same words up to the first ':' or digit.
    void set_mute(unsigned messages) { mute_ = messages; }
    /// Whether a message of this verbosity would be shown; saves the making of costly texts.
    [[nodiscard]] bool shows(int verbosity) const { return verbosity <= level_; }
    /// Every shown message goes to every sink, in the order they were added. Sinks must not log.
    void add_sink(Sink sink) { sinks_.push_back(std::move(sink)); }

    void say(int verbosity, LogFlag flag, std::string_view text) const;
    void fatal(std::string_view text) const { say(0, LogFlag::fatal, text); }
    void error(std::string_view text) const { say(1, LogFlag::nonfatal, text); }
    void warning(std::string_view text) const { say(1, LogFlag::warning, text); }
    /// Something a person may want to follow: 2 = what was decided, 3 = phases, 4 = details.
    void info(int verbosity, std::string_view text) const { say(verbosity, LogFlag::info, text); }
    void debug(std::string_view text) const { say(9, LogFlag::debug, text); }

private:
    [[nodiscard]] bool is_muted(const LogEntry& entry) const;
    void show(const LogEntry& entry) const;

    int level_;
    unsigned mute_ = 0;
    std::vector<Sink> sinks_;
    mutable std::string category_;   // of the last message, and
    mutable unsigned repeated_ = 0;  // how many of it there were in a row
};

/// A sink that writes "bootkey: TEXT" lines to the descriptor `fd`, each in one write(2); from level 3 on
/// with the milliseconds since `start`. Does not own `fd`; write errors are ignored, since there is nobody to tell.
/// Where `fd` takes nothing for a second, lines are left out until it does, and their number is told then.
[[nodiscard]] Log::Sink descriptor_sink(int fd, Time start, const Log& log);

}  // namespace bootkey::base
