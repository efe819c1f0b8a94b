// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/log.hpp"

#include <unistd.h>

#include "bootkey/base/text.hpp"

namespace bootkey::base {

void Log::say(int verbosity, LogFlag flag, std::string_view text) const {
    if (!shows(verbosity)) return;
    const LogEntry entry{Clock::now(), verbosity, flag, std::string(text)};
    for (const Sink& sink : sinks_) sink(entry);
}

Log::Sink descriptor_sink(int fd, Time start, const Log& log) {
    return [fd, start, &log](const LogEntry& entry) {
        std::string line = "bootkey: ";
        if (log.level() >= 3) {
            const auto since = std::chrono::duration<double, std::milli>(entry.time - start).count();
            line += format("[%9.3f ms] ", since);
        }
        if (entry.flag == LogFlag::warning) line += "warning: ";
        line += entry.text;
        line += '\n';
        [[maybe_unused]] const auto written = ::write(fd, line.data(), line.size());
    };
}

}  // namespace bootkey::base
