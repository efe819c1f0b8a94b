// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/remote_log.hpp"

#include <bit>
#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::monitor {
namespace {

constexpr int debugging = 9;
constexpr double kibibyte = 1024;
constexpr double pause = 8 * kibibyte;  // allowed again before more lines are shown where some were left out
constexpr std::size_t max_remembered = 256;

// A network full of servers says 100 kB at once with --verb=4; with --debug GnuTLS says 20 kB for one handshake.
// Whoever is on the network may go on with that for as long as the machine waits.
Allowance allowance_at(int level) {
    return level < debugging ? Allowance(128 * kibibyte, 2 * kibibyte) : Allowance(1024 * kibibyte, 64 * kibibyte);
}

}  // namespace

RemoteLog::RemoteLog(const base::Loop& loop, const base::Log& log, std::string name, Repeats repeats)
    : loop_(loop), log_(log), name_(std::move(name)), repeats_(repeats), bytes_(allowance_at(log.level())) {
}

void RemoteLog::say(int verbosity, base::LogFlag flag, std::string_view text) {
    if (!log_.shows(verbosity)) return;
    std::string line = base::printable(text, longest_line);
    if (repeats_ == Repeats::counted && verbosity > 0 && verbosity < debugging) {
        const unsigned times = count(line);
        if (!std::has_single_bit(times)) return;
        if (times > 1) line += base::format(" (%u times by now)", times);
    }
    if (!bytes_.take(loop_.now(), left_out_ > 0 ? pause : static_cast<double>(line.size()))) {
        if (left_out_++ == 0) log_.warning("the " + name_ + " writes too much into the log; lines are left out");
        return;
    }
    if (const unsigned count = std::exchange(left_out_, 0); count > 0)
        log_.warning(base::format("%u lines of the %s were left out", count, name_.c_str()));
    log_.say(verbosity, flag, line);
}

unsigned RemoteLog::count(const std::string& line) {
    const auto known = repeated_.find(line);
    if (known != repeated_.end()) return ++known->second;
    if (order_.size() == max_remembered) {
        repeated_.erase(order_.front());
        order_.pop_front();
    }
    order_.push_back(line);
    return repeated_[line] = 1;
}

}  // namespace bootkey::monitor
