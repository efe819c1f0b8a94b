// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/management_desk.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "bootkey/base/text.hpp"
#include "bootkey/network/network_report.hpp"

namespace bootkey::monitor {
namespace {

using management::Query;

constexpr std::size_t most_held_back = 16;

const Query disk{Query::Kind::password, "Disk"};
const Query private_key{Query::Kind::password, "Private Key"};
const Query credentials{Query::Kind::credentials, "Auth"};

Query consent(const std::string& server) {
    return {Query::Kind::confirmation, "release-password",
            base::printable(server, 128) + " has sent a password; unlock with it?"};
}

std::int64_t unix_time() {
    return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
}

// The wall clock's view of a moment that is to come.
std::string unix_time_at(base::Time moment, base::Time now) {
    const auto wait = std::chrono::ceil<std::chrono::seconds>(std::max(moment, now) - now);
    return std::to_string(unix_time() + wait.count());
}

}  // namespace

base::Result<std::unique_ptr<ManagementDesk>> ManagementDesk::open(base::Loop& loop, base::Log& log,
                                                                   const options::Options& options, Orders orders) {
    auto password = options.management.password_file.empty()
                        ? base::Result<base::Secret>(base::Secret())
                        : management::read_password(options.management.password_file);
    if (!password) return std::move(password).error();
    std::unique_ptr<ManagementDesk> desk(
        new ManagementDesk(loop, log, options, std::move(*password), std::move(orders)));
    auto server = management::Server::start(loop, desk->interface_, log);
    if (!server) return std::move(server).error();
    desk->server_ = std::move(*server);
    return desk;
}

ManagementDesk::ManagementDesk(base::Loop& loop, base::Log& log, const options::Options& options, base::Secret password,
                               Orders orders)
    : loop_(loop),
      log_(log),
      options_(options),
      orders_(std::move(orders)),
      state_([this](const management::StateChange& change) { interface_.state_changed(change); }),
      interface_(settings(std::move(password)), steering(), log),
      due_(loop.timer([this] {
          state_.run_due(loop_.now());
          watch_clock();
      })) {
    log_.add_sink([weak = std::weak_ptr(self_)](const base::LogEntry& entry) {
        if (const auto alive = weak.lock()) (*alive)->interface_.logged(entry);
    });
    for (const std::string& text : options.management.echo) interface_.echoed(text);
    if (options.management.asks_disk()) interface_.ask(disk);
}

ManagementDesk::~ManagementDesk() = default;

management::Settings ManagementDesk::settings(base::Secret password) const {
    const options::Management& chosen = options_.management;
    management::Settings settings;
    if (chosen.address->path.empty())
        settings.place = chosen.address->endpoint;
    else
        settings.place = chosen.address->path;
    settings.connect = chosen.client;
    settings.password = std::move(password);
    settings.hold = chosen.hold;
    settings.query_passwords = chosen.query_passwords;
    settings.confirm = chosen.confirm;
    settings.signal = chosen.signal;
    settings.log_cache = chosen.log_cache;
    settings.verb = options_.verb;
    settings.pid = getpid();
    return settings;
}

management::Steering ManagementDesk::steering() {
    return {
        .password = [this](std::string_view name, base::Secret given) { on_password(name, std::move(given)); },
        .credentials = [this](std::string_view, base::Secret user,
                              base::Secret password) { on_credentials(std::move(user), std::move(password)); },
        .confirmation = [this](std::string_view name, bool ok) { on_confirmation(name, ok); },
        .text = [](std::string_view, base::Secret) {},
        .forget_passwords = [] {},
        .auth_retry_changed = [](management::AuthRetry) {},
        .hold_released = [this] { orders_.begin(); },
        .signal = [this](int number) { orders_.signal(number); },
        .kill_by_name = [this](std::string_view name) { return drop(ledger_.attempts_with(name)); },
        .kill_by_address = [this](const base::IpAddress& address, std::string_view scope,
                                  std::uint16_t port) { return drop(ledger_.attempts_with(address, scope, port)); },
        .verb_changed = [this](int level) { orders_.verb_changed(level); },
        .mute_changed = [this](unsigned messages) { log_.set_mute(messages); },
        .servers = [this] { return ledger_.rows(); },
        .network = [] { return network::network_report(); },
        .totals = [this] { return ledger_.totals(); },
        .unix_time = unix_time,
    };
}

// ---- What happens

void ManagementDesk::begun() {
    interface_.hold_over();
    state_.begun();
}

void ManagementDesk::heard(const InterfaceNews& news) {
    ledger_.name_interface(news.record.index, news.record.name);
}

void ManagementDesk::heard(const timeline::AttemptKey& key, const AttemptNews& news) {
    ledger_.attempt(key, news, unix_time());
    state_.attempt(key, news, loop_.now());
    watch_clock();
}

void ManagementDesk::heard(const AddressUsable& news) {
    state_.address_usable(news.address, !options_.connect);
}

void ManagementDesk::heard(const Idle& news) {
    state_.idle(unix_time_at(news.until, loop_.now()));
}

void ManagementDesk::heard(const Echo& news) {
    interface_.echoed(news.text);
}

void ManagementDesk::route_added(const base::IpAddress& destination) {
    state_.route_added(destination);
}

void ManagementDesk::rejected(const timeline::AttemptKey& key, const std::string& why) {
    ledger_.rejected(key, why, unix_time());
    state_.rejected(key, "decrypt_failed");
    watch_clock();
}

void ManagementDesk::interrupted(const std::string& reason, const std::string& why) {
    ledger_.interrupted(why, unix_time());
    state_.interrupted(reason);
    watch_clock();
}

void ManagementDesk::connected(const std::optional<timeline::AttemptKey>& key, const std::string& by) {
    if (key)
        state_.connected(*key);
    else
        state_.connected(by);
    watch_clock();
}

void ManagementDesk::exiting(const std::string& reason) {
    interface_.hold_over();
    state_.exiting(reason);
    due_->disarm();
}

void ManagementDesk::watch_clock() {
    if (const auto deadline = state_.deadline())
        due_->arm(*deadline - loop_.now());
    else
        due_->disarm();
}

// ---- What clients want

std::size_t ManagementDesk::drop(const std::vector<timeline::AttemptKey>& attempts) {
    for (const timeline::AttemptKey& attempt : attempts)
        orders_.drop(attempt, "a management client ended the connection");
    return attempts.size();
}

void ManagementDesk::on_password(std::string_view name, base::Secret password) {
    if (name == disk.name) orders_.disk_password(std::move(password));
    if (name == private_key.name) orders_.passphrase(std::move(password));
}

// A device that has refused a password refuses it again: with "nointeract", too, another one is asked for. The same
// goes for a key and its passphrase.
void ManagementDesk::disk_password_refused() {
    if (interface_.verification_failed(disk) == management::AuthRetry::nointeract) interface_.ask(disk);
}

void ManagementDesk::need_passphrase(bool again, const std::string& key) {
    if (!again) {
        log_.info(1, "the passphrase of the OpenPGP key " + base::printable(key, 128) +
                         " is waited for, on the management interface");
        return interface_.ask(private_key);
    }
    switch (interface_.verification_failed(private_key)) {
        case management::AuthRetry::none:
            return orders_.passphrase({});
        case management::AuthRetry::nointeract:
            return interface_.ask(private_key);
        case management::AuthRetry::interact:
            return;  // it is asked for already
    }
}

void ManagementDesk::found() {
    interface_.withdraw(disk.kind, disk.name);
    unlocking_ended();
}

void ManagementDesk::unlocking_ended() {
    passphrase_is_of_no_use();
    if (!held_back_.empty()) interface_.withdraw(Query::Kind::confirmation, consent({}).name);
    held_back_.clear();
}

void ManagementDesk::ask_consent(AnswerNumber answer, base::Secret password, const std::string& server) {
    if (held_back_.size() >= most_held_back)
        return orders_.refuse(answer, "too many other passwords wait for a person's consent");
    held_back_.push_back({answer, std::move(password), server});
    if (held_back_.size() == 1) ask_next_consent();
}

void ManagementDesk::passphrase_is_of_no_use() {
    interface_.withdraw(private_key.kind, private_key.name);
}

// ---- Network hooks

network::HookAnswerer ManagementDesk::hook_answerer() {
    return {.asked = [this](const network::HookQuestion& question,
                            network::HookAnswerer::Reply reply) { on_hook_asks(question, std::move(reply)); },
            .judged = [](std::uint32_t, bool) {},  // a hook whose credentials are no good asks again
            .withdrawn = [this](std::uint32_t number) { withdraw_hook_question(number); }};
}

// As with a key, the same credentials are not tried again with "nointeract" either.
void ManagementDesk::on_hook_asks(const network::HookQuestion& question, network::HookAnswerer::Reply reply) {
    if (question.again && interface_.verification_failed(credentials) == management::AuthRetry::none) return reply({});
    hooks_asking_.push_back({question, std::move(reply)});
    if (hooks_asking_.size() == 1) ask_for_next_hook();
}

void ManagementDesk::ask_for_next_hook() {
    if (hooks_asking_.empty()) return interface_.withdraw(credentials.kind, credentials.name);
    const network::HookQuestion& question = hooks_asking_.front().question;
    log_.info(1, "the network hook " + base::escaped(question.hook) + " waits for a user name and password for " +
                     base::escaped(question.realm) + ", on the management interface");
    if (!interface_.is_pending(credentials.kind, credentials.name)) interface_.ask(credentials);
}

void ManagementDesk::withdraw_hook_question(std::uint32_t number) {
    const bool was_first = !hooks_asking_.empty() && hooks_asking_.front().question.number == number;
    std::erase_if(hooks_asking_, [number](const HookAsks& asks) { return asks.question.number == number; });
    if (was_first) ask_for_next_hook();
}

void ManagementDesk::on_credentials(base::Secret user, base::Secret password) {
    if (hooks_asking_.empty()) return;
    const auto reply = std::move(hooks_asking_.front().reply);
    hooks_asking_.pop_front();
    reply(network::Credentials{std::move(user), std::move(password)});
    ask_for_next_hook();
}

void ManagementDesk::ask_next_consent() {
    if (held_back_.empty()) return;
    log_.info(1, "a person's consent is waited for, on the management interface, to use the password from " +
                     base::escaped(held_back_.front().server));
    interface_.ask(consent(held_back_.front().server));
}

void ManagementDesk::on_confirmation(std::string_view, bool ok) {
    if (held_back_.empty()) return;
    Answered answered = std::move(held_back_.front());
    held_back_.pop_front();
    if (ok)
        orders_.hand_over(answered.number, std::move(answered.password), answered.server);
    else
        orders_.refuse(answered.number, "a person did not agree to use it");
    ask_next_consent();
}

}  // namespace bootkey::monitor
