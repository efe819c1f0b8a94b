// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/check_list.hpp"

#include "bootkey/base/text.hpp"

namespace bootkey::modes {
namespace {

std::string line(const char* verdict, const std::string& step, const std::string& text) {
    return base::format("%-6s %-10s ", verdict, step.c_str()) + text + "\n";
}

}  // namespace

void CheckList::good(const std::string& step, const std::string& found) {
    ++steps_;
    print_(line("ok", step, found));
}

void CheckList::wrong(const std::string& step, const std::string& what, const std::string& advice,
                      base::ExitCode code) {
    ++steps_;
    ++failures_;
    if (code_ == base::ExitCode::ok) code_ = code;
    print_(line("WRONG", step, advice.empty() ? what : what + "; " + advice));
}

void CheckList::warn(const std::string& step, const std::string& what) {
    print_(line("warn", step, what));
}

void CheckList::untried(const std::string& step, const std::string& why) {
    ++steps_;
    ++failures_;
    print_(line("?", step, "not tried: " + why));
}

base::ExitCode CheckList::conclude() {
    if (failures_ == 0)
        print_("A reboot would unlock this machine.\n");
    else
        print_(base::format(
            "A reboot would not unlock this machine, as far as can be seen: %d of %d steps are not in order.\n",
            failures_, steps_));
    return failures_ == 0 ? base::ExitCode::ok : code_ == base::ExitCode::ok ? base::ExitCode::unavailable : code_;
}

}  // namespace bootkey::modes
