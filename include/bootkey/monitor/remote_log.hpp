// SPDX-License-Identifier: GPL-3.0-or-later
//
// What another process writes into the log. An attacker may make it write anything: so each line is one line, of
// bounded length and without a character that does more than be seen; there are no more of them than leave a console
// usable, which may be a slow one; and of what the network makes a process say, a line that comes again and again is
// shown for the 1st, 2nd, 4th, 8th time and so on, with how often it has come. What a person has asked for (verbosity
// 0) and debugging are shown each time.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/monitor/allowance.hpp"
#include "bootkey/monitor/messages.hpp"

namespace bootkey::monitor {

class RemoteLog {
public:
    enum class Repeats { counted, shown };
    /// `name`: the process, for what is said about it. The references must outlive the object.
    RemoteLog(const base::Loop& loop, const base::Log& log, std::string name, Repeats repeats);

    void say(int verbosity, base::LogFlag flag, std::string_view text);
    void say(const LogLine& line) { say(line.verbosity, line.flag, line.text); }

    static constexpr std::size_t longest_line = 1024;  ///< bytes before escaping

private:
    [[nodiscard]] unsigned count(const std::string& line);

    const base::Loop& loop_;
    const base::Log& log_;
    std::string name_;
    Repeats repeats_;
    Allowance bytes_;
    unsigned left_out_ = 0;                               // since there was too much
    std::unordered_map<std::string, unsigned> repeated_;  // how often each of the last lines has come
    std::deque<std::string> order_;                       // in which they were new
};

}  // namespace bootkey::monitor
