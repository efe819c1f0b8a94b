// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/timeline/timeline_chart.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::timeline {
namespace {

using base::format;

constexpr std::size_t longest_text = 1100;  // bytes, of texts that have been made fit once before

std::string shown(const std::string& text) {
    return base::printable(text, longest_text);
}

double milliseconds(base::Duration duration) {
    return base::to_seconds(duration) * 1000;
}

/// Turns moments into milliseconds on the axis.
class Axis {
public:
    explicit Axis(const Timeline& timeline) : begun_(timeline.begun) {
        // What is put back afterwards may take far longer than all before; it is told of in words.
        const double until = at(timeline.written.value_or(timeline.ended));
        length_ = std::max(until * (timeline.written ? 1.05 : 1), 0.1);
    }
    [[nodiscard]] double length() const { return length_; }
    [[nodiscard]] double at(base::Time time) const { return std::max(milliseconds(time - begun_), 0.0); }

    /// Adds a bar from `from` to `to`, or to the end of the axis; nothing if `from` is nothing or beyond the axis.
    void add(std::vector<Bar>& bars, Stage stage, const Moment& from, const Moment& to, bool winning) const {
        if (!from || at(*from) > length_) return;
        const double start = at(*from);
        const double end = to ? std::clamp(at(*to), start, length_) : length_;
        bars.push_back({stage, start, end, winning});
    }

private:
    base::Time begun_;
    double length_;
};

/// The first of some moments that there is.
Moment first_of(std::initializer_list<Moment> moments) {
    for (const Moment& moment : moments)
        if (moment) return moment;
    return std::nullopt;
}

// ---- Rows

void add_hooks(const Timeline& timeline, const Axis& axis, std::vector<Row>& rows) {
    for (const HookRecord& hook : timeline.hooks) {
        const std::string label = "hook " + shown(hook.name);
        auto row = std::ranges::find(rows, label, &Row::label);
        if (row == rows.end()) row = rows.insert(row, Row{.label = label, .bars = {}, .winning = false, .note = {}});
        const std::size_t before = row->bars.size();
        axis.add(row->bars, Stage::hook, hook.begun, hook.ended, false);
        if (hook.failure.empty()) continue;
        if (row->bars.size() > before) row->bars.back().failed_at_end = true;
        row->note += (row->note.empty() ? "" : "; ") + hook.mode + ": " + shown(hook.failure);
    }
}

void add_interfaces(const Timeline& timeline, const Axis& axis, std::vector<Row>& rows) {
    const AttemptRecord* winner = timeline.winner();
    for (const InterfaceRecord& interface : timeline.interfaces) {
        const bool winning = winner != nullptr && winner->endpoint.interface == interface.index;
        Row row{.label = shown(interface.name), .bars = {}, .winning = winning, .note = {}};
        axis.add(row.bars, Stage::link, interface.asked_up, first_of({interface.running, interface.gone}), winning);
        axis.add(row.bars, Stage::address, interface.running, first_of({interface.usable, interface.gone}), winning);
        axis.add(row.bars, Stage::usable, interface.usable, interface.gone, winning);
        if (!interface.running)
            row.note = "no carrier";
        else if (!interface.usable)
            row.note = "no usable address";
        else if (interface.gone)
            row.note = "gone again";
        rows.push_back(std::move(row));
    }
}

std::string outcome(const AttemptRecord& attempt) {
    if (attempt.won()) return "the password";
    if (attempt.judged) return shown(attempt.rejection);
    if (attempt.decrypting) return "answered, but not decrypted until the end";
    if (!attempt.failure.empty()) return shown(attempt.failure);
    if (attempt.ended) return "answered";
    if (attempt.waiting) return "silent until the end";
    return "under way until the end";
}

std::string endpoint_of(const Timeline& timeline, const AttemptRecord& attempt) {
    const auto on = std::ranges::find(timeline.interfaces, attempt.endpoint.interface, &InterfaceRecord::index);
    base::Endpoint endpoint = attempt.endpoint;
    if (on == timeline.interfaces.end()) return endpoint.text();
    endpoint.interface = 0;
    return endpoint.text() + " over " + shown(on->name);
}

void add_attempt(const AttemptRecord& attempt, const Axis& axis, Row& row) {
    const bool won = attempt.won();
    const std::size_t before = row.bars.size();
    axis.add(row.bars, Stage::connecting, attempt.connecting, first_of({attempt.handshake, attempt.ended}), won);
    axis.add(row.bars, Stage::handshake, attempt.handshake, first_of({attempt.waiting, attempt.ended}), won);
    axis.add(row.bars, Stage::waiting, attempt.waiting, first_of({attempt.receiving, attempt.ended}), won);
    axis.add(row.bars, Stage::receiving, attempt.receiving, attempt.ended, won);
    if (attempt.decrypting) axis.add(row.bars, Stage::decrypting, attempt.ended, attempt.judged, won);
    const bool failed = !attempt.failure.empty() || (attempt.judged && !won);
    if (failed && row.bars.size() > before) row.bars.back().failed_at_end = true;
}

// One row a server, in the order in which they were first tried.
std::vector<Row> rows_of_servers(const Timeline& timeline, const Axis& axis) {
    struct Known {
        Row row;
        const AttemptRecord* last = nullptr;
        std::size_t tries = 0;
    };
    std::vector<Known> servers;
    for (const AttemptRecord& attempt : timeline.attempts) {
        auto server = std::find_if(servers.begin(), servers.end(),
                                   [&](const Known& known) { return known.last->server == attempt.server; });
        if (server == servers.end()) {
            server = servers.insert(server, Known{});
            server->row.label = shown(attempt.server);
        }
        ++server->tries;
        if (server->last == nullptr || !server->last->won()) server->last = &attempt;
        server->row.winning = server->row.winning || attempt.won();
        add_attempt(attempt, axis, server->row);
    }
    std::vector<Row> rows;
    for (Known& server : servers) {
        server.row.note = endpoint_of(timeline, *server.last) + ": " + outcome(*server.last);
        if (server.tries > 1) server.row.note += format(" (%zu attempts)", server.tries);
        std::stable_partition(server.row.bars.begin(), server.row.bars.end(),
                              [](const Bar& bar) { return !bar.winning; });
        rows.push_back(std::move(server.row));
    }
    return rows;
}

void add_servers(const Timeline& timeline, const Axis& axis, Chart& chart) {
    std::vector<Row> servers = rows_of_servers(timeline, axis);
    if (servers.size() > most_server_rows) {
        chart.remarks.push_back(format("%zu more servers are not shown", servers.size() - most_server_rows));
        const auto winner = std::ranges::find_if(servers, &Row::winning);
        const auto last = servers.begin() + most_server_rows - 1;
        if (winner != servers.end() && winner > last) std::iter_swap(winner, last);
        servers.resize(most_server_rows);
    }
    std::ranges::move(servers, std::back_inserter(chart.rows));
}

// ---- Words

std::string headline(const Timeline& timeline) {
    const std::string program = "bootkey " + shown(timeline.version);
    const AttemptRecord* winner = timeline.winner();
    if (timeline.written && winner != nullptr)
        return program + " had the password after " + duration_text(milliseconds(*timeline.written - timeline.begun)) +
               ", from " + shown(winner->server);
    const std::string after = duration_text(milliseconds(timeline.ended - timeline.begun));
    if (timeline.signal != 0) {
        const char* description = sigdescr_np(timeline.signal);
        return program + " was ended after " + after +
               " by a signal, without a password: " + (description != nullptr ? description : "?");
    }
    return program + format(" ended after %s with status %d, without a password", after.c_str(), timeline.status) +
           (timeline.failure.empty() ? "" : ": " + shown(timeline.failure));
}

std::vector<std::string> remarks(const Timeline& timeline) {
    std::vector<std::string> lines;
    lines.push_back("begun " + duration_text(milliseconds(timeline.begun.time_since_epoch())) + " after the kernel");
    if (timeline.written)
        lines.push_back("everything was put back " + duration_text(milliseconds(timeline.ended - *timeline.written)) +
                        " after the password was out");
    if (timeline.attempts.empty() && timeline.failure.empty() && timeline.left_out == 0)
        lines.push_back(std::ranges::any_of(timeline.interfaces, [](const auto& one) { return one.usable.has_value(); })
                            ? "no password server was found"
                            : "no network interface became usable");
    for (const RestartRecord& restart : timeline.restarts)
        lines.push_back(shown(restart.process) + " was started again after " +
                        duration_text(milliseconds(restart.at - timeline.begun)));
    if (timeline.left_out > 0)
        lines.push_back(format("%llu records were left out", static_cast<unsigned long long>(timeline.left_out)));
    return lines;
}

// The way to the password. Where one thing was ready before another that it did not depend on, the later one counts.
std::vector<Step> steps(const Timeline& timeline) {
    const AttemptRecord* winner = timeline.winner();
    if (winner == nullptr || !winner->ended || !timeline.written) return {};
    const auto used = std::ranges::find(timeline.interfaces, winner->endpoint.interface, &InterfaceRecord::index);
    const bool known = used != timeline.interfaces.end();
    const std::pair<const char*, Moment> ends[] = {
        {"beginning, hooks", known ? first_of({used->asked_up, used->running}) : Moment()},
        {name(Stage::link), known && used->asked_up ? used->running : Moment()},
        {name(Stage::address), known ? used->usable : Moment()},
        {"finding the server", winner->connecting},
        {name(Stage::connecting), winner->handshake},
        {name(Stage::handshake), winner->waiting},
        {name(Stage::waiting), first_of({winner->receiving, winner->ended})},
        {name(Stage::receiving), winner->ended},
        {name(Stage::decrypting), winner->judged},
        {"writing", timeline.written},
    };
    std::vector<Step> way;
    base::Time since = timeline.begun;
    for (const auto& [what, until] : ends) {
        if (!until) continue;
        const base::Time end = std::max(since, *until);
        way.push_back({what, milliseconds(end - since)});
        since = end;
    }
    return way;
}

}  // namespace

