// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading and writing the file; where writing it is not permitted, CAP_SYSLOG suffices for syslog(2).
#include "bootkey/changes/console_level.hpp"

#include <fcntl.h>
#include <sys/klog.h>

#include <cerrno>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::changes {
namespace {

// SYSLOG_ACTION_..., which no header of the C library names.
constexpr int syslog_action_console_off = 6;
constexpr int syslog_action_console_on = 7;
constexpr int syslog_action_console_level = 8;

// Writes the first of the file's four numbers; the kernel leaves the others as they are.
int write_level(const std::string& printk_file, unsigned level) {
    const base::UniqueFd fd(open(printk_file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return errno;
    return base::write_all(fd.get(), base::bytes_of(base::format("%u\n", level)));
}

}  // namespace

std::optional<unsigned> console_level(const std::string& printk_file) {
    const auto content = base::read_file(printk_file, 256);
    if (!content) return std::nullopt;
    const std::string_view text = *content;
    const auto level = base::parse_number(text.substr(0, text.find_first_of("\t \n")), 1, 15);
    return level ? std::optional(static_cast<unsigned>(*level)) : std::nullopt;
}

int set_console_level(const std::string& printk_file, unsigned level) {
    const int reason = write_level(printk_file, level);
    if (reason != EPERM && reason != EACCES && reason != EROFS) return reason;
    return klogctl(syslog_action_console_level, nullptr, static_cast<int>(level)) == 0 ? 0 : errno;
}

// The kernel tells the hidden level only by bringing it back, which does nothing if there is none.
int replace_hidden_console_level(const std::string& printk_file, unsigned expected, unsigned level) {
    const auto shown = console_level(printk_file);
    if (klogctl(syslog_action_console_on, nullptr, 0) != 0) return 0;  // who may not do that has not lowered it either
    const auto hidden = console_level(printk_file);
    if (hidden == shown) return 0;
    const int reason = hidden == expected ? set_console_level(printk_file, level) : 0;
    return klogctl(syslog_action_console_off, nullptr, 0) == 0 ? reason : errno;
}

}  // namespace bootkey::changes
