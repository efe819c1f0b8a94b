// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/monitor.hpp"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "bootkey/base/text.hpp"
#include "bootkey/base/trusted_path.hpp"
#include "bootkey/monitor/keys.hpp"
#include "bootkey/monitor/worker.hpp"
#include "bootkey/network/interface_choice.hpp"
#include "bootkey/openpgp/decryptor.hpp"
#include "bootkey/sandbox/confinement.hpp"
#include "bootkey/timeline/timeline_file.hpp"

namespace bootkey::monitor {
namespace {

using base::format;

constexpr base::Duration put_back_limit = std::chrono::seconds(5);
constexpr base::Duration decryptor_limit = std::chrono::milliseconds(500);  // on ending its agent and itself
// A signal that was ignored when the program started stays ignored (nohup(1), plugin-runner).
bool is_ignored(int signal_number) {
    struct sigaction action {};
    return sigaction(signal_number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

network::HookSettings hook_settings(const options::Options& options, timeline::TimelineKeeper& keeper,
                                    network::HookAnswerer answerer) {
    return {.directory = options.network_hook_dir,
            .device = network::InterfaceChoice(options.interfaces, false).device(),
            .delay_text = options.delay_text,
            .connect_text = options.connect ? options.connect->text : std::string(),
            .verbose = options.debug,
            .delay = options.delay,
            .time_limit = options.network_hook_timeout,
            .ended =
                [&keeper](const network::HookReport& hook) {
                    keeper.add(timeline::HookRecord{hook.name, hook.mode, hook.begun, hook.ended, hook.failure});
                },
            .answerer = std::move(answerer)};
}

// What libraries print when they give up, and what run-time checks find.
void say_for(RemoteLog& log, const char* name, std::string_view line) {
    log.say(1, base::LogFlag::nonfatal, std::string(name) + " says: " + std::string(line));
}

}  // namespace

Monitor::Monitor(const options::Options& options, base::Log& log, base::UniqueFd output, Bodies bodies, Purpose purpose)
    : options_(options),
      log_(log),
      output_(std::move(output)),
      bodies_(std::move(bodies)),
      purpose_(purpose),
      keeper_(base::Clock::now()),
      policy_(
          network::InterfaceChoice(options.interfaces, options.connect || !options.servers.empty()),
          [this](std::uint32_t interface) { return links_->link(interface); }, log),
      answers_(log, keeper_,
               {.decrypt =
                    [this](const std::vector<std::byte>& message, base::Duration patience) {
                        const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
                        decryptor_->send(ToDecryptor(Decrypt{message, static_cast<std::uint32_t>(milliseconds)}));
                    },
                .hurry = [this] { decryptor_->send(ToDecryptor(Hurry{})); },
                .hand_over = [this](AnswerNumber answer, base::Secret password,
                                    const std::string& server) { hand_over(answer, std::move(password), server); },
                .rejected = [this](const timeline::AttemptKey& attempt,
                                   const std::string& why) { on_rejected(attempt, why); }}) {
}

Monitor::~Monitor() = default;

Outcome Monitor::run() {
    const Outcome outcome = run_to_the_end();
    timeline_ = keeper_.finished(static_cast<int>(outcome.code), outcome.signal, base::Clock::now());
    if (!purpose_.is_rehearsal && geteuid() == 0) leave_timeline();
    return outcome;
}

// Whoever waits for the password is not told, for it makes no difference to them.
void Monitor::leave_timeline() const {
    const auto left = changes::leave_timeline(timeline::to_json(timeline_));
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
    if (desk_) desk_->close();  // while signals are still caught: no socket is to be left
    return *outcome_;
}

// A person is asked before anything is done that takes time or may fail.
base::Result<void> Monitor::start_run() {
    make_recipient();
    worker_log_.emplace(*loop_, log_, "worker", RemoteLog::Repeats::counted);
    decryptor_log_.emplace(*loop_, log_, "decryptor", RemoteLog::Repeats::shown);
    watch_signals();
    if (auto started = recipient_->start(); !started) return started;
    if (auto opened = open_management(); !opened) return opened;
    for (const std::string& remark : sandbox::protect_memory()) log_.info(2, remark);
    if (options_.no_sandbox)
        log_.warning(
            "--no-sandbox: whoever breaks into the processes that read from the network is not confined; for debugging "
            "only");
    if (purpose_.limit) limit_purpose(*purpose_.limit);
    if (recipient_->wants_answers()) return begin_or_hold();
    failure_ = base::Error{base::ExitCode::unavailable, "cannot get a password",
                           "the last try is a person's, who is not there any more", ""};
    return {};
}

void Monitor::make_recipient() {
    recipient_ = monitor::make_recipient(
        *loop_, log_, options_, std::move(output_),
        {.accepted = [this] { on_accepted(); },
         .refused = [this](AnswerNumber answer, const std::string& why) { on_refused(answer, why); },
         .delivered = [this](std::optional<AnswerNumber> answer) { on_delivered(answer); },
         .over = [this](const base::Result<void>& how) { on_over(how); },
         .deserted = [this] { return on_deserted(); }});
}

// Whoever only wants to watch must not keep the machine from being unlocked; but where somebody is to decide something,
// it is not done without them.
base::Result<void> Monitor::open_management() {
    if (!options_.management.address || purpose_.is_rehearsal) return {};
    auto desk = ManagementDesk::open(
        *loop_, log_, options_,
        {.begin = [this] { begin(); },
         .signal = [this](int number) { on_signal(number); },
         .drop =
             [this](const timeline::AttemptKey& key, const std::string& why) {
                 if (keeper_.is_of_worker_of_now(key)) tell_worker(Drop{key.attempt, why});
             },
         .disk_password = [this](base::Secret password) { take_from_person(std::move(password)); },
         .passphrase =
             [this](std::optional<base::Secret> passphrase) {
                 if (decryptor_) decryptor_->send(ToDecryptor(Passphrase{std::move(passphrase)}));
             },
         .hand_over =
             [this](AnswerNumber answer, base::Secret password, const std::string& server) {
                 if (!outcome_) give(answer, std::move(password), server);
             },
         .refuse = [this](AnswerNumber answer, const std::string& why) { answers_.refused(answer, why, loop_->now()); },
         .verb_changed = [this](int level) { set_verb(level); }});
    if (desk) {
        desk_ = std::move(*desk);
    } else {
        if (options_.management.hold || options_.management.confirm) return std::move(desk).error();
        log_.error(desk.error().message());
    }
    return {};
}

// Held, nothing on the machine is touched: no hook, no interface, no setting.
base::Result<void> Monitor::begin_or_hold() {
    if (desk_ && desk_->wants_hold()) {
        log_.info(1, "on hold: nothing is done before a management client says 'hold release'");
        desk_->hold();
        return {};
    }
    if (desk_) desk_->begun();
    return start_unlocking();
}

// The hold is over.
void Monitor::begin() {
    if (outcome_ || accepted_ || step_ || executor_) return;
    log_.info(1, "the hold is released");
    desk_->begun();
    if (const auto started = start_unlocking(); !started) on_failed(started.error());
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
    if (!purpose_.is_rehearsal)  // --check has looked, and told it in its own way
        if (auto checked = check_exposure(*keys, options_, log_); !checked) return checked;
    keys_ = std::move(*keys);
    if (auto started = start_worker(); !started) return started;
    auto answerer = desk_ && options_.management.asks_auth() ? desk_->hook_answerer() : network::HookAnswerer{};
    auto executor =
        changes::PrivilegedExecutor::create(*loop_, log_, hook_settings(options_, keeper_, std::move(answerer)));
    if (!executor) return std::move(executor).error();
    executor_ = std::move(*executor);
    auto links = network::NetlinkRequests::open();
    if (!links) return std::move(links).error();
    links_.emplace(std::move(*links));
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
                                        policy_.worker_started();
                                        ++worker_number_;
                                        tell_verb();
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
                                .started =
                                    [this] {
                                        policy_.decryptor_started();
                                        tell_verb();
                                        answers_.decryptor_ready(loop_->now());
                                    },
                                .ask = [this] { decryptor_->send(ToDecryptor(Ping{})); },
                                .received = [this](const base::Secret& bytes) { return on_decryptor_message(bytes); },
                                .lost = [this] { return on_decryptor_lost(); }});
    return decryptor_->start();
}

// The directory is the decryptor's, so that gpg and its agent can work there without being root.
base::Result<void> Monitor::make_home() {
    auto home = executor_->make_home();
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
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2})
        watch(number, [this, number] { on_signal(number); });
}

