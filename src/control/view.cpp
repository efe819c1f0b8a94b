// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/control/view.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <functional>
#include <iterator>
#include <utility>

#include "bootkey/base/text.hpp"
#include "bootkey/control/command.hpp"

namespace bootkey::control {
namespace {

using base::format;
using base::printable;

// What is kept; the rest of a longer history is the server's affair.
constexpr std::size_t most_states = 100;
constexpr std::size_t most_entries = 200;
constexpr std::size_t most_servers = 512;
constexpr std::size_t most_wants = 8;
constexpr std::size_t longest_name = 128;  // bytes of any text but the log's
constexpr std::size_t longest_entry = 1024;

constexpr const char* poll = "status 3";  // whose fields are separated by TABs, which no name holds

UnixTime to_time(std::string_view text) {
    UnixTime time = 0;
    std::from_chars(text.data(), text.data() + text.size(), time);
    return time;
}

// `text` without its first field, which is put into `first`.
std::string_view after_field(std::string_view text, std::string_view& first) {
    const auto comma = text.find(',');
    first = text.substr(0, comma);
    return comma == text.npos ? std::string_view() : text.substr(comma + 1);
}

// Whether a message is about what this client does all the time, or is told anyway; of OpenVPN, and of bootkey.
bool is_of_ourselves(std::string_view text) {
    return text.starts_with("MANAGEMENT: >") || text == format("MANAGEMENT: CMD '%s'", poll) ||
           (text.starts_with("management client ") && text.ends_with(format(": %s", poll)));
}

// "192.0.2.1:4711", "[fe80::1]:4711", or as much of it as there is.
std::string place(const std::string& address, const std::string& port) {
    const std::string host = address.find(':') == address.npos ? address : "[" + address + "]";
    return port.empty() ? address : host + ":" + port;
}

// How far a server is with the password.
int progress_of(std::string_view phase) {
    constexpr const char* phases[] = {"failed",  "rejected",  "connecting", "handshake",
                                      "waiting", "receiving", "answered"};
    return static_cast<int>(std::ranges::find(phases, phase) - std::begin(phases)) %
           static_cast<int>(std::size(phases));
}

// What the command "kill" calls a server; empty if that cannot be said on one line.
std::string kill_name(const std::string& name, const std::string& address, const std::string& port,
                      const std::string& interface) {
    constexpr std::string_view digits = "0123456789abcdefABCDEF:.";
    const bool is_address = !address.empty() && !port.empty() && address.find_first_not_of(digits) == address.npos &&
                            base::parse_number(port, 1, 65535);
    const bool is_plain = std::ranges::all_of(interface, [](char character) {
        constexpr std::string_view marks = "._-";
        return std::isalnum(static_cast<unsigned char>(character)) != 0 || marks.find(character) != marks.npos;
    });
    if (is_address && is_plain && !interface.empty() && address.starts_with("fe80:"))
        return "[" + address + "%" + interface + "]:" + port;
    if (is_address) return place(address, port);
    const auto command = command_from({"kill", name});
    return command ? command->substr(std::string_view("kill ").size()) : std::string();
}

template <typename Element>
void keep(std::deque<Element>& elements, std::size_t most, Element element) {
    elements.push_back(std::move(element));
    if (elements.size() > most) elements.pop_front();
}

}  // namespace

ControlView::ControlView(std::string_view address, std::string command, std::int64_t offset)
    : address_(printable(address, longest_name)), command_(std::move(command)), offset_(offset) {
}

std::string ControlView::first_commands() {
    asked_ = {Question::state, Question::log, Question::status};
    return format("state on all\nlog on %zu\n%s\n", most_entries, poll);
}

std::string ControlView::overview_commands() {
    asked_ = {Question::state, Question::status};
    return format("state\n%s\n", poll);
}

std::string ControlView::next_commands() {
    if (!asked_.empty() || header_.empty()) return {};
    asked_.push_back(Question::status);
    return std::string(poll) + "\n";
}

std::string ControlView::clock(UnixTime time) const {
    constexpr UnixTime day = 86'400;
    const UnixTime second = ((time % day + offset_) % day + day) % day;
    return format("%02d:%02d:%02d", static_cast<int>(second / 3600), static_cast<int>(second / 60 % 60),
                  static_cast<int>(second % 60));
}

// What stands behind the state's name, or an empty text.
std::string ControlView::rest_of(const State& state, std::optional<UnixTime> now) const {
    if (state.until == 0 || (now && state.until <= *now)) return state.rest;
    const std::string when =
        now ? format("again in %lld s", static_cast<long long>(state.until - *now)) : "until " + clock(state.until);
    return state.rest.empty() ? when : when + ", " + state.rest;
}

std::string ControlView::last_state(std::optional<UnixTime> now) const {
    if (states_.empty()) return "no state";
    const State& state = states_.back();
    const std::string rest = rest_of(state, now);
    return rest.empty() ? state.name : state.name + " (" + rest + ")";
}

// ---- What a person wants

// Returns the line to send; the reply is expected in its turn.
std::string ControlView::ask(Question question, std::string command) {
    asked_.push_back(question);
    return std::move(command) + "\n";
}

std::vector<ControlView::Server>::const_iterator ControlView::marked() const {
    return std::ranges::find_if(servers_, [this](const Server& server) { return server.kill == marked_; });
}

void ControlView::move_mark(bool forward) {
    if (servers_.empty()) return;
    const auto found = marked_.empty() ? servers_.end() : marked();
    std::size_t index = static_cast<std::size_t>(found - servers_.begin());
    if (found == servers_.end())
        index = forward ? 0 : servers_.size() - 1;
    else
        index = (index + (forward ? 1 : servers_.size() - 1)) % servers_.size();
    marked_ = servers_[index].kill;
}

std::string ControlView::press(ControlKey key) {
    message_.clear();
    switch (key) {
        case ControlKey::hold:
            if (std::ranges::any_of(wants_, [](const Want& want) { return want.what == "HOLD"; }))
                return ask(Question::command, "hold release");
            return ask(Question::hold, "hold");
        case ControlKey::kill: {
            const auto server = marked_.empty() ? servers_.begin() : marked();
            if (server != servers_.end() && !server->kill.empty())
                return ask(Question::command, "kill " + server->kill);
            message_ = "there is no server to drop";
            return {};
        }
        case ControlKey::more_log:
            return ask(Question::more_log, "verb");
        case ControlKey::less_log:
            return ask(Question::less_log, "verb");
        case ControlKey::next_server:
        case ControlKey::previous_server:
            move_mark(key == ControlKey::next_server);
            return {};
        case ControlKey::help:
            shows_help_ = !shows_help_;
    }
    return {};
}

std::optional<std::string> ControlView::wanted_password() const {
    std::optional<std::string> type;
    for (const Want& want : wants_)
        if (want.is_password && (!type || want.what == "Disk")) type = want.what;
    return type;
}

// The reply to a command of one line; where it was a question, what is to be changed follows from it.
void ControlView::take_answer(Question question, std::string_view text) {
    constexpr std::string_view success = "SUCCESS: ", verb = "SUCCESS: verb=", hold = "SUCCESS: hold=";
    constexpr std::uint64_t most_verb = 15;
    if (question == Question::hold && (text == "SUCCESS: hold=0" || text == "SUCCESS: hold=1")) {
        commands_ += ask(Question::command, text.substr(hold.size()) == "0" ? "hold on" : "hold off");
        return;
    }
    if ((question == Question::more_log || question == Question::less_log) && text.starts_with(verb))
        if (const auto level = base::parse_number(text.substr(verb.size()), 0, most_verb)) {
            const auto wanted = question == Question::more_log ? std::min(*level + 1, most_verb)
                                                               : *level - std::min<std::uint64_t>(*level, 1);
            commands_ += ask(Question::command, "verb " + std::to_string(wanted));
            return;
        }
    if (text.starts_with(success)) text.remove_prefix(success.size());
    message_ = printable(text, longest_entry);
}

// ---- Taking lines

ControlView::News ControlView::take(const ControlLine& line) {
    std::string_view text = line.text;
    if (line.kind == ControlLine::Kind::reply) return take_reply(text);
    if (line.kind != ControlLine::Kind::notification) return {};
    const auto colon = text.find(':');
    if (colon == text.npos) return {};
    const std::string_view kind = text.substr(1, colon - 1);
    text.remove_prefix(colon + 1);
    if (kind == "STATE") return take_state(text, true);
    if (kind == "LOG") return take_log(text);
    if (kind == "FATAL") return {"fatal: " + printable(text, longest_entry)};
    if (kind == "INFO") return take_info(text);
    if (kind == "HOLD" || kind == "PASSWORD" || kind == "NEED-OK") return take_want(kind, text);
    return {};
}

ControlView::News ControlView::take_reply(std::string_view text) {
    if (asked_.empty()) return {};
    const Question question = asked_.front();
    if (question != Question::state && question != Question::log && question != Question::status) {
        asked_.pop_front();
        take_answer(question, text);
        return {};
    }
    if (text.starts_with("SUCCESS:")) return {};  // a list follows
    if (is_refusal(text) || text == "END") {
        asked_.pop_front();
        return question == Question::status ? take_servers() : News();
    }
    switch (question) {
        case Question::state:
            return take_state(text, false);
        case Question::log:
            return take_log(text);
        default:
            take_status_row(text);
    }
    return {};
}

ControlView::News ControlView::take_state(std::string_view fields, bool live) {
    std::vector<std::string> parts;
    for (const std::string_view part : base::split(fields, ',')) parts.push_back(printable(part, longest_name));
    parts.resize(std::max<std::size_t>(parts.size(), 6));
    State state{to_time(parts[0]), parts[1], parts[2]};
    constexpr std::string_view until = "until ";
    if (state.rest.starts_with(until)) state.until = to_time(std::string_view(state.rest).substr(until.size()));
    if (state.until != 0) state.rest.clear();
    // The server's address says more than our own, where both are known.
    const std::string where = parts[4].empty() ? parts[3] : place(parts[4], parts[5]);
    if (!where.empty()) state.rest += (state.rest.empty() ? "" : ", ") + where;
    if (live)
        std::erase_if(wants_, [&](const Want& want) {
            return want.what == "HOLD" || state.name == "CONNECTED" || state.name == "EXITING";
        });
    keep(states_, most_states, state);
    return {clock(state.time) + " state: " + last_state()};
}

ControlView::News ControlView::take_log(std::string_view fields) {
    std::string_view time, flags;
    const std::string_view text = after_field(after_field(fields, time), flags);
    if (is_of_ourselves(text)) return {};
    const char* kind = flags.find('F') != flags.npos || flags.find('N') != flags.npos ? "error: "
                       : flags.find('W') != flags.npos                                ? "warning: "
                                                                                      : "";
    keep(log_, most_entries, Entry{to_time(time), kind + printable(text, longest_entry)});
    return {clock(log_.back().time) + " log: " + log_.back().text};
}

void ControlView::take_status_row(std::string_view row) {
    std::vector<std::string> fields;
    for (const std::string_view field : base::split(row, '\t')) fields.push_back(printable(field, longest_name));
    if (fields.size() > 2 && fields[0] == "HEADER" && fields[1] == "SERVER_LIST") {
        header_.assign(fields.begin() + 1, fields.end());  // so that columns have the rows' numbers
        return;
    }
    if (fields[0] != "SERVER_LIST" || listed_.size() == most_servers) return;
    const auto column = [&](std::string_view name) {
        const auto number = static_cast<std::size_t>(std::ranges::find(header_, name) - header_.begin());
        return number < std::min(header_.size(), fields.size()) ? fields[number] : std::string();
    };
    const std::string address = column("Address"), port = column("Port"), interface = column("Interface");
    std::string where = place(address, port);
    if (!interface.empty()) where += " " + interface;
    listed_.push_back({column("Name"), std::move(where), column("Phase"), column("Tries"), column("Last Error"),
                       to_time(column("Since (time_t)")), kill_name(column("Name"), address, port, interface)});
}

ControlView::News ControlView::take_servers() {
    News news;
    const auto same_in = [](const std::vector<Server>& servers, const Server& server) {
        return std::ranges::find_if(
            servers, [&](const Server& other) { return other.name == server.name && other.place == server.place; });
    };
    for (const Server& server : listed_) {
        const auto before = same_in(servers_, server);
        if (before != servers_.end() && before->phase == server.phase && before->error == server.error) continue;
        news.push_back(clock(server.since) + " server " + server.name + ", " + server.place + ": " + server.phase +
                       (server.error.empty() ? "" : ", last error: " + server.error));
    }
    for (const Server& server : servers_)
        if (same_in(listed_, server) == listed_.end())
            news.push_back("server " + server.name + ", " + server.place + ": gone");
    servers_ = std::exchange(listed_, {});
    std::ranges::stable_sort(servers_, std::greater(), [](const Server& server) { return progress_of(server.phase); });
    return news;
}

// bootkey tells what is no longer waited for; all else is the greeting.
ControlView::News ControlView::take_info(std::string_view text) {
    const bool hold_is_over = text == "The hold is over";
    const auto end = text.rfind('\'');
    if (!hold_is_over && (!text.ends_with(" is no longer needed") || !text.starts_with('\'') || end == 0)) return {};
    const std::string name = hold_is_over ? "HOLD" : printable(text.substr(1, end - 1), longest_name);
    if (std::erase_if(wants_, [&](const Want& want) { return want.what == name; }) == 0) return {};
    return {printable(text, longest_entry)};
}

ControlView::News ControlView::take_want(std::string_view kind, std::string_view what) {
    constexpr std::string_view need = "Need '";
    std::string name;
    if (what.starts_with(need))
        name = printable(what.substr(need.size(), what.find('\'', need.size()) - need.size()), longest_name);
    Want want{name, "", "", false};
    if (kind == "HOLD") {
        want = {std::string(kind), "held", command_ + " hold release", false};
    } else if (name.empty()) {
        message_ = printable(what, longest_entry);  // "Verification Failed: 'Disk'"
        return {message_};
    } else if (kind == "NEED-OK") {
        const auto message = what.find("MSG:");
        want.text = message == what.npos ? name : printable(what.substr(message + 4), longest_entry);
        want.command = command_ + " needok '" + name + "' ok";
    } else if (what.find("username/password") != what.npos) {
        want.text = "user name and password '" + name + "'";
        want.command = command_ + " username '" + name + "' NAME, then " + command_ + " password '" + name + "'";
    } else {
        want.text = "password '" + name + "'";
        want.command = command_ + " password '" + name + "'";
        want.is_password = true;
    }
    std::erase_if(wants_, [&](const Want& other) { return other.what == want.what; });
    const std::string news = "wanted: " + want.text + ": " + want.command;
    if (wants_.size() < most_wants) wants_.push_back(std::move(want));
    return {news};
}

}  // namespace bootkey::control
