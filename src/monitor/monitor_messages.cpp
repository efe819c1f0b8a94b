// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the monitor does about what the other processes say, and about the answers that come of it.
#include <utility>

#include "bootkey/base/text.hpp"
#include "bootkey/monitor/monitor.hpp"
#include "bootkey/openpgp/decryptor.hpp"

namespace bootkey::monitor {
namespace {

// What keeps a process from its work for want of memory, descriptors or room may be gone a moment later. A wrong key,
// option or permission is not.
bool may_pass(base::ExitCode code) {
    return code == base::ExitCode::os_error || code == base::ExitCode::unavailable ||
           code == base::ExitCode::cannot_create;
}

// What another process says has failed, which may be what an attacker makes it say. How the output went is for the
// monitor alone to tell: whoever started the program lets nobody type the password instead.
base::Error as_shown(const base::Error& error) {
    const bool about_output = error.code == base::ExitCode::io_error || error.code == base::ExitCode::temporary;
    const auto fit = [](const std::string& text) { return base::printable(text, RemoteLog::longest_line); };
    return {about_output ? base::ExitCode::os_error : error.code, fit(error.tried), fit(error.why), fit(error.advice)};
}

}  // namespace

bool Monitor::on_worker_message(const base::Secret& bytes) {
    auto message = decode<FromWorker>(bytes.bytes());
    if (!message) return false;
    switch (policy_.admit(*message, loop_->now(), outcome_.has_value())) {
        case Verdict::handle:
            if (!std::visit([this](auto& said) { return from_worker(said); }, *message)) return false;
            break;
        case Verdict::ignore:
            break;
        case Verdict::leave_out:
            keeper_.left_out();
            break;
        case Verdict::refuse:
            refuse(*message);
            break;
        case Verdict::end_process:
            return false;
    }
    return !policy_.is_out_of_patience();
}

bool Monitor::from_worker(LogLine& line) {
    worker_log_->say(line);
    return true;
}

bool Monitor::from_worker(Pong&) {
    return worker_->heard();
}

bool Monitor::from_worker(Failed& failure) {
    on_process_failed(*worker_, failure.error);
    return true;
}

bool Monitor::from_worker(Ask& asked) {
    if (!std::holds_alternative<changes::StartHooks>(asked.request)) {
        perform(asked);
        return true;
    }
    worker_began_ = true;
    hooks_asked_ = asked;
    begin_when_ready();
    return true;
}

bool Monitor::from_worker(Answer& answer) {
    answers_.add(std::move(answer), loop_->now());
    return true;
}

bool Monitor::from_worker(InterfaceNews& news) {
    if (desk_) desk_->heard(news);
    keeper_.add(std::move(news.record), loop_->now());
    return true;
}

bool Monitor::from_worker(AttemptNews& news) {
    if (desk_) desk_->heard(keeper_.key(news.record.id), news);
    keeper_.add(std::move(news.record), loop_->now());
    return true;
}

bool Monitor::from_worker(AddressUsable& news) {
    if (desk_) desk_->heard(news);
    return true;
}

bool Monitor::from_worker(Idle& news) {
    if (desk_) desk_->heard(news);
    return true;
}

bool Monitor::from_worker(Echo& news) {
    if (desk_) desk_->heard(news);
    return true;
}

// The reply is for the worker that asked: the numbers of the next one's requests begin at 0 again.
void Monitor::perform(const Ask& asked) {
    const auto reply = [this, asked, worker = worker_number_](const changes::Reply& how) {
        const auto* route = std::get_if<changes::AddHostRoute>(&asked.request);
        if (desk_ && route != nullptr && how.result) desk_->route_added(route->destination);
        if (!asked.number || worker != worker_number_) return;
        Replied reply{.number = *asked.number, .reserved = how.reserved};
        if (!how.result) reply.error = how.result.error();
        tell_worker(reply);
    };
    if (!executor_ || !links_) return;  // unlocking has not begun, or is over
    if (auto allowed = policy_.judge(asked.request); !allowed) return reply({std::move(allowed)});
    executor_->perform(asked.request, reply);
}

// What a flood gets: no line in the log, and no work done.
void Monitor::refuse(const FromWorker& request) {
    if (const auto* asked = std::get_if<Ask>(&request); asked != nullptr && asked->number)
        tell_worker(Replied{.number = *asked->number,
                            .error = base::Error{base::ExitCode::unavailable, "cannot do what the worker asks for",
                                                 "it asks for too much at once", ""}});
    else if (const auto* answer = std::get_if<Answer>(&request))
        tell_worker(Rejected{answer->attempt, "there are too many answers at once"});
}

bool Monitor::on_decryptor_message(const base::Secret& bytes) {
    auto message = decode<FromDecryptor>(bytes.bytes());
    if (!message) return false;
    switch (policy_.admit(*message, loop_->now(), outcome_.has_value())) {
        case Verdict::handle:
            return std::visit([this](auto& said) { return from_decryptor(said); }, *message);
        case Verdict::end_process:
            return false;
        default:
            return true;
    }
}

bool Monitor::from_decryptor(LogLine& line) {
    decryptor_log_->say(line);
    return true;
}

bool Monitor::from_decryptor(Pong&) {
    return decryptor_->heard();
}

bool Monitor::from_decryptor(Failed& failure) {
    on_process_failed(*decryptor_, failure.error);
    return true;
}

bool Monitor::from_decryptor(KeysGood&) {
    keys_good_ = true;
    begin_when_ready();
    return true;
}

// Whoever cannot be asked does not keep those waiting who could be told why.
bool Monitor::from_decryptor(NeedPassphrase& question) {
    if (desk_ && options_.management.asks_key())
        desk_->need_passphrase(question.again, question.key);
    else
        on_process_failed(*decryptor_, openpgp::no_passphrase(keys_.seckey));
    return true;
}

bool Monitor::from_decryptor(Password& password) {
    answers_.decrypted(std::move(password.password), loop_->now());
    return true;
}

bool Monitor::from_decryptor(Interrupted&) {
    answers_.interrupted(loop_->now());
    return true;
}

bool Monitor::from_decryptor(NotDecrypted& verdict) {
    answers_.not_decrypted(verdict.error.message(), loop_->now());
    return true;
}

// Nobody knows whether a packet did that to it; avahi-core is what reads most of them.
bool Monitor::on_worker_lost() {
    keeper_.worker_ended(loop_->now());
    if (desk_ && !outcome_ && !accepted_) desk_->interrupted("worker_ended", "the worker ended");
    if (std::exchange(worker_began_, false)) browsing_ = discovery::Browsing::off;
    hooks_asked_.reset();
    if (outcome_ || failure_) return false;
    keeper_.restarted("worker", loop_->now());
    return true;
}

bool Monitor::on_decryptor_lost() {
    if (outcome_ || failure_) return false;
    keeper_.restarted("decryptor", loop_->now());
    answers_.decryptor_lost(loop_->now());
    if (desk_) desk_->passphrase_is_of_no_use();
    if (const auto removed = executor_->remove_home(home_); !removed) log_.warning(removed.error().message());
    if (auto made = make_home(); !made) {
        on_failed(made.error());
        return false;
    }
    return true;
}

void Monitor::tell_worker(const ToWorker& message) {
    if (worker_) worker_->send(message);
}

void Monitor::begin_when_ready() {
    if (keys_good_ && hooks_asked_ && !outcome_ && !failure_) perform(*std::exchange(hooks_asked_, std::nullopt));
}

void Monitor::hand_over(AnswerNumber answer, base::Secret password, const std::string& server) {
    if (desk_ && desk_->wants_consent())
        desk_->ask_consent(answer, std::move(password), server);
    else
        give(answer, std::move(password), server);
}

void Monitor::give(AnswerNumber answer, base::Secret password, const std::string& server) {
    PasswordSource source = answers_.source(answer);
    source.server = server;
    recipient_->take(answer, std::move(password), source);
}

// A passphrase that a person types elsewhere is as good as a server's.
void Monitor::take_from_person(base::Secret password) {
    if (outcome_ || accepted_) return;
    // Askpass would take it for one try, and standard output for a success.
    if (password.empty()) return desk_->disk_password_refused();
    const AnswerNumber number = answers_.number_for_person();
    typed_.insert(number);
    recipient_->take(number, std::move(password), {.server = "a management client", .host = {}, .is_configured = true});
}

void Monitor::on_accepted() {
    accepted_ = true;
    answers_.stop();
    if (desk_) desk_->found();
    tell_worker(Accepted{});  // all other attempts end now
}

void Monitor::on_refused(AnswerNumber answer, const std::string& why) {
    if (typed_.erase(answer) == 0) return answers_.refused(answer, why, loop_->now());
    log_.info(1, "the password that a management client gave is refused: " + why);
    if (desk_) desk_->disk_password_refused();
}

void Monitor::on_rejected(const timeline::AttemptKey& attempt, const std::string& why) {
    if (keeper_.is_of_worker_of_now(attempt)) tell_worker(Rejected{attempt.attempt, why});
    if (desk_) desk_->rejected(attempt, why);
}

void Monitor::on_delivered(std::optional<AnswerNumber> answer) {
    keeper_.written(loop_->now());
    const bool typed = answer && typed_.contains(*answer);
    const auto attempt = answer ? answers_.delivered(*answer) : std::nullopt;
    if (desk_) desk_->connected(attempt, typed ? "management" : "console");
}

void Monitor::on_process_failed(SupervisedProcess& process, const base::Error& error) {
    const base::Error shown = as_shown(error);
    if (outcome_ || !may_pass(error.code) || !process.retry()) return on_failed(shown);
    log_.error(shown.message());
}

}  // namespace bootkey::monitor