const char* name(Stage stage) {
    switch (stage) {
        case Stage::hook:
            return "network hook";
        case Stage::link:
            return "link comes up";
        case Stage::address:
            return "address gets usable";
        case Stage::usable:
            return "interface usable";
        case Stage::connecting:
            return "connecting";
        case Stage::handshake:
            return "TLS handshake";
        case Stage::waiting:
            return "waiting for an answer";
        case Stage::receiving:
            return "receiving";
        case Stage::decrypting:
            return "decrypting";
    }
    return "";
}

Chart chart_of(const Timeline& timeline) {
    const Axis axis(timeline);
    Chart chart;
    chart.headline = headline(timeline);
    chart.remarks = remarks(timeline);
    chart.length = axis.length();
    if (timeline.written) chart.password_at = axis.at(*timeline.written);
    add_hooks(timeline, axis, chart.rows);
    add_interfaces(timeline, axis, chart.rows);
    add_servers(timeline, axis, chart);
    chart.steps = steps(timeline);
    return chart;
}

std::vector<double> marks(double length, std::size_t most) {
    double step = std::pow(10, std::floor(std::log10(length)) - 1);
    // 1, 2, 5, 10, 20 ...
    for (int turn = 0; length / step >= static_cast<double>(most); ++turn) step *= turn % 3 == 1 ? 2.5 : 2;
    std::vector<double> places;
    for (std::size_t count = 0; step * static_cast<double>(count) <= length; ++count)
        places.push_back(step * static_cast<double>(count));
    return places;
}

std::string duration_text(double milliseconds) {
    constexpr double second = 1000, minute = 60 * second;
    if (milliseconds < second) return format("%.1f ms", milliseconds);
    if (milliseconds < 2 * minute) return format("%.1f s", milliseconds / second);
    const auto seconds = static_cast<long long>(milliseconds / second);
    if (seconds < 7200) return format("%lld min %lld s", seconds / 60, seconds % 60);
    return format("%lld h %lld min", seconds / 3600, seconds / 60 % 60);
}

std::string mark_text(double milliseconds) {
    if (milliseconds < 1000) return format("%g ms", milliseconds);
    if (milliseconds < 600'000) return format("%g s", milliseconds / 1000);
    return format("%.4g min", milliseconds / 60'000);
}

}  // namespace bootkey::timeline
