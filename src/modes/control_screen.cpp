// SPDX-License-Identifier: GPL-3.0-or-later
//
// How ControlView draws what it knows.
#include <algorithm>
#include <span>

#include "bootkey/base/text.hpp"
#include "bootkey/modes/control_view.hpp"

namespace bootkey::modes {
namespace {

using base::format;

// Columns that `text` takes, each character counted as one; wide ones, which are rare in names of servers, shift the
// rest of their line.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char byte) { return (byte & '\xc0') != '\x80'; }));
}

// The first `most` columns of `text`, the last being '~' if that is not all of it.
std::string cut(std::string_view text, std::size_t most) {
    if (width(text) <= most) return std::string(text);
    if (most == 0) return {};
    std::size_t end = 0;
    for (std::size_t columns = 0; end < text.size(); ++end)
        if ((text[end] & '\xc0') != '\x80' && ++columns == most) break;
    return std::string(text.substr(0, end)) + "~";
}

std::string padded(std::string_view text, std::size_t columns) {
    std::string fit = cut(text, columns);
    fit.append(columns - width(fit), ' ');
    return fit;
}

std::string bold(const std::string& text) {
    return "\x1b[1m" + text + "\x1b[0m";  // SGR (ECMA-48)
}

// "12 s", "3 min 5 s", "2 h 3 min"; empty for no time at all, and for what lies in the future, as after a jump of
// the clock.
std::string age(UnixTime from, UnixTime to) {
    if (from <= 0 || from > to) return {};
    const auto seconds = static_cast<long long>(to - from);
    if (seconds < 60) return format("%lld s", seconds);
    if (seconds < 3600) return format("%lld min %lld s", seconds / 60, seconds % 60);
    return format("%lld h %lld min", seconds / 3600, seconds / 60 % 60);
}

}  // namespace

ControlView::News ControlView::draw(const ControlScreen& screen) const {
    const std::size_t rows = std::max<std::size_t>(screen.rows, 4) - 1;
    News lines = draw_head(screen);
    const auto add = [&](const News& part) {
        for (const std::string& line : part) lines.push_back(cut(line, screen.columns));
    };
    add(draw_servers(screen, rows / 3));
    add(draw_states(rows / 4));
    if (lines.size() + 3 <= rows) add(draw_log(rows - lines.size()));
    if (lines.size() > rows) lines.resize(rows);
    return lines;
}

// Who, since when in which state, and what a person could do.
ControlView::News ControlView::draw_head(const ControlScreen& screen) const {
    const std::string time = clock(screen.now);
    const std::size_t room = screen.columns > time.size() + 1 ? screen.columns - time.size() - 1 : 0;
    News lines{cut(padded("bootkey at " + address_, room) + " " + time, screen.columns), ""};
    std::string state = last_state();
    const std::string since = states_.empty() || over() ? std::string() : age(states_.back().time, screen.now);
    if (!since.empty()) state += ", for " + since;
    lines.push_back(bold(cut("State   " + state, screen.columns)));
    for (const Want& want : wants_) lines.push_back(bold(cut("Wanted  " + want.text, screen.columns)));
    return lines;
}

ControlView::News ControlView::draw_servers(const ControlScreen& screen, std::size_t most) const {
    if (servers_.empty() || most < 2) return {};
    std::size_t name = 6, place = 7;  // the words above the columns
    for (const Server& server : servers_) {
        name = std::max(name, width(server.name));
        place = std::max(place, width(server.place));
    }
    name = std::min(name, screen.columns / 4);
    place = std::min(place, screen.columns / 3);
    const auto row = [&](const std::string& first, const std::string& second, const std::string& phase,
                         const std::string& since, const std::string& tries, const std::string& error) {
        return padded(first, name) + "  " + padded(second, place) + "  " + padded(phase, 10) + "  " + padded(since, 9) +
               "  " + padded(tries, 5) + "  " + error;
    };
    News lines{"", row("Server", "Address", "Phase", "For", "Tries", "Last error")};
    const std::size_t shown = servers_.size() <= most ? servers_.size() : most - 1;
    for (const Server& server : std::span<const Server>(servers_).first(shown))
        lines.push_back(
            row(server.name, server.place, server.phase, age(server.since, screen.now), server.tries, server.error));
    if (shown < servers_.size()) lines.push_back(format("and %zu more", servers_.size() - shown));
    return lines;
}

ControlView::News ControlView::draw_states(std::size_t most) const {
    News lines{"", "States"};
    const std::size_t count = std::min(most, states_.size());
    for (auto state = states_.end() - static_cast<std::ptrdiff_t>(count); state != states_.end(); ++state)
        lines.push_back(clock(state->time) + "  " +
                        (state->rest.empty() ? state->name : padded(state->name, 12) + "  " + state->rest));
    return lines;
}

ControlView::News ControlView::draw_log(std::size_t most) const {
    News lines{"", "Log"};
    const std::size_t count = std::min(most - lines.size(), log_.size());
    for (auto entry = log_.end() - static_cast<std::ptrdiff_t>(count); entry != log_.end(); ++entry)
        lines.push_back(clock(entry->time) + "  " + entry->text);
    return lines;
}

}  // namespace bootkey::modes
