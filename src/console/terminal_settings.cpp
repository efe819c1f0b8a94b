// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/terminal_settings.hpp"

#include <fcntl.h>
#include <sys/klog.h>
#include <unistd.h>

#include <utility>

namespace bootkey::console {
namespace {

constexpr int syslog_action_console_on = 7;  // to the level that it had when it was turned off (syslog(2))

}  // namespace

TerminalSettings::TerminalSettings() {
    base::UniqueFd candidates[] = {base::UniqueFd(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)),
                                   base::UniqueFd(open("/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC))};
    for (base::UniqueFd& fd : candidates) {
        Terminal terminal{std::move(fd), {}};
        if (tcgetattr(terminal.fd.get(), &terminal.settings) == 0) terminals_.push_back(std::move(terminal));
    }
}

void TerminalSettings::put_back() const {
    for (const Terminal& terminal : terminals_) tcsetattr(terminal.fd.get(), TCSANOW, &terminal.settings);
    klogctl(syslog_action_console_on, nullptr, 0);
}

}  // namespace bootkey::console