void Monitor::on_signal(int number) {
    const bool is_restart = number == SIGHUP || (number == SIGUSR1 && desk_ && desk_->wants_hold());
    if (number == SIGINT || number == SIGTERM) {
        log_.info(1, format("%s: putting everything back", sigdescr_np(number)));
        const bool usual_end = number == SIGTERM && !options_.askpass_fifo.empty();
        end({base::ExitCode::ok, usual_end ? 0 : number}, std::string("SIG") + sigabbrev_np(number));
    } else if (desk_ && desk_->holds()) {
        log_.info(0, "on hold: nothing is done before a management client says 'hold release'");
    } else if (is_restart) {
        restart(number);
    } else {
        if (number == SIGUSR1 && desk_) desk_->trying_anew("SIGUSR1");
        tell_worker(number == SIGUSR1 ? ToWorker(TryNow{}) : ToWorker(LogStatus{}));
    }
}

void Monitor::set_verb(int level) {
    log_.set_level(level);
    tell_verb();
}

// A process that is started reads the option again.
void Monitor::tell_verb() {
    if (log_.level() == options_.verb) return;
    const SetVerb order{static_cast<std::uint8_t>(log_.level())};
    tell_worker(order);
    if (decryptor_) decryptor_->send(ToDecryptor(order));
}

