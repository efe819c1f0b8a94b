// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which kernel messages appear on the console: the first number in /proc/sys/kernel/printk (proc(5), syslog(2)).
// Messages whose level is below it do.
#pragma once

#include <optional>
#include <string>

namespace bootkey::changes {

/// Errors and warnings still appear; what drivers say as an interface comes up (notice, 5, and information, 6) does
/// not.
inline constexpr unsigned lowered_console_level = 5;

/// The level now (1-15); nothing if it cannot be read.
[[nodiscard]] std::optional<unsigned> console_level(const std::string& printk_file);
/// Sets it. Returns 0 or errno: EPERM or EACCES without CAP_SYSLOG and without write permission.
[[nodiscard]] int set_console_level(const std::string& printk_file, unsigned level);
/// The same for the level that comes back when a program that has turned the console's messages off, as cryptsetup's
/// askpass does, turns them on again. Nothing if nobody has, or if that is not `expected`. Returns 0 or errno.
[[nodiscard]] int replace_hidden_console_level(const std::string& printk_file, unsigned expected, unsigned level);

}  // namespace bootkey::changes
