// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/interface.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

#include "bootkey/base/text.hpp"
#include "bootkey/management/fields.hpp"
#include "bootkey/management/login.hpp"
#include "bootkey/management/other_protocol.hpp"
#include "command.hpp"
#include "session.hpp"

namespace bootkey::management {
namespace {

constexpr int most_tries = 3;
constexpr std::size_t most_states = 100, most_echoes = 100;
// Bytes of memory for a line of the log, of which the longest takes less: so many lines as were asked for are kept.
// Time and flag stand before its text.
constexpr std::size_t log_line_memory = 1200, most_log_lines = 10'000;
static_assert(longest_rest + sizeof "...-9223372036854775808,I," + History::overhead <= log_line_memory);
constexpr std::size_t state_memory = 256 * 1024, echo_memory = 256 * 1024;

constexpr const char* prompt = "ENTER PASSWORD:";
constexpr const char* banner = ">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n";
constexpr const char* hold_line = ">HOLD:Waiting for hold release:0\r\n";

std::string name_in_log(const Session& session) {
    return "management client " + std::to_string(session.id());
}

// What the log tells of a command: nothing that may be a password.
std::string described(const Words& words, const Command* command) {
    const auto hidden = [](std::size_t count) { return base::format(" (%zu words not shown)", count); };
    if (command == nullptr) return "an unknown command" + hidden(words.size());
    if (command->is_secret) return std::string(command->name) + hidden(words.size() - 1);
    std::string text(command->name);
    for (std::size_t i = 1; i < words.size(); ++i) (text += ' ') += shown_word(words[i]);
    return text;
}

std::string too_few(const Command& command) {
    return base::format("the '%s' command requires %s%zu parameter%s", std::string(command.name).c_str(),
                        command.takes_more ? "at least " : "", command.least, command.least == 1 ? "" : "s");
}

// What follows the last parameter belongs to a value that has blanks, most likely: half a passphrase would be taken.
std::string surplus_of(const Command& command) {
    return base::format(
        "the '%s' command takes %zu parameters, and there is more: put a value that has blanks, or begins with # or ;, "
        "into quotes, as in %s TYPE \"a b\"",
        std::string(command.name).c_str(), command.least, std::string(command.name).c_str());
}

}  // namespace

Shared::Shared(Settings chosen, Steering wishes)
    : settings(std::move(chosen)),
      steering(std::move(wishes)),
      log(std::min(settings.log_cache, most_log_lines), std::min(settings.log_cache, most_log_lines) * log_line_memory),
      states(most_states, state_memory),
      echoes(most_echoes, echo_memory),
      hold_flag(settings.hold),
      verb(settings.verb),
      mute(settings.mute) {
}

Interface::Interface(Settings settings, Steering steering, const base::Log& log)
    : log_(log),
      shared_(std::make_unique<Shared>(std::move(settings), std::move(steering))),
      gate_(!shared_->settings.connect),
      heeds_protocol_(!OtherProtocol().take(shared_->settings.password.bytes())) {
    state_changed({.state = State::connecting});
}

Interface::~Interface() = default;

const Settings& Interface::settings() const {
    return shared_->settings;
}

// ---- What happens in the program

void Interface::tell_all(const std::string& line, bool Switches::*is_wanted) {
    for (const auto& [id, session] : sessions_)
        if (session->is_admitted && (is_wanted == nullptr || session->switches.*is_wanted))
            session->notify(line + "\r\n");
}

void Interface::state_changed(const StateChange& change) {
    if (state_ == change) return;
    state_ = change;
    const std::string line = state_line(shared_->steering.unix_time(), change);
    shared_->states.add(line);
    tell_all(">STATE:" + line, &Switches::state);
}

void Interface::logged(const base::LogEntry& entry) {
    const std::string line = std::to_string(shared_->steering.unix_time()) + "," + static_cast<char>(entry.flag) + "," +
                             rest_of_line(entry.text);
    shared_->log.add(line);
    tell_all(">LOG:" + line, &Switches::log);
}

void Interface::echoed(std::string_view text) {
    const std::string line = std::to_string(shared_->steering.unix_time()) + "," + rest_of_line(text);
    shared_->echoes.add(line);
    tell_all(">ECHO:" + line, &Switches::echo);
}

void Interface::fatal(std::string_view text) {
    tell_all(">FATAL:" + rest_of_line(text));
}

// What follows the hold is told even if it is what was told before.
void Interface::hold() {
    shared_->holds = true;
    state_.reset();
    for (const auto& [id, session] : sessions_)
        if (session->is_admitted) session->notify(hold_line);
}

void Interface::hold_over() {
    if (std::exchange(shared_->holds, false)) tell_all(hold_is_over);
}

bool Interface::holds() const {
    return shared_->holds;
}

bool Interface::hold_flag() const {
    return shared_->hold_flag;
}

void Interface::ask(Query query) {
    const std::string line = request(query);
    shared_->queries.ask(std::move(query));
    tell_all(line);
}

void Interface::withdraw(Query::Kind kind, std::string_view name) {
    if (shared_->queries.withdraw(kind, name)) tell_all(withdrawal(kind, name));
}

bool Interface::is_pending(Query::Kind kind, std::string_view name) const {
    return shared_->queries.is_pending(kind, name);
}

AuthRetry Interface::verification_failed(const Query& query) {
    tell_all(verification_failure(query.name));
    if (shared_->auth_retry == AuthRetry::interact) ask(query);
    return shared_->auth_retry;
}

AuthRetry Interface::auth_retry() const {
    return shared_->auth_retry;
}

// ---- Clients

void Interface::attach(Outlet outlet) {
    sessions_.clear();
    gate_ = LoginGate(!settings().connect);
    outlet_ = std::move(outlet);
}

base::Result<void> Interface::client_came(ClientId client, Origin origin, base::Time now) {
    const bool needs_password = !settings().password.empty();
    auto session = Session::create(client, !needs_password, outlet_);
    if (!session) return std::move(session).error();
    (*session)->address = origin.address;
    (*session)->notify(needs_password ? prompt : welcome());
    const std::string name = name_in_log(**session);
    sessions_[client] = std::move(*session);
    log_.info(needs_password ? 7 : 2, name + " came from " + origin.address);
    if (!needs_password) return {};
    if (const auto gone = gate_.came(client, std::move(origin), now))
        drop(*gone, "had to make room for others that have not given the password yet either", now);
    return {};
}

void Interface::drop(ClientId client, std::string_view why, base::Time now) {
    const auto found = sessions_.find(client);
    if (found == sessions_.end()) return;
    const auto session = std::move(found->second);
    sessions_.erase(found);
    gate_.left(client);
    repeatable(why, session->address, now);
    if (outlet_.drop) outlet_.drop(client);
}

// Everything that a new client has to know.
std::string Interface::welcome() const {
    std::string lines = banner;
    if (shared_->holds) lines += hold_line;
    for (const auto& query : shared_->queries.pending()) (lines += request(query)) += "\r\n";
    return lines;
}

std::size_t Interface::received(ClientId client, std::span<const std::byte> bytes, base::Time now) {
    const auto found = sessions_.find(client);
    if (found == sessions_.end()) return bytes.size();
    Session& session = *found->second;
    std::size_t used = 0;
    while (used < bytes.size() && session.listens()) {
        const auto taken = session.splitter.take(bytes.subspan(used));
        const auto protocol = session.protocol.take(bytes.subspan(used, taken.used));
        used += taken.used;
        if (protocol && heeds_protocol_) {
            refuse_protocol(session, *protocol, now);
            break;
        }
        if (taken.found != LineSplitter::Found::nothing)
            hear(session, taken.found == LineSplitter::Found::too_long, now);
    }
    return session.is_closing() ? bytes.size() : used;
}

void Interface::refuse_protocol(Session& session, std::string_view protocol, base::Time now) {
    session.splitter.wipe();
    repeatable("spoke " + std::string(protocol) + ", not commands, and was disconnected", session.address, now);
    session.close();
}

void Interface::hear(Session& session, bool is_too_long, base::Time now) {
    const bool is_first = !std::exchange(session.has_spoken, true);
    if (!session.is_admitted) return take_password(session, now);
    if (is_first && OtherProtocol::is_http_request(session.splitter.text()))
        return refuse_protocol(session, "HTTP", now);
    session.begin();
    Turn turn{*shared_, session.switches, session.words, now, [this, &session](const std::string& line) {
                  for (const auto& [id, other] : sessions_)
                      if (other.get() != &session && other->is_admitted) other->notify(line + "\r\n");
              }};
    if (is_too_long) {
        turn.reply.error("Options error: Line at MANAGEMENT:0 is too long (1024 chars max)");
        log_.info(3, name_in_log(session) + ": a line that is too long");
    } else {
        carry_out(turn, session, session.splitter.text());
    }
    session.splitter.wipe();
    session.answer(std::move(turn.reply));
    if (turn.leaves) session.close();
}

// It stays where it is until its turn comes, which is mostly now.
void Interface::take_password(Session& session, base::Time now) {
    gate_.gave_password(session.id(), now);
    compare_passwords(now);
    if (gate_.waits_for_comparison(session.id())) session.pause(true);
}

void Interface::compare_passwords(base::Time now) {
    while (const auto client = gate_.next(now)) {
        Session& session = *sessions_.at(*client);
        log_in(session, now);
        session.splitter.wipe();
        session.pause(false);
    }
}

// A line that is too long is no right password: its text is empty.
void Interface::log_in(Session& session, base::Time now) {
    if (is_same_password(session.splitter.text(), settings().password)) {
        gate_.was_right(session.id());
        return let_in(session);
    }
    gate_.was_wrong(session.id(), now);
    const bool is_last = ++session.tries == most_tries;
    session.notify(std::string("ERROR: bad password\r\n") + (is_last ? "" : prompt));
    repeatable("gave a wrong password", session.address, now);
    if (is_last) session.close();
}

void Interface::let_in(Session& session) {
    if (admitted() >= max_clients) {
        session.notify("ERROR: too many management clients\r\n");
        return session.close();
    }
    session.is_admitted = true;
    session.notify("SUCCESS: password is correct\r\n" + welcome());
    log_.info(2, name_in_log(session) + " from " + session.address + " gave the password");
}

std::size_t Interface::admitted() const {
    return static_cast<std::size_t>(
        std::count_if(sessions_.begin(), sessions_.end(), [](const auto& each) { return each.second->is_admitted; }));
}

void Interface::carry_out(Turn& turn, Session& session, std::string_view line) const {
    Words& words = session.words;
    if (const auto wrong = words.parse(line); !wrong.empty()) {
        log_.info(3, name_in_log(session) + ": a line that cannot be read");
        return turn.reply.error(wrong);
    }
    if (words.empty()) return;
    const Command* const command = find_command(words[0]);
    // A program that watches asks again and again.
    const bool is_question = command != nullptr && !command->steers;
    log_.info(is_question ? 7 : 3, name_in_log(session) + ": " + described(words, command));
    if (command == nullptr)
        turn.reply.error("unknown command [" + shown_word(words[0]) + "], enter 'help' for more options");
    else if (words.size() <= command->least)
        turn.reply.error(too_few(*command));
    else if (command->is_secret && (words.size() > command->least + 1 || words.has_comment()))
        turn.reply.error(surplus_of(*command));
    else
        command->run(turn);
    words.clear();
    // Copies that memcpy(3) left in registers, and those on the stack.
    if (command == nullptr || command->is_secret) base::wipe_stack_below();
}

void Interface::drained(ClientId client) {
    if (const auto found = sessions_.find(client); found != sessions_.end()) found->second->drained();
}

void Interface::client_left(ClientId client) {
    const auto found = sessions_.find(client);
    if (found == sessions_.end()) return;
    const auto session = std::move(found->second);
    sessions_.erase(found);
    gate_.left(client);
    log_.info(session->is_admitted ? 2 : 7, name_in_log(*session) + " left");
    if (settings().signal && session->is_admitted && admitted() == 0) shared_->steering.signal(SIGUSR1);
}

void Interface::repeatable(std::string_view what, std::string_view address, base::Time now) {
    if (const auto line = repeats_.happened(what, address, now)) log_.warning(*line);
}

void Interface::log_counts(base::Time now) {
    for (const auto& line : repeats_.rest(now)) log_.warning(line);
}

std::optional<base::Time> Interface::next_deadline() const {
    std::optional<base::Time> earliest;
    const auto consider = [&](const std::optional<base::Time>& moment) {
        if (moment && (!earliest || *moment < *earliest)) earliest = moment;
    };
    for (const auto& [id, session] : sessions_)
        if (session->switches.byte_count.count() > 0) consider(session->switches.next_byte_count);
    consider(gate_.next_deadline());
    consider(repeats_.next_deadline());
    return earliest;
}

void Interface::run_due(base::Time now) {
    for (const auto& [id, session] : sessions_) {
        auto& switches = session->switches;
        if (switches.byte_count.count() == 0 || switches.next_byte_count > now) continue;
        switches.next_byte_count = now + switches.byte_count;
        const auto totals = shared_->steering.totals();
        session->notify(">BYTECOUNT:" + std::to_string(totals.bytes_in) + "," + std::to_string(totals.bytes_out) +
                        "\r\n");
    }
    compare_passwords(now);
    for (const ClientId client : gate_.overdue(now)) drop(client, "did not log in in time, and was disconnected", now);
    for (const auto& line : repeats_.due(now)) log_.warning(line);
}

}  // namespace bootkey::management