// Where a person is being asked, that goes on: only the network is given up. And an answer that is there needs nobody
// else.
void Monitor::on_failed(const base::Error& error) {
    if (outcome_ || failure_) return;
    if (accepted_) return log_.error(error.message());
    if (!recipient_->asks_person()) return fail(error);
    log_.fatal(error.message());
    keeper_.failed(error.message());
    if (desk_) desk_->interrupted("error", error.message());
    failure_ = error;
    if (!step_)
        put_back([this] {
            forget_network();
            if (outcome_) is_put_back();
        });
}

void Monitor::on_over(const base::Result<void>& how) {
    if (outcome_) return;
    if (!how) return fail(how.error());
    end({}, "exit");
}

void Monitor::fail(const base::Error& error) {
    log_.fatal(error.message());
    keeper_.failed(error.message());
    if (desk_) desk_->fatal(error.message());
    end({error.code}, "error");
}

// Nobody is left to answer if the servers cannot be asked either.
bool Monitor::on_deserted() {
    if (failure_ && desk_) desk_->fatal(failure_->message());
    if (failure_) end({failure_->code}, "error");
    return !failure_;
}

// SIGHUP: everything anew, keys and hooks and interfaces, unless the password is already on its way out.
void Monitor::restart(int signal) {
    if (outcome_ || accepted_ || step_ || !recipient_->wants_answers()) return;
    log_.info(1, format("%s: starting anew", sigdescr_np(signal)));
    if (desk_) desk_->interrupted(std::string("SIG") + sigabbrev_np(signal), "bootkey starts anew");
    keeper_.worker_ended(loop_->now());
    keeper_.restarted("bootkey", loop_->now());
    put_back([this] {
        forget_network();
        if (outcome_) return is_put_back();
        failure_.reset();
        if (const auto started = begin_or_hold(); !started) on_failed(started.error());
    });
}

void Monitor::forget_network() {
    step_.reset();
    executor_.reset();
    browsing_ = discovery::Browsing::on;
    keys_good_ = worker_began_ = false;
    hooks_asked_.reset();
}

// The one way out. The first reason counts; what comes later finds everything under way.
void Monitor::end(Outcome outcome, const std::string& reason) {
    if (outcome_) return;
    outcome_ = outcome;
    if (desk_) desk_->exiting(reason);
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
            if (!executor_) return finish();
            executor_->put_back([this, finish](const base::Result<void>& result) {
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
    if (desk_) desk_->unlocking_ended();
    if (!decryptor_) return then();
    decryptor_->end(decryptor_limit, [this, then = std::move(then)] {
        decryptor_.reset();
        then();
    });
}

}  // namespace bootkey::monitor
