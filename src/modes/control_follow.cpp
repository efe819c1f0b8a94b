// SPDX-License-Identifier: GPL-3.0-or-later
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/modes/control_view.hpp"
#include "control_dialog.hpp"

namespace bootkey::modes {
namespace {

using base::ExitCode;
using base::Result;

constexpr auto redraw_pause = std::chrono::seconds(1);

std::int64_t offset_of_local_time() {
    const std::time_t now = std::time(nullptr);
    tm local{};
    return localtime_r(&now, &local) != nullptr ? local.tm_gmtoff : 0;
}

// How a person on this machine gives a command to that interface.
std::string command_for(const std::string& address) {
    return address == options::default_management_address ? "bootkey --control"
                                                          : "bootkey --control=" + base::escaped(address);
}

class Follower {
public:
    Follower(ControlConnection& connection, const ControlOutput& output, const std::string& address)
        : connection_(connection), output_(output), view_(address, command_for(address), offset_of_local_time()) {}

    Result<ExitCode> run() {
        if (auto begun = connection_.send(base::bytes_of(view_.first_commands())); !begun)
            return std::move(begun).error();
        if (auto told = tell(connection_.early()); !told) return std::move(told).error();
        while (!ended_)
            if (auto done = step(); !done) return std::move(done).error();
        if (!view_.over())
            return base::Error{ExitCode::unavailable, "nothing more to follow",
                               "the management interface closed the connection in state " + view_.last_state(),
                               "see whether the other program still runs"};
        return ExitCode::ok;
    }

private:
    // Until something has come, but not beyond the time of the next look at the servers.
    Result<void> step() {
        const auto rest = std::chrono::ceil<std::chrono::milliseconds>(next_look_ - base::Clock::now());
        pollfd wait{connection_.fd(), POLLIN, 0};
        const int ready = poll(&wait, 1, static_cast<int>(std::max<std::int64_t>(rest.count(), 0)));
        if (ready < 0 && errno != EINTR) return base::system_error("cannot wait for news", errno);
        if (ready > 0) {
            auto lines = connection_.receive();
            if (!lines) return std::move(lines).error();
            ended_ = !*lines;
            if (auto told = *lines ? tell(**lines) : draw(); !told) return told;
        }
        if (ended_ || base::Clock::now() < next_look_) return {};
        next_look_ = base::Clock::now() + redraw_pause;
        if (auto sent = connection_.send(base::bytes_of(view_.next_commands())); !sent) return sent;
        return draw();
    }

    Result<void> tell(const std::vector<ControlLine>& lines) {
        std::string text;
        for (const ControlLine& line : lines)
            for (const std::string& news : view_.take(line)) text += news + "\n";
        return output_.is_terminal() ? draw() : output_.write(text);
    }

    // In the place of what was drawn before, in one write: whenever the program is ended, the cursor is below it, and
    // lines are wrapped again.
    Result<void> draw() {
        if (!output_.is_terminal()) return {};
        ControlScreen screen;
        winsize size{};
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
            screen.rows = size.ws_row;
            screen.columns = size.ws_col;
        }
        screen.now = std::time(nullptr);
        // ECMA-48: CUU, EL, ED; the private mode 7 is wrapping (DECAWM), which a wide character would cause.
        std::string text = "\x1b[?7l";
        if (drawn_ > 0) text += base::format("\x1b[%zuA", drawn_);
        const auto lines = view_.draw(screen);
        for (const std::string& line : lines) text += "\r\x1b[K" + line + "\n";
        drawn_ = lines.size();
        return output_.write(text + "\x1b[J\x1b[?7h");
    }

    ControlConnection& connection_;
    const ControlOutput& output_;
    ControlView view_;
    base::Time next_look_ = base::Clock::now() + redraw_pause;
    std::size_t drawn_ = 0;  // lines of the screen
    bool ended_ = false;
};

}  // namespace

Result<ExitCode> follow(ControlConnection& connection, const ControlOutput& output, const std::string& address) {
    return Follower(connection, output, address).run();
}

}  // namespace bootkey::modes
