// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/remote_log.hpp"

#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::monitor {
namespace {

constexpr int debugging = 9;
constexpr double kibibyte = 1024;
constexpr double pause = 32 * kibibyte;  // allowed again before more lines are shown where some were left out

// A network full of servers says 100 kB at once with --verb=4; with --debug GnuTLS says 20 kB for one handshake.
Allowance allowance_at(int level) {
    return level < debugging ? Allowance(128 * kibibyte, 16 * kibibyte) : Allowance(1024 * kibibyte, 64 * kibibyte);
}

}  // namespace

RemoteLog::RemoteLog(const base::Loop& loop, const base::Log& log, std::string name)
    : loop_(loop), log_(log), name_(std::move(name)), bytes_(allowance_at(log.level())) {
}

void RemoteLog::say(int verbosity, base::LogFlag flag, std::string_view text) {
    if (!log_.shows(verbosity)) return;
    const std::string line = base::printable(text, longest_line);
    if (!bytes_.take(loop_.now(), left_out_ > 0 ? pause : static_cast<double>(line.size()))) {
        if (left_out_++ == 0) log_.warning("the " + name_ + " writes too much into the log; lines are left out");
        return;
    }
    if (const unsigned count = std::exchange(left_out_, 0); count > 0)
        log_.warning(base::format("%u lines of the %s were left out", count, name_.c_str()));
    log_.say(verbosity, flag, line);
}

}  // namespace bootkey::monitor
