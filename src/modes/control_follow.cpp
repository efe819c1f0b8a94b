// SPDX-License-Identifier: GPL-3.0-or-later
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <vector>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/modes/control_view.hpp"
#include "control_dialog.hpp"

namespace bootkey::modes {
namespace {

using base::ExitCode;
using base::Result;

// How often the servers are asked for again and times are shown anew, how soon news are drawn, and how often what has
// not changed is drawn, too, since others may have written over it, such as the kernel. A serial line takes some lines
// a second.
constexpr auto look_pause = std::chrono::seconds(1);
constexpr auto draw_pause = std::chrono::milliseconds(100);
constexpr auto whole_pause = std::chrono::seconds(5);

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
    // Until something has come, but not beyond the time at which something is to be drawn.
    Result<void> step() {
        const auto next = news_ ? std::min(next_look_, next_draw_) : next_look_;
        const auto rest = std::chrono::ceil<std::chrono::milliseconds>(next - base::Clock::now());
        pollfd wait{connection_.fd(), POLLIN, 0};
        const int ready = poll(&wait, 1, static_cast<int>(std::max<std::int64_t>(rest.count(), 0)));
        if (ready < 0 && errno != EINTR) return base::system_error("cannot wait for news", errno);
        if (ready > 0) {
            auto lines = connection_.receive();
            if (!lines) return std::move(lines).error();
            ended_ = !*lines;
            if (auto told = *lines ? tell(**lines) : Result<void>(); !told) return told;
        }
        const auto now = base::Clock::now();
        if (now >= next_look_) {
            next_look_ = now + look_pause;
            if (auto sent = connection_.send(base::bytes_of(view_.next_commands())); !sent) return sent;
        } else if (!ended_ && !(news_ && now >= next_draw_)) {
            return {};
        }
        next_draw_ = now + draw_pause;
        return draw(now);
    }

    Result<void> tell(const std::vector<ControlLine>& lines) {
        std::string text;
        for (const ControlLine& line : lines)
            for (const std::string& news : view_.take(line)) text += news + "\n";
        news_ = true;
        return output_.is_terminal() || text.empty() ? Result<void>() : output_.write(text);
    }

    // In the place of what was drawn before, in one write: whenever the program is ended, the cursor is below it, and
    // lines are wrapped again.
    Result<void> draw(base::Time now) {
        news_ = false;
        if (!output_.is_terminal()) return {};
        const ControlScreen screen = screen_now();
        if (now >= next_whole_ || screen.rows != screen_.rows || screen.columns != screen_.columns) {
            next_whole_ = now + whole_pause;
            drawn_.assign(drawn_.size(), {});
        }
        screen_ = screen;
        // ECMA-48: CUU, EL, ED; the private mode 7 is wrapping (DECAWM), which a wide character would cause.
        std::string text = "\x1b[?7l\r";
        if (!drawn_.empty()) text += base::format("\x1b[%zuA", drawn_.size());
        auto lines = view_.draw(screen);
        for (std::size_t i = 0; i < lines.size(); ++i)
            text +=
                (i < drawn_.size() && !lines[i].empty() && lines[i] == drawn_[i] ? "" : "\x1b[K" + lines[i]) + "\r\n";
        drawn_ = std::move(lines);
        return output_.write(text + "\x1b[J\x1b[?7h");
    }

    static ControlScreen screen_now() {
        ControlScreen screen;
        winsize size{};
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
            screen.rows = size.ws_row;
            screen.columns = size.ws_col;
        }
        screen.now = std::time(nullptr);
        return screen;
    }

    ControlConnection& connection_;
    const ControlOutput& output_;
    ControlView view_;
    base::Time next_look_ = base::Clock::now() + look_pause;
    base::Time next_draw_{}, next_whole_{};
    bool news_ = false;               // there is something to draw
    ControlScreen screen_;            // that was drawn for
    std::vector<std::string> drawn_;  // its lines; an empty one is drawn in any case
    bool ended_ = false;
};

}  // namespace

Result<ExitCode> follow(ControlConnection& connection, const ControlOutput& output, const std::string& address) {
    return Follower(connection, output, address).run();
}

}  // namespace bootkey::modes
