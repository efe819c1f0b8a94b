// SPDX-License-Identifier: GPL-3.0-or-later
//
// The terminal of a person who is talked to in a session, or follows, over a management interface.
#pragma once

#include <termios.h>
#include <unistd.h>

namespace bootkey::control {

/// While it lives, the terminal that is standard input tells each key at once and shows none; Ctrl-C and Ctrl-Z are
/// keys like others. Hold back the signals that end a program first, so that it is put back before they do.
class Keys {
public:
    /// Does nothing unless `wanted` and the terminal is this program's own: not in the background.
    explicit Keys(bool wanted) {
        on_ = wanted && isatty(STDIN_FILENO) != 0 && tcgetpgrp(STDIN_FILENO) == getpgrp() &&
              tcgetattr(STDIN_FILENO, &before_) == 0;
        if (!on_) return;
        termios plain = before_;
        plain.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG | IEXTEN);
        plain.c_cc[VMIN] = 1;
        plain.c_cc[VTIME] = 0;
        on_ = tcsetattr(STDIN_FILENO, TCSANOW, &plain) == 0;
    }
    ~Keys() {
        // What was typed and not read is not for the shell.
        if (on_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    }
    Keys(const Keys&) = delete;
    Keys& operator=(const Keys&) = delete;
    /// Whether keys come.
    [[nodiscard]] bool on() const { return on_; }

private:
    termios before_{};
    bool on_ = false;
};

}  // namespace bootkey::control
