// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/log.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "bootkey/base/text.hpp"
#include "file_in_memory.hpp"

namespace bootkey::base {

void Log::say(int verbosity, LogFlag flag, std::string_view text) const {
    if (!shows(verbosity)) return;
    const LogEntry entry{Clock::now(), verbosity, flag, std::string(text)};
    if (mute_ == 0 || !is_muted(entry)) show(entry);
}

void Log::show(const LogEntry& entry) const {
    for (const Sink& sink : sinks_) sink(entry);
}

bool Log::is_muted(const LogEntry& entry) const {
    const bool may_be_muted = entry.flag == LogFlag::info || entry.flag == LogFlag::debug;
    const std::string category = may_be_muted ? entry.text.substr(0, entry.text.find_first_of(":0123456789")) : "";
    if (may_be_muted && category == category_) return ++repeated_ > mute_;
    const unsigned left_out = repeated_ > mute_ ? repeated_ - mute_ : 0;
    category_ = category;
    repeated_ = may_be_muted;
    if (left_out > 0)
        show({entry.time, 1, LogFlag::info, format("messages like the last one that are not shown: %u", left_out)});
    return false;
}

namespace {

// Writes lines to a descriptor, for as long as it takes them.
class DescriptorSink {
public:
    DescriptorSink(int fd, Time start, const Log& log) : fd_(fd), start_(start), log_(&log), file_(fd) {}

    void operator()(const LogEntry& entry) {
        if (!takes_a_line()) return;
        if (lost_ > 0)
            write("bootkey: " + format("%u lines are missing here: nobody took them", std::exchange(lost_, 0)));
        std::string line = "bootkey: ";
        if (log_->level() >= 3) {
            const auto since = std::chrono::duration<double, std::milli>(entry.time - start_).count();
            line += format("[%9.3f ms] ", since);
        }
        if (entry.flag == LogFlag::warning) line += "warning: ";
        write(line + entry.text);
    }

private:
    // Waits for the first line that is not taken only: a reader that stops (Ctrl-S, a full pipe) must not stop us.
    bool takes_a_line() {
        constexpr int patience = 1000;  // ms
        pollfd wait{fd_, POLLOUT, 0};
        int ready = 0;
        do {
            ready = poll(&wait, 1, lost_ > 0 ? 0 : patience);
        } while (ready < 0 && errno == EINTR);
        if (ready <= 0) ++lost_;
        return ready > 0;
    }

    void write(std::string line) {
        line += '\n';
        file_.make_room(line.size());
        [[maybe_unused]] const auto written = ::write(fd_, line.data(), line.size());
    }

    int fd_;
    Time start_;
    const Log* log_;
    FileInMemory file_;
    unsigned lost_ = 0;  // lines, since the last one that was taken
};

}  // namespace

Log::Sink descriptor_sink(int fd, Time start, const Log& log) {
    return DescriptorSink(fd, start, log);
}

}  // namespace bootkey::base
