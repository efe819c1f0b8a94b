// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/management/fields.hpp"
#include "bootkey/management/status.hpp"

namespace bootkey::management {
namespace {

constexpr std::uint64_t most = std::numeric_limits<int>::max();  // as in OpenVPN

// A list of fixed words and what they mean.
template <typename Value, std::size_t count>
using Vocabulary = std::array<std::pair<std::string_view, Value>, count>;

template <typename Value, std::size_t count>
std::optional<Value> meaning(const Vocabulary<Value, count>& vocabulary, std::string_view word) {
    for (const auto& [name, value] : vocabulary)
        if (name == word) return value;
    return std::nullopt;
}

Reply::Source listing(std::vector<std::string> lines) {
    return [lines = std::move(lines), next = std::size_t{0}]() mutable -> std::optional<std::string> {
        if (next == lines.size()) return std::nullopt;
        return lines[next++];
    };
}

// Lines that are dropped before the client is ready for them are left out.
Reply::Source listing(const History& history, std::uint64_t first) {
    return [&history, next = first, end = history.end()]() mutable -> std::optional<std::string> {
        next = std::max(next, history.begin());
        if (next >= end) return std::nullopt;
        return history.line(next++);
    };
}

}  // namespace

// ---- Histories and their real-time notifications

namespace {

struct Feed {
    const char* name;
    History Shared::*history;
    bool Switches::*is_on;
};
constexpr Feed echo_feed{"echo", &Shared::echoes, &Switches::echo};
constexpr Feed log_feed{"log", &Shared::log, &Switches::log};
constexpr Feed state_feed{"state", &Shared::states, &Switches::state};

// One parameter of such a command: turn the notifications on or off, or show so many lines.
struct FeedParameter {
    std::optional<bool> turn_on;
    std::uint64_t count = 0;
};

std::optional<FeedParameter> feed_parameter(std::string_view word) {
    constexpr Vocabulary<FeedParameter, 3> words{{{"on", {true}}, {"off", {false}}, {"all", {{}, most}}}};
    if (const auto found = meaning(words, word)) return found;
    if (const auto number = base::parse_number(word, 1, most)) return FeedParameter{{}, *number};
    return std::nullopt;
}

void obey(Turn& turn, const Feed& feed, const FeedParameter& parameter) {
    if (parameter.turn_on) {
        turn.switches.*feed.is_on = *parameter.turn_on;
        turn.reply.success(
            base::format("real-time %s notification set to %s", feed.name, *parameter.turn_on ? "ON" : "OFF"));
        return;
    }
    const History& history = turn.shared.*feed.history;
    turn.reply.lines(listing(history, history.newest(parameter.count)));
    turn.reply.end();
}

// Both parameters are understood before the first is obeyed: a refusal is one line.
void run_feed(Turn& turn, const Feed& feed) {
    std::vector<FeedParameter> parameters;
    for (std::size_t i = 1; i < std::min<std::size_t>(turn.words.size(), 3); ++i) {
        const auto parameter = feed_parameter(turn.words[i]);
        if (!parameter)
            return turn.reply.error(
                base::format("%s parameter must be 'on' or 'off' or some number n or 'all'", feed.name));
        parameters.push_back(*parameter);
    }
    for (const auto& parameter : parameters) obey(turn, feed, parameter);
}

}  // namespace

void run_echo(Turn& turn) {
    run_feed(turn, echo_feed);
}

void run_log(Turn& turn) {
    run_feed(turn, log_feed);
}

void run_state(Turn& turn) {
    if (turn.words.size() == 1) return obey(turn, state_feed, {{}, 1});
    run_feed(turn, state_feed);
}

// ---- The program

namespace {

// A command that shows a number, or sets it where it is given one within [0, largest]. Returns what was set.
std::optional<std::uint64_t> run_level(Turn& turn, const char* name, std::uint64_t present, std::uint64_t largest) {
    if (turn.words.size() == 1) {
        turn.reply.success(name + ("=" + std::to_string(present)));
        return std::nullopt;
    }
    const auto level = base::parse_number(turn.words[1], 0, largest);
    if (level)
        turn.reply.success(name + std::string(" level changed"));
    else
        turn.reply.error(name + std::string(" level is out of range"));
    return level;
}

}  // namespace

void run_mute(Turn& turn) {
    const auto level = run_level(turn, "mute", turn.shared.mute, most);
    if (!level) return;
    turn.shared.mute = static_cast<unsigned>(*level);
    turn.shared.steering.mute_changed(turn.shared.mute);
}

void run_verb(Turn& turn) {
    const auto level = run_level(turn, "verb", static_cast<std::uint64_t>(turn.shared.verb), 15);
    if (!level) return;
    turn.shared.verb = static_cast<int>(*level);
    turn.shared.steering.verb_changed(turn.shared.verb);
}

void run_auth_retry(Turn& turn) {
    constexpr Vocabulary<AuthRetry, 3> modes{
        {{"none", AuthRetry::none}, {"nointeract", AuthRetry::nointeract}, {"interact", AuthRetry::interact}}};
    auto& present = turn.shared.auth_retry;
    if (turn.words.size() == 1) {
        const auto* const name =
            std::find_if(modes.begin(), modes.end(), [&](const auto& each) { return each.second == present; });
        return turn.reply.success("auth-retry=" + std::string(name->first));
    }
    const auto mode = meaning(modes, turn.words[1]);
    if (!mode) return turn.reply.error("bad auth-retry parameter");
    present = *mode;
    turn.reply.success("auth-retry parameter changed");
    turn.shared.steering.auth_retry_changed(present);
}

void run_forget_passwords(Turn& turn) {
    turn.shared.queries.forget();
    turn.reply.success("Passwords were forgotten");
    turn.shared.steering.forget_passwords();
}

void run_hold(Turn& turn) {
    enum class Order { on, off, release };
    constexpr Vocabulary<Order, 3> orders{{{"on", Order::on}, {"off", Order::off}, {"release", Order::release}}};
    auto& shared = turn.shared;
    if (turn.words.size() == 1) return turn.reply.success(shared.hold_flag ? "hold=1" : "hold=0");
    const auto order = meaning(orders, turn.words[1]);
    if (!order) return turn.reply.error("bad hold command parameter");
    if (order == Order::release) {
        turn.reply.success("hold release succeeded");
        if (!std::exchange(shared.holds, false)) return;
        turn.tell_others(hold_is_over);
        shared.steering.hold_released();
        return;
    }
    shared.hold_flag = order == Order::on;
    turn.reply.success(shared.hold_flag ? "hold flag set to ON" : "hold flag set to OFF");
}

namespace {

// ADDRESS:PORT, the address also in brackets and with a scope, as the log has it. `port` is nothing where it is no
// port.
struct SocketName {
    base::IpAddress address;
    std::string_view scope;  // empty: any
    std::string_view port_text;
    std::optional<std::uint64_t> port;
};

std::optional<SocketName> socket_name(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    auto address = text.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    const auto percent = std::min(address.find('%'), address.size());
    const auto parsed = base::IpAddress::parse(address.substr(0, percent));
    const bool has_scope = percent < address.size();
    if (!parsed || (has_scope && !parsed->is_v6())) return std::nullopt;
    const auto scope = has_scope ? address.substr(percent + 1) : std::string_view();
    if (has_scope && scope.empty()) return std::nullopt;
    const auto port = text.substr(colon + 1);
    return SocketName{*parsed, scope, port, base::parse_number(port, 1, 65535)};
}

// Returns whether there was one.
bool kill_by_name(Turn& turn) {
    const auto count = turn.shared.steering.kill_by_name(turn.words[1]);
    if (count == 0) return false;
    turn.reply.success("common name '" + shown_word(turn.words[1]) + "' found, " + std::to_string(count) +
                       " client(s) killed");
    return true;
}

// A server may be called like an address; one that is there comes first.
void kill_by_address(Turn& turn, const SocketName& name) {
    if (!name.port) {
        if (!kill_by_name(turn)) turn.reply.error("port number is out of range: " + shown_word(name.port_text));
        return;
    }
    const auto port = static_cast<std::uint16_t>(*name.port);
    const auto count = turn.shared.steering.kill_by_address(name.address, name.scope, port);
    std::string place = name.address.text();
    if (!name.scope.empty()) place += "%" + shown_word(name.scope);
    place += ":" + std::to_string(port);
    if (count > 0) return turn.reply.success(std::to_string(count) + " client(s) at address " + place + " killed");
    if (!kill_by_name(turn)) turn.reply.error("client at address " + place + " not found");
}

}  // namespace

void run_kill(Turn& turn) {
    if (turn.words[1].empty()) return turn.reply.error("kill parse");
    if (const auto address = socket_name(turn.words[1])) return kill_by_address(turn, *address);
    if (!kill_by_name(turn)) turn.reply.error("common name '" + shown_word(turn.words[1]) + "' not found");
}

void run_signal(Turn& turn) {
    constexpr Vocabulary<int, 4> signals{
        {{"SIGHUP", SIGHUP}, {"SIGTERM", SIGTERM}, {"SIGUSR1", SIGUSR1}, {"SIGUSR2", SIGUSR2}}};
    const auto number = meaning(signals, turn.words[1]);
    if (!number) return turn.reply.error("signal '" + shown_word(turn.words[1]) + "' is not a known signal type");
    // As OpenVPN does: there is nothing to begin anew before it has begun.
    if (turn.shared.holds && (*number == SIGHUP || *number == SIGUSR1))
        return turn.reply.error("signal '" + std::string(turn.words[1]) + "' is currently ignored");
    turn.reply.success("signal " + std::string(turn.words[1]) + " thrown");
    turn.shared.steering.signal(*number);
}

// ---- Answers to queries

namespace {

// Hands the last parameter in as a part of the answer to the query that the first one names.
std::optional<Queries::Answer> enter(Turn& turn, Part part) {
    const auto text = turn.words[2];
    auto value = base::Secret::with_capacity(text.size());
    if (!value || !value->append(std::as_bytes(std::span(text)))) {
        turn.reply.error("out of memory");
        return std::nullopt;
    }
    auto verdict = turn.shared.queries.enter(part, turn.words[1], std::move(*value));
    if (verdict.wanted)
        turn.reply.success(verdict.text);
    else
        turn.reply.error(verdict.text);
    if (verdict.answer) turn.tell_others(withdrawal(verdict.answer->query.kind, verdict.answer->query.name));
    return std::move(verdict.answer);
}

void give(const Steering& steering, Queries::Answer answer) {
    if (answer.query.kind == Query::Kind::credentials)
        steering.credentials(answer.query.name, std::move(answer.username), std::move(answer.value));
    else
        steering.password(answer.query.name, std::move(answer.value));
}

}  // namespace

void run_username(Turn& turn) {
    if (auto answer = enter(turn, Part::username)) give(turn.shared.steering, std::move(*answer));
}

void run_password(Turn& turn) {
    if (auto answer = enter(turn, Part::password)) give(turn.shared.steering, std::move(*answer));
}

void run_needok(Turn& turn) {
    constexpr Vocabulary<bool, 2> actions{{{"ok", true}, {"cancel", false}}};
    const auto ok = meaning(actions, turn.words[2]);
    if (!ok && turn.shared.queries.wants(Part::confirmation, turn.words[1]))
        return turn.reply.error("needok parameter must be 'ok' or 'cancel'");
    if (auto answer = enter(turn, Part::confirmation)) turn.shared.steering.confirmation(answer->query.name, *ok);
}

void run_needstr(Turn& turn) {
    if (auto answer = enter(turn, Part::text)) turn.shared.steering.text(answer->query.name, std::move(answer->value));
}

// ---- Values

void run_bytecount(Turn& turn) {
    const auto interval = base::parse_number(turn.words[1], 0, most);
    if (!interval) return turn.reply.error("bytecount interval is out of range");
    turn.switches.byte_count = std::chrono::seconds(*interval);
    turn.switches.next_byte_count = turn.now + turn.switches.byte_count;
    turn.reply.success("bytecount interval changed");
}

void run_help(Turn& turn) {
    turn.reply.line("Management Interface for bootkey " BOOTKEY_VERSION);
    for (const auto& command : commands()) {
        if (command.help.empty()) continue;
        std::string call(command.name);
        if (!command.usage.empty()) (call += ' ') += command.usage;
        turn.reply.line(base::format("%-39s: %s", call.c_str(), std::string(command.help).c_str()));
    }
    turn.reply.end();
}

void run_load_stats(Turn& turn) {
    const auto totals = turn.shared.steering.totals();
    turn.reply.success("nclients=" + std::to_string(totals.connections) +
                       ",bytesin=" + std::to_string(totals.bytes_in) + ",bytesout=" + std::to_string(totals.bytes_out));
}

void run_net(Turn& turn) {
    auto lines = turn.shared.steering.network();
    for (auto& line : lines) line = rest_of_line(line);
    turn.reply.lines(listing(std::move(lines)));
    turn.reply.end();
}

void run_pid(Turn& turn) {
    turn.reply.success("pid=" + std::to_string(turn.shared.settings.pid));
}

void run_status(Turn& turn) {
    const auto& steering = turn.shared.steering;
    const auto version = turn.words.size() == 1 ? 1 : base::parse_number(turn.words[1], 1, 3);
    if (!version) return turn.reply.error("bad status format version number");
    const auto now = steering.unix_time();
    turn.reply.lines(listing(*version == 1 ? statistics(now, steering.totals())
                                           : server_list(now, steering.servers(), *version == 2 ? ',' : '\t')));
    turn.reply.end();
}

// A client that tells its own version gets no reply, as from OpenVPN 2.6.
void run_version(Turn& turn) {
    if (turn.words.size() > 1) {
        if (!base::parse_number(turn.words[1], 1, most)) turn.reply.error("version is out of range");
        return;
    }
    // Clients take the third word for the program and the fourth for its version.
    turn.reply.line("OpenVPN Version: OpenVPN 2.6.14 compatible; bootkey " BOOTKEY_VERSION);
    turn.reply.line("Management Version: 5");
    turn.reply.end();
}

void run_exit(Turn& turn) {
    turn.leaves = true;
}

}  // namespace bootkey::management
