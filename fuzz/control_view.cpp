// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a management interface sends to --control, shown by --follow and by a session. The first byte says in which
// pieces it arrives, and whether keys are pressed meanwhile. Accepted: if it tells of a state.
#include "bootkey/control/view.hpp"

#include <algorithm>

#include "bootkey/control/command.hpp"
#include "fuzz.hpp"

using namespace bootkey;
using namespace bootkey::control;

namespace {

void require_shown(std::string line) {
    if (line.starts_with("\x1b[1m") || line.starts_with("\x1b[7m")) line = line.substr(4, line.size() - 8);
    fuzz::require(base::is_printable_utf8(line), "nothing from a server does anything on a terminal");
}

}  // namespace

bool fuzz::run(Input input) {
    if (input.empty()) return false;
    const std::size_t piece = static_cast<std::size_t>(input.front()) + 1;
    auto text = text_of(input).substr(1);
    ControlLines lines;
    ControlView view("unix:/socket", "bootkey --control", 0);
    static_cast<void>(view.first_commands());
    constexpr std::byte with_keys{0x80};
    const bool has_keys = (input.front() & with_keys) != std::byte{};
    unsigned keys = 0;
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
        for (const ControlLine& line : lines.take(text.substr(0, piece))) {
            require(line.text.size() <= ControlLines::longest, "lines are bounded");
            const std::string text_shown = shown(line.text);
            for (const auto field : base::split(text_shown, '\t')) require_shown(std::string(field));
            if (const auto type = needed_password(line.text)) static_cast<void>(password_left_out(*type));
            for (const std::string& news : view.take(line)) require_shown(news);
        }
        static_cast<void>(view.next_commands());
        constexpr unsigned all_keys = static_cast<unsigned>(ControlKey::help) + 1;
        const auto sent = has_keys ? view.press(static_cast<ControlKey>(keys++ % all_keys)) : std::string();
        for (const std::string& commands : {sent, view.take_commands()})
            for (const auto command : base::split(commands, '\n')) {
                require(base::is_printable_utf8(command), "a command is one line");
                require(command.size() <= longest_command, "every server takes it");
            }
    }
    for (const ControlScreen& size : {ControlScreen{24, 80, 1'700'000'000}, ControlScreen{6, 9, -1}}) {
        const auto screen = view.draw(size);
        require(screen.size() < size.rows, "a screen has the rows that there are");
        for (const std::string& line : screen) require_shown(line);
        for (const std::string& line : view.overview(size)) require_shown(line);
    }
    return view.last_state() != "no state";
}
