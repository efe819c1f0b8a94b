// SPDX-License-Identifier: GPL-3.0-or-later
//
// What --check has found out: one line a step, told at once, and a verdict in the end. Pure but for what `print` does.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "bootkey/base/result.hpp"

namespace bootkey::modes {

class CheckList {
public:
    /// `print` takes whole lines.
    explicit CheckList(std::function<void(const std::string& line)> print) : print_(std::move(print)) {}

    void good(const std::string& step, const std::string& found);
    /// What is wrong, and how to mend it (which may be empty).
    void wrong(const std::string& step, const std::string& what, const std::string& advice,
               base::ExitCode code = base::ExitCode::unavailable);
    void wrong(const std::string& step, const base::Error& error) {
        wrong(step, error.tried + ": " + error.why, error.advice, error.code);
    }
    /// What does not keep the machine from being unlocked, but should be mended.
    void warn(const std::string& step, const std::string& what);
    void warn(const std::string& step, const base::Error& error) { warn(step, error.message()); }
    /// The step could not be tried, because of what went wrong before.
    void untried(const std::string& step, const std::string& why);

    /// Prints the verdict in one sentence. Returns ok if every step was good, else the code of the first that was
    /// wrong.
    base::ExitCode conclude();

private:
    std::function<void(const std::string& line)> print_;
    int steps_ = 0;
    int failures_ = 0;  // wrong or untried
    base::ExitCode code_ = base::ExitCode::ok;
};

}  // namespace bootkey::modes
