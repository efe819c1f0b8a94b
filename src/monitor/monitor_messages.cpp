// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the monitor does about what the other processes say, and about the answers that come of it.
#include <type_traits>
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
    if (!message || !all_.take(loop_->now())) return false;
    const auto* line = std::get_if<LogLine>(&*message);
    if (line != nullptr)
        worker_log_->say(*line);
    else if (std::holds_alternative<Pong>(*message))
        return worker_->heard();
    else if (outcome_)
        return true;  // too late
    else if (hear(*message))
        return true;
    else if (requests_.take(loop_->now()))
        obey(*message);
    else
        refuse(*message);
    return !guard_ || !guard_->is_out_of_patience();
}

// What is only told: nothing is done about it, but a flood of it would take time. Whether it was that.
bool Monitor::hear(FromWorker& said) {
    return std::visit(
        [this](auto& news) {
            constexpr bool is_news = requires {
                this->note(news);
            };
            if constexpr (is_news) {
                if (news_.take(loop_->now()))
                    note(news);
                else
                    keeper_.left_out();
            }
            return is_news;
        },
        said);
}

void Monitor::note(InterfaceNews& news) {
    if (desk_) desk_->heard(news);
    keeper_.add(std::move(news.record), loop_->now());
}

void Monitor::note(AttemptNews& news) {
    if (desk_) desk_->heard(keeper_.key(news.record.id), news);
    keeper_.add(std::move(news.record), loop_->now());
}

void Monitor::note(const AddressUsable& news) {
    if (desk_) desk_->heard(news);
}

void Monitor::note(const Idle& news) {
    if (desk_) desk_->heard(news);
}

void Monitor::note(const Echo& news) {
    if (desk_) desk_->heard(news);
}

void Monitor::obey(FromWorker& request) {
    std::visit(
        [this]<typename Message>(Message& said) {
            if constexpr (std::is_same_v<Message, Failed>)
                on_process_failed(*worker_, said.error);
            else if constexpr (requires { this->on(std::move(said)); })
                on(std::move(said));
            else if constexpr (requires { guard_->request(said, {}); })
                guard_->request(said, [this](const ToWorker& reply) { tell_worker(reply); });
        },
        request);
}

// What a flood gets: no line in the log, and no work done.
void Monitor::refuse(const FromWorker& request) {
    std::visit(
        [this](const auto& said) {
            if constexpr (requires { said.number; })
                tell_worker(
                    Done{said.number, base::Error{base::ExitCode::unavailable, "cannot do what the worker asks for",
                                                  "it asks for too much at once", ""}});
            else if constexpr (requires { said.attempt; })
                tell_worker(Rejected{said.attempt, "there are too many answers at once"});
        },
        request);
}

bool Monitor::on_decryptor_message(const base::Secret& bytes) {
    auto message = decode<FromDecryptor>(bytes.bytes());
    if (!message || !all_of_decryptor_.take(loop_->now())) return false;
    return std::visit(
        [this]<typename Message>(Message& said) {
            if constexpr (std::is_same_v<Message, Failed>)
                on_process_failed(*decryptor_, said.error);
            else if constexpr (std::is_same_v<Message, LogLine>)
                decryptor_log_->say(said);
            else if constexpr (std::is_same_v<Message, Pong>)
                return decryptor_->heard();
            else
                on(std::move(said));
            return true;
        },
        *message);
}

// Nobody knows whether a packet did that to it; avahi-core is what reads most of them.
bool Monitor::on_worker_lost() {
    keeper_.worker_ended(loop_->now());
    if (desk_ && !outcome_ && !accepted_) desk_->interrupted("worker_ended", "the worker ended");
    if (std::exchange(worker_began_, false)) browsing_ = discovery::Browsing::off;
    worker_ready_ = false;
    if (outcome_ || failure_) return false;
    keeper_.restarted("worker", loop_->now());
    return true;
}

bool Monitor::on_decryptor_lost() {
    if (outcome_ || failure_) return false;
    keeper_.restarted("decryptor", loop_->now());
    answers_.decryptor_lost(loop_->now());
    if (desk_) desk_->passphrase_is_of_no_use();
    if (const auto removed = administration_->remove_home(home_); !removed) log_.warning(removed.error().message());
    if (auto made = make_home(); !made) {
        on_failed(made.error());
        return false;
    }
    return true;
}

void Monitor::tell_worker(const ToWorker& message) {
    if (worker_) worker_->send(message);
}

void Monitor::on(const StartHooks&) {
    worker_began_ = worker_ready_ = true;
    begin_when_ready();
}

void Monitor::on(const AddHostRoute& request) {
    guard_->request(request, [this, destination = request.destination](const ToWorker& reply) {
        const auto* done = std::get_if<Done>(&reply);
        if (desk_ && done != nullptr && !done->error) desk_->route_added(destination);
        tell_worker(reply);
    });
}

void Monitor::on(const KeysGood&) {
    keys_good_ = true;
    begin_when_ready();
}

// Whoever cannot be asked does not keep those waiting who could be told why.
void Monitor::on(const NeedPassphrase& question) {
    if (!desk_ || !options_.management.asks_key())
        return on_process_failed(*decryptor_, openpgp::no_passphrase(keys_.seckey));
    if (!outcome_ && questions_.take(loop_->now())) desk_->need_passphrase(question.again, question.key);
}

void Monitor::begin_when_ready() {
    if (!keys_good_ || !worker_ready_ || outcome_ || failure_) return;
    worker_ready_ = false;
    guard_->request(StartHooks{}, [this](const ToWorker& reply) { tell_worker(reply); });
}

void Monitor::on(const Interrupted&) {
    if (!outcome_) answers_.interrupted(loop_->now());
}

void Monitor::on(Password password) {
    if (!outcome_) answers_.decrypted(std::move(password.password), loop_->now());
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
