// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/monitor.hpp"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <type_traits>
#include <utility>

#include "bootkey/base/text.hpp"
#include "bootkey/base/trusted_path.hpp"
#include "bootkey/monitor/keys.hpp"
#include "bootkey/monitor/worker.hpp"
#include "bootkey/network/interface_choice.hpp"
#include "bootkey/sandbox/confinement.hpp"
#include "bootkey/unlock/timeline_file.hpp"

namespace bootkey::monitor {
namespace {

using base::escaped;
using base::format;

constexpr base::Duration put_back_limit = std::chrono::seconds(5);
constexpr base::Duration decryptor_limit = std::chrono::milliseconds(500);  // on ending its agent and itself
// A machine may have hundreds of interfaces, which are asked for at once; later changes are few.
constexpr Allowance worker_requests(2048, 64);
// Hundreds of servers may be tried at once, each with some phases, and again after --retry; a record costs microseconds.
constexpr Allowance worker_news(4096, 256);

// A signal that was ignored when the program started stays ignored (nohup(1), plugin-runner).
bool is_ignored(int signal_number) {
    struct sigaction action {};
    return sigaction(signal_number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

// What keeps a process from its work for want of memory, descriptors or room may be gone a moment later. A wrong key,
// option or permission is not.
bool may_pass(base::ExitCode code) {
    return code == base::ExitCode::os_error || code == base::ExitCode::unavailable ||
           code == base::ExitCode::cannot_create;
}

network::HookSettings hook_settings(const options::Options& options, TimelineKeeper& keeper) {
    return {.directory = options.network_hook_dir,
            .device = network::InterfaceChoice(options.interfaces, false).device(),
            .delay_text = options.delay_text,
            .connect_text = options.connect ? options.connect->text : std::string(),
            .verbose = options.debug,
            .delay = options.delay,
            .time_limit = options.network_hook_timeout,
            .ended = [&keeper](const network::HookReport& hook) {
                keeper.add(unlock::HookRecord{hook.name, hook.mode, hook.begun, hook.ended, hook.failure});
            }};
}

// What another process says has failed, which may be what an attacker makes it say. How the output went is for the
// monitor alone to tell: whoever started the program lets nobody type the password instead.
base::Error as_shown(const base::Error& error) {
    const bool about_output = error.code == base::ExitCode::io_error || error.code == base::ExitCode::temporary;
    const auto fit = [](const std::string& text) { return base::printable(text, RemoteLog::longest_line); };
    return {about_output ? base::ExitCode::os_error : error.code, fit(error.tried), fit(error.why), fit(error.advice)};
}

// What libraries print when they give up, and what run-time checks find.
void say_for(RemoteLog& log, const char* name, std::string_view line) {
    log.say(1, base::LogFlag::nonfatal, std::string(name) + " says: " + std::string(line));
}

}  // namespace

Monitor::Monitor(const options::Options& options, const base::Log& log, base::UniqueFd output, Bodies bodies,
                 Purpose purpose)
    : options_(options),
      log_(log),
      output_(std::move(output)),
      bodies_(std::move(bodies)),
      purpose_(purpose),
      keeper_(base::Clock::now()),
      requests_(worker_requests),
      news_(worker_news),
      answers_(log, keeper_,
               {.decrypt =
                    [this](const std::vector<std::byte>& message) { decryptor_->send(ToDecryptor(Decrypt{message})); },
                .hand_over =
                    [this](AnswerNumber answer, base::Secret password, const std::string& server) {
                        recipient_->take(answer, std::move(password), server);
                    },
                .reject = [this](servers::AttemptId attempt,
                                 const std::string& why) { tell_worker(Rejected{attempt, why}); }}) {
}

Monitor::~Monitor() = default;

Outcome Monitor::run() {
    const Outcome outcome = run_to_the_end();
    timeline_ = keeper_.finished(static_cast<int>(outcome.code), outcome.signal, base::Clock::now());
    if (purpose_.leaves_timeline && geteuid() == 0) leave_timeline();
    return outcome;
}

// Whoever waits for the password is not told, for it makes no difference to them.
void Monitor::leave_timeline() const {
    const auto left = network::leave_timeline(log_, unlock::to_json(timeline_));
    if (!left) log_.info(2, left.error().message());
}

Outcome Monitor::run_to_the_end() {
    auto loop = base::EventLoop::create();
    if (!loop) {
        log_.fatal(loop.error().message());
        return {loop.error().code};
    }
    loop_ = std::move(*loop);
    if (const auto started = start_run(); !started) on_failed(started.error());
    loop_->run();
    return *outcome_;
}

// A person is asked before anything is done that takes time or may fail.
base::Result<void> Monitor::start_run() {
    recipient_ = make_recipient(*loop_, log_, options_, std::move(output_),
                                {.accepted =
                                     [this] {
                                         accepted_ = true;
                                         answers_.stop();
                                         tell_worker(Accepted{});  // all other attempts end now
                                     },
                                 .refused = [this](AnswerNumber answer,
                                                   const std::string& why) { answers_.refused(answer, why, loop_->now()); },
                                 .delivered = [this](std::optional<AnswerNumber> answer) { on_delivered(answer); },
                                 .over = [this](const base::Result<void>& how) { on_over(how); },
                                 .deserted = [this] { return on_deserted(); }});
    worker_log_.emplace(*loop_, log_, "worker");
    decryptor_log_.emplace(*loop_, log_, "decryptor");
    watch_signals();
    if (auto started = recipient_->start(); !started) return started;
    for (const std::string& remark : sandbox::protect_memory()) log_.info(2, remark);
    if (options_.no_sandbox) log_.warning("--no-sandbox: whoever breaks into the processes that read from the network is not confined; for debugging only");
    if (purpose_.limit) limit_purpose(*purpose_.limit);
    if (recipient_->wants_answers()) return start_unlocking();
    failure_ = base::Error{base::ExitCode::unavailable, "cannot get a password", "the last try is a person's, who is not there any more", ""};
    return {};
}

void Monitor::limit_purpose(base::Duration limit) {
    purpose_limit_ = loop_->timer([this, limit] {
        on_failed({base::ExitCode::unavailable, "cannot unlock",
                   format("no server has given a password within %g s", base::to_seconds(limit)), ""});
    });
    purpose_limit_->arm(limit);
}

// The worker first: it reads the keys, which may take a while, while the rest is prepared here.
base::Result<void> Monitor::start_unlocking() {
    if (options_.set_user_id)
        if (auto trusted = base::check_trusted_path(options_.network_hook_dir, base::Links::followed); !trusted)
            return trusted;
    auto keys = find_keys(options_);
    if (!keys) return std::move(keys).error();
    keys_ = std::move(*keys);
    if (auto started = start_worker(); !started) return started;
    auto administration = network::LocalAdministration::create(*loop_, log_, hook_settings(options_, keeper_));
    if (!administration) return std::move(administration).error();
    administration_ = std::move(*administration);
    auto links = network::NetlinkRequests::open();
    if (!links) return std::move(links).error();
    links_.emplace(std::move(*links));
    guard_.emplace(
        *administration_, network::InterfaceChoice(options_.interfaces, options_.connect || !options_.servers.empty()),
        [this](std::uint32_t interface) { return links_->link(interface); }, log_);
    return start_decryptor();
}

base::Result<void> Monitor::start_worker() {
    worker_ = std::make_unique<SupervisedProcess>(
        *loop_, log_,
        SupervisedProcess::Role{.name = "worker",
                                .body =
                                    [this, monitor = getpid()](base::UniqueFd channel) {
                                        return bodies_.worker(std::move(channel), options_, keys_, browsing_, monitor);
                                    },
                                .said = [this](std::string_view line) { say_for(*worker_log_, "worker", line); },
                                .started =
                                    [this] {
                                        keeper_.worker_started(loop_->now());
                                        be_patient_again();
                                    },
                                .ask = [this] { tell_worker(Ping{}); },
                                .received = [this](const base::Secret& bytes) { return on_worker_message(bytes); },
                                .lost = [this] { return on_worker_lost(); }});
    return worker_->start();
}

base::Result<void> Monitor::start_decryptor() {
    if (auto made = make_home(); !made) return made;
    decryptor_ = std::make_unique<SupervisedProcess>(
        *loop_, log_,
        SupervisedProcess::Role{.name = "decryptor",
                                .body =
                                    [this, monitor = getpid()](base::UniqueFd channel) {
                                        return bodies_.decryptor(std::move(channel), options_, keys_, home_, monitor);
                                    },
                                .said = [this](std::string_view line) { say_for(*decryptor_log_, "decryptor", line); },
                                .started = [this] { answers_.decryptor_ready(loop_->now()); },
                                .ask = [this] { decryptor_->send(ToDecryptor(Ping{})); },
                                .received = [this](const base::Secret& bytes) { return on_decryptor_message(bytes); },
                                .lost = [this] { return on_decryptor_lost(); }});
    return decryptor_->start();
}

// The directory is the decryptor's, so that gpg and its agent can work there without being root.
base::Result<void> Monitor::make_home() {
    auto home = administration_->make_home();
    if (!home) return std::move(home).error();
    home_ = std::move(*home);
    if (geteuid() != 0) return {};
    const auto owner = sandbox::identity_of(sandbox::Role::decryptor);
    if (lchown(home_.c_str(), owner.user, owner.group) == 0) return {};
    return base::system_error("cannot give the directory " + home_ + " to the decryptor", errno);
}

void Monitor::watch_signals() {
    const auto watch = [this](int number, std::function<void()> action) {
        if (!is_ignored(number)) signals_.push_back(loop_->signal(number, std::move(action)));
    };
    for (const int number : {SIGINT, SIGTERM})
        watch(number, [this, number] {
            log_.info(1, format("%s: putting everything back", sigdescr_np(number)));
            const bool usual_end = number == SIGTERM && !options_.askpass_fifo.empty();
            end({base::ExitCode::ok, usual_end ? 0 : number});
        });
    watch(SIGHUP, [this] { restart(); });
    watch(SIGUSR1, [this] { tell_worker(TryNow{}); });
    watch(SIGUSR2, [this] { tell_worker(LogStatus{}); });
}

bool Monitor::on_worker_message(const base::Secret& bytes) {
    auto message = decode<FromWorker>(bytes.bytes());
    if (!message) return false;
    const auto* line = std::get_if<LogLine>(&*message);
    if (line != nullptr)
        worker_log_->say(*line);
    else if (std::holds_alternative<Pong>(*message))
        worker_->heard();
    else if (outcome_)
        return true;  // too late
    else if (std::holds_alternative<InterfaceNews>(*message) || std::holds_alternative<AttemptNews>(*message))
        hear(*message);
    else if (requests_.take(loop_->now()))
        obey(*message);
    else
        refuse(*message);
    return !guard_ || !guard_->is_out_of_patience();
}

// Nothing is done about it, but a flood of it would take time.
void Monitor::hear(FromWorker& news) {
    if (!news_.take(loop_->now())) return keeper_.left_out();
    if (auto* interface = std::get_if<InterfaceNews>(&news)) keeper_.add(std::move(interface->record), loop_->now());
    if (auto* attempt = std::get_if<AttemptNews>(&news)) keeper_.add(std::move(attempt->record), loop_->now());
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
    if (!message) return false;
    std::visit(
        [this]<typename Message>(Message& said) {
            if constexpr (std::is_same_v<Message, Failed>)
                on_process_failed(*decryptor_, said.error);
            else if constexpr (std::is_same_v<Message, LogLine>)
                decryptor_log_->say(said);
            else if constexpr (std::is_same_v<Message, Pong>)
                decryptor_->heard();
            else
                on(std::move(said));
        },
        *message);
    return true;
}

// What the last worker has asked for is not held against a new one.
void Monitor::be_patient_again() {
    requests_ = worker_requests;
    news_ = worker_news;
    if (guard_) guard_->be_patient_again();
}

// Nobody knows whether a packet did that to it; avahi-core is what reads most of them.
bool Monitor::on_worker_lost() {
    keeper_.worker_ended(loop_->now());
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

void Monitor::on(const KeysGood&) {
    keys_good_ = true;
    begin_when_ready();
}

void Monitor::begin_when_ready() {
    if (!keys_good_ || !worker_ready_ || outcome_) return;
    worker_ready_ = false;
    guard_->request(StartHooks{}, [this](const ToWorker& reply) { tell_worker(reply); });
}

void Monitor::on(Password password) {
    if (!outcome_) answers_.decrypted(std::move(password.password), loop_->now());
}

void Monitor::on_delivered(std::optional<AnswerNumber> answer) {
    keeper_.written(loop_->now());
    if (answer) answers_.delivered(*answer);
}

void Monitor::on_process_failed(SupervisedProcess& process, const base::Error& error) {
    const base::Error shown = as_shown(error);
    if (outcome_ || !may_pass(error.code) || !process.retry()) return on_failed(shown);
    log_.error(shown.message());
}

// Where a person is being asked, that goes on: only the network is given up. And an answer that is there needs nobody else.
void Monitor::on_failed(const base::Error& error) {
    if (outcome_ || failure_) return;
    if (accepted_) return log_.error(error.message());
    log_.fatal(error.message());
    keeper_.failed(error.message());
    if (!recipient_->asks_person()) return end({error.code});
    failure_ = error;
    if (!step_)
        put_back([this] {
            forget_network();
            if (outcome_) is_put_back();
        });
}

void Monitor::on_over(const base::Result<void>& how) {
    if (outcome_) return;
    if (!how) {
        log_.fatal(how.error().message());
        keeper_.failed(how.error().message());
    }
    end({how ? base::ExitCode::ok : how.error().code});
}

// Nobody is left to answer if the servers cannot be asked either.
bool Monitor::on_deserted() {
    if (failure_) end({failure_->code});
    return !failure_;
}

// SIGHUP: everything anew, keys and hooks and interfaces, unless the password is already on its way out.
void Monitor::restart() {
    if (outcome_ || accepted_ || step_ || !recipient_->wants_answers()) return;
    log_.info(1, "Hangup: starting anew");
    keeper_.worker_ended(loop_->now());
    keeper_.restarted("bootkey", loop_->now());
    put_back([this] {
        forget_network();
        if (outcome_) return is_put_back();
        failure_.reset();
        if (const auto started = start_unlocking(); !started) on_failed(started.error());
    });
}

void Monitor::forget_network() {
    step_.reset();
    guard_.reset();
    administration_.reset();
    browsing_ = discovery::Browsing::on;
    keys_good_ = worker_began_ = worker_ready_ = false;
}

// The one way out. The first reason counts; what comes later finds everything under way.
void Monitor::end(Outcome outcome) {
    if (outcome_) return;
    outcome_ = outcome;
    // Stop hooks may take a while, and the password is of no more use.
    recipient_->stop([this] {
        recipient_stopped_ = true;
        leave_when_done();
    });
    if (!step_) put_back([this] { is_put_back(); });
}

void Monitor::is_put_back() {
    put_back_ = true;
    leave_when_done();
}

void Monitor::leave_when_done() {
    if (put_back_ && recipient_stopped_) loop_->stop();
}

// Ends unlocking and undoes every change, then calls `then`. Each step begins with a clean stack, since it destroys
// objects whose callbacks may have asked for it.
void Monitor::put_back(std::function<void()> then) {
    const auto finish = [this, then = std::move(then)] {
        if (!limit_) return;  // the limit was faster
        limit_.reset();
        step_ = loop_->timer(then);
        step_->arm({});
    };
    limit_ = loop_->timer([this, finish] {
        log_.error("not everything was put back within 5 seconds; run bootkey --restore");
        finish();
    });
    limit_->arm(put_back_limit);
    step_ = loop_->timer([this, finish] {
        end_processes([this, finish] {
            if (!administration_) return finish();
            administration_->put_back([this, finish](const base::Result<void>& result) {
                if (!result) log_.error(result.error().message());
                finish();
            });
        });
    });
    step_->arm({});
}

// Nobody asks for changes any more when they are undone, and gpg's agent leaves its directory before that is removed.
void Monitor::end_processes(std::function<void()> then) {
    worker_.reset();
    answers_.clear();
    if (!decryptor_) return then();
    decryptor_->end(decryptor_limit, [this, then = std::move(then)] {
        decryptor_.reset();
        then();
    });
}

}  // namespace bootkey::monitor
