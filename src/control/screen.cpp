// SPDX-License-Identifier: GPL-3.0-or-later
//
// How ControlView draws what it knows. What is wanted of a person comes first and is whole; servers and states get part
// of the height, and the log the rest, which is never nothing.
#include <algorithm>
#include <limits>

#include "bootkey/base/text.hpp"
#include "bootkey/control/columns.hpp"
#include "bootkey/control/view.hpp"

namespace bootkey::control {
namespace {

using base::format;

constexpr std::size_t least_log = 4;     // lines: a blank one, the heading, and two
constexpr std::size_t few_rows = 16;     // of a screen where blank lines and headings take what the log needs
constexpr std::size_t least_states = 3;  // a blank line, the heading, and one
constexpr std::size_t times_columns = 18;
constexpr std::size_t least_columns_for_times = 50;
constexpr UnixTime soon = 2;  // seconds after which a server that is silent may wait for a person
constexpr std::string_view indent = "        ";

// SGR (ECMA-48)
std::string bold(const std::string& text, const ControlScreen& screen) {
    return screen.has_bold ? "\x1b[1m" + text + "\x1b[0m" : text;
}
std::string reversed(const std::string& text, const ControlScreen& screen) {
    return screen.has_bold ? "\x1b[7m" + text + "\x1b[0m" : text;
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

// A command for a person to copy: in pieces only where it is longer than a line, and then without blanks that are not
// part of it.
std::vector<std::string> command_lines(const std::string& command, std::size_t columns) {
    if (indent.size() + columns_of(command) <= columns) return {std::string(indent) + command};
    return in_pieces(command, columns);
}

const std::vector<std::string> help{
    "",
    "Keys",
    "q, Ctrl-C   leave; the other program goes on",
    "p           type the password that is asked for, the disk's first",
    "h           release the hold; else switch the hold flag (hold)",
    "k           drop the marked server, or else the first (kill)",
    "Up, Down    mark a server",
    "v, V        more, or less, in the log (verb)",
    "?           show the log again",
};

}  // namespace

ControlView::News ControlView::draw(const ControlScreen& screen) const {
    const std::size_t rows = std::max<std::size_t>(screen.rows, 4) - 1;
    const std::size_t foot = screen.takes_keys || !screen.question.empty() ? 1 : 0;
    const std::size_t body = rows - foot;
    News lines = draw_head(screen);
    const auto add = [&](const News& part) { lines.insert(lines.end(), part.begin(), part.end()); };
    const auto room = [&](std::size_t kept) { return body > lines.size() + kept ? body - lines.size() - kept : 0; };
    const std::size_t log_beside_wants = shows_help_ ? 0 : rows < few_rows ? 1 : least_log;
    add(draw_wants(screen, room(log_beside_wants)));
    if (shows_help_) {
        for (const std::string& line : help) lines.push_back(cut_to(line, screen.columns));
    } else {
        add(draw_servers(screen, room(least_log + least_states)));
        if (const std::size_t most = std::min(rows / 3, room(least_log)); most >= least_states) add(draw_states(most));
        add(draw_log(room(0)));
        for (std::string& line : lines)
            if (!line.starts_with('\x1b')) line = cut_to(line, screen.columns);
    }
    if (lines.size() > body) lines.resize(body);
    if (foot != 0) {
        const std::string keys = "q quit  p password  h hold  k kill  v V verb  ? all keys";
        const std::string& text = !screen.question.empty() ? screen.question : !message_.empty() ? message_ : keys;
        lines.push_back(cut_to(text, screen.columns));
    }
    return lines;
}

ControlView::News ControlView::overview(const ControlScreen& screen) const {
    News lines = draw_head(screen);
    constexpr std::size_t all = std::numeric_limits<int>::max();
    const News wants = draw_wants(screen, all), servers = draw_servers(screen, all);
    lines.insert(lines.end(), wants.begin(), wants.end());
    lines.insert(lines.end(), servers.begin(), servers.end());
    if (servers.empty()) lines.emplace_back("Server  none has been found");
    return lines;
}

// Who, since when in which state.
ControlView::News ControlView::draw_head(const ControlScreen& screen) const {
    const std::string time = clock(screen.now);
    const std::size_t room = screen.columns > time.size() + 1 ? screen.columns - time.size() - 1 : 0;
    News lines{cut_to(padded_to("bootkey at " + address_, room) + " " + time, screen.columns)};
    if (screen.rows >= few_rows) lines.emplace_back();
    std::string state = last_state(screen.now);
    const std::string since = states_.empty() || over() ? std::string() : age(states_.back().time, screen.now);
    if (!since.empty()) state += ", for " + since;
    lines.push_back(bold(cut_to("State   " + state, screen.columns), screen));
    return lines;
}

// What a person could do, each whole with its command, or only told of.
ControlView::News ControlView::draw_wants(const ControlScreen& screen, std::size_t most) const {
    News lines;
    const std::size_t columns = screen.columns;
    const std::size_t room = columns > indent.size() ? columns - indent.size() : 1;
    for (std::size_t i = 0; i < wants_.size(); ++i) {
        News part;
        for (const std::string& line : wrapped(wants_[i].text, room))
            part.push_back(cut_to((part.empty() ? "Wanted  " : std::string(indent)) + line, columns));
        for (std::string& line : command_lines(wants_[i].command, columns)) part.push_back(std::move(line));
        const bool is_last = i + 1 == wants_.size();
        if (lines.size() + part.size() + (is_last ? 0 : 1) > most) {
            if (most > lines.size()) lines.push_back(cut_to(format("Wanted  %zu more", wants_.size() - i), columns));
            break;
        }
        lines.insert(lines.end(), part.begin(), part.end());
    }
    for (std::string& line : lines) line = bold(line, screen);
    return lines;
}

std::string ControlView::what_it_does(const Server& server, UnixTime now) const {
    const bool is_silent = server.since > 0 && server.since + soon <= now;
    const bool has_failed = server.phase == "failed" || server.phase == "rejected";
    std::string text = server.phase == "handshake"   ? "TLS handshake"
                       : server.phase == "waiting"   ? (is_silent ? "waits for approval" : "no answer yet")
                       : server.phase == "receiving" ? "sends its answer"
                       : server.phase == "answered"  ? "has answered"
                       : server.phase == "rejected"  ? "wrong answer"
                                                     : server.phase;
    if (has_failed && !states_.empty() && states_.back().until > now)
        text += format(", again in %lld s", static_cast<long long>(states_.back().until - now));
    if (!server.error.empty()) text += (has_failed ? ": " : "; before: ") + server.error;
    return text;
}

ControlView::ServerColumns ControlView::columns_for_servers(const ControlScreen& screen) const {
    ServerColumns columns;
    std::size_t what = 0, place = 0;
    columns.name = 6;  // the word above
    for (const Server& server : servers_) {
        columns.name = std::max(columns.name, columns_of(server.name.empty() ? server.place : server.name));
        what = std::max(what, columns_of(what_it_does(server, screen.now)));
        place = std::max(place, columns_of(server.place));
    }
    columns.times = screen.columns >= least_columns_for_times;
    const std::size_t times = columns.times ? times_columns : 0;
    columns.name =
        std::min(columns.name, std::max<std::size_t>(6, (screen.columns - std::min(screen.columns, times)) * 2 / 5));
    const std::size_t taken = columns.name + 2 + times;
    columns.what = screen.columns > taken ? screen.columns - taken : 0;
    if (what + 2 + place <= columns.what) {
        columns.what -= 2 + place;
        columns.place = place;
    }
    return columns;
}

// The address in a line of its own, with what the line above has no room for, where it fits: of all servers, or at
// least of the one that is marked.
ControlView::News ControlView::draw_servers(const ControlScreen& screen, std::size_t most) const {
    if (servers_.empty() || most < 3) return {};
    const ServerColumns columns = columns_for_servers(screen);
    const auto row = [&](const std::string& name, const std::string& what, const std::string& since,
                         const std::string& tries, const std::string& place) {
        std::string text = padded_to(name, columns.name) + "  " + padded_to(what, columns.what);
        if (columns.times) text += "  " + padded_to(since, 9) + "  " + padded_to(tries, 5);
        if (columns.place != 0) text += "  " + place;
        return text.substr(0, text.find_last_not_of(' ') + 1);
    };
    const bool has_details = columns.place == 0 && 2 + servers_.size() * 2 <= most;
    const bool has_detail = columns.place == 0 && 2 + servers_.size() + 1 <= most;
    const std::size_t count = std::min(servers_.size(), servers_.size() + 2 <= most ? servers_.size() : most - 3);
    News lines{"", row("Server", "Phase", "For", "Tries", "Address")};
    for (std::size_t i = 0; i < count; ++i) {
        const Server& server = servers_[i];
        const std::string what = what_it_does(server, screen.now);
        const bool is_marked = !marked_.empty() && server.kill == marked_;
        const std::string line = row(server.name.empty() ? server.place : server.name, what,
                                     age(server.since, screen.now), server.tries, server.place);
        lines.push_back(is_marked ? reversed(cut_to(line, screen.columns), screen) : line);
        if (!has_details && !(is_marked && has_detail)) continue;
        std::string detail = "  " + server.place;
        if (columns_of(what) > columns.what && !server.error.empty()) detail += ": " + server.error;
        lines.push_back(detail);
    }
    if (count < servers_.size()) lines.push_back(format("and %zu more", servers_.size() - count));
    return lines;
}

ControlView::News ControlView::draw_states(std::size_t most) const {
    News lines{"", "States"};
    const std::size_t count = std::min(most - lines.size(), states_.size());
    for (auto state = states_.end() - static_cast<std::ptrdiff_t>(count); state != states_.end(); ++state) {
        const std::string rest = rest_of(*state, {});
        lines.push_back(clock(state->time) + "  " +
                        (rest.empty() ? state->name : padded_to(state->name, 12) + "  " + rest));
    }
    return lines;
}

// Where there is room for little, without its heading.
ControlView::News ControlView::draw_log(std::size_t most) const {
    News lines;
    if (most >= least_log) lines = {"", "Log"};
    const std::size_t count = std::min(most - lines.size(), log_.size());
    for (auto entry = log_.end() - static_cast<std::ptrdiff_t>(count); entry != log_.end(); ++entry)
        lines.push_back(clock(entry->time) + "  " + entry->text);
    return lines;
}

}  // namespace bootkey::control
