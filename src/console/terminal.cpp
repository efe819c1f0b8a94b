// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/terminal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>

#include "bootkey/base/file.hpp"
#include "bootkey/base/held_signals.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::console {
namespace {

constexpr std::size_t longest_line = 4096;  // what the kernel's line editing takes (termios(3), canonical mode)

// The terminal without echo, until destroyed.
class WithoutEcho {
public:
    explicit WithoutEcho(int terminal) : terminal_(terminal) {
        valid_ = tcgetattr(terminal_, &before_) == 0;
        termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        silent.c_lflag |= ICANON | ECHONL | ISIG;
        silent.c_cc[VSUSP] = _POSIX_VDISABLE;  // a stopped program would leave the shell without echo
        if (valid_) valid_ = tcsetattr(terminal_, TCSAFLUSH, &silent) == 0;
    }
    ~WithoutEcho() {
        if (valid_) tcsetattr(terminal_, TCSAFLUSH, &before_);
    }
    WithoutEcho(const WithoutEcho&) = delete;
    WithoutEcho& operator=(const WithoutEcho&) = delete;
    [[nodiscard]] bool valid() const { return valid_; }

private:
    int terminal_;
    termios before_{};
    bool valid_;
};

base::Error terminal_error(const std::string& why) {
    return {base::ExitCode::unavailable, "cannot read a password from the terminal", why,
            "run bootkey from a terminal, or name a file where the option for it exists"};
}

// The controlling terminal; without one, as in the shell of an initial RAM disk, the terminal that is standard input.
base::UniqueFd open_terminal() {
    base::UniqueFd terminal(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
    if (!terminal && isatty(STDIN_FILENO) != 0) terminal.reset(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
    return terminal;
}

// One line into `line`, without its end. False at end of input, on errors and on signals.
bool read_line(int terminal, int signals, base::Secret& line) {
    for (;;) {
        pollfd waits[2] = {{terminal, POLLIN, 0}, {signals, POLLIN, 0}};
        if (poll(waits, 2, -1) < 0 && errno != EINTR) return false;
        if (waits[1].revents != 0) return false;
        if (waits[0].revents == 0) continue;
        const auto space = line.spare();
        const ssize_t count = read(terminal, space.data(), space.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        const auto length = static_cast<std::size_t>(count);
        if (space[length - 1] == std::byte{'\n'}) {
            line.grow(length - 1);
            return true;
        }
        line.grow(length);
        if (line.spare().empty()) return false;
    }
}

}  // namespace

base::Result<base::Secret> read_password(const std::string& prompt) {
    base::Result<base::Secret> line = base::Secret::with_capacity(longest_line);
    if (!line) return line;
    const base::UniqueFd terminal = open_terminal();
    if (!terminal) return terminal_error("this process has none");
    const base::HeldSignals held;  // declared first: the settings are back before the signals are let through
    const WithoutEcho silence(terminal.get());
    if (!silence.valid()) return terminal_error("its echo cannot be turned off");
    if (base::write_all(terminal.get(), base::bytes_of(prompt)) != 0) return terminal_error("it cannot be written to");
    if (!read_line(terminal.get(), held.fd(), *line))
        return terminal_error("the input ended before a whole line was there");
    return line;
}

}  // namespace bootkey::console
