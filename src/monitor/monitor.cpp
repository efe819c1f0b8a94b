// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/monitor.hpp"

#include <csignal>
#include <cstring>
#include <utility>

#include "bootkey/base/text.hpp"
#include "bootkey/network/interface_choice.hpp"

namespace bootkey::monitor {
namespace {

using base::escaped;
using base::format;

constexpr base::Duration put_back_limit = std::chrono::seconds(5);
constexpr int tls_debug_level = 5;  // handshakes and records, no contents (gnutls_global_set_log_level(3) takes 0-9)

// A signal that was ignored when the program started stays ignored (nohup(1), plugin-runner).
bool is_ignored(int signal_number) {
    struct sigaction action{};
    return sigaction(signal_number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

network::HookSettings hook_settings(const options::Options& options) {
    return {.directory = options.network_hook_dir,
            .device = network::InterfaceChoice(options.interfaces, false).device(),
            .delay_text = options.delay_text,
            .connect_text = options.connect ? options.connect->text : std::string(),
            .verbose = options.debug,
            .delay = options.delay,
            .time_limit = options.network_hook_timeout};
}

}  // namespace

Monitor::Monitor(const options::Options& options, const base::Log& log, base::UniqueFd output)
    : options_(options), log_(log), output_(std::move(output)) {}

// GnuTLS may still have something to say when the library is unloaded, after the log is gone.
Monitor::~Monitor() {
    if (options_.debug) servers::set_tls_debug(0, {});
}

Outcome Monitor::run() {
    const auto started = start_run();
    if (!started) {
        log_.fatal(started.error().message());
        if (!loop_ || !administration_) return {started.error().code};
        end({started.error().code});
    }
    loop_->run();
    return *outcome_;
}

base::Result<void> Monitor::start_run() {
    auto loop = base::EventLoop::create();
    if (!loop) return std::move(loop).error();
    loop_ = std::move(*loop);
    watch_signals();
    if (options_.debug) servers::set_tls_debug(tls_debug_level, [this](const std::string& line) { log_.debug(line); });
    sink_ = std::make_unique<console::PasswordSink>(*loop_, std::move(output_), [this] {
        on_failed({base::ExitCode::temporary, "cannot hand over a password", "the reader of standard output went away",
                   "start bootkey from what reads the password"});
    });
    return start_unlocking();
}

base::Result<void> Monitor::start_unlocking() {
    auto keys = load_keys(options_, log_);
    if (!keys) return std::move(keys).error();
    keys_.emplace(std::move(*keys));
    auto administration = network::LocalAdministration::create(*loop_, log_, hook_settings(options_));
    if (!administration) return std::move(administration).error();
    administration_ = std::move(*administration);
    auto home = administration_->make_home();
    if (!home) return std::move(home).error();
    const unlock::Materials materials{keys_->credentials, keys_->seckey, *home};
    auto unlocker = unlock::Unlocker::start(
        *loop_, log_, options_, *administration_, materials,
        {.password = [this](base::Secret password, const std::string& server) { on_password(std::move(password), server); },
         .failed = [this](const base::Error& error) { on_failed(error); }});
    if (!unlocker) return std::move(unlocker).error();
    unlocker_ = std::move(*unlocker);
    return {};
}

void Monitor::watch_signals() {
    const auto watch = [this](int number, std::function<void()> action) {
        if (!is_ignored(number)) signals_.push_back(loop_->signal(number, std::move(action)));
    };
    for (const int number : {SIGINT, SIGTERM})
        watch(number, [this, number] {
            log_.info(1, format("%s: putting everything back", sigdescr_np(number)));
            end({base::ExitCode::ok, number});
        });
    watch(SIGHUP, [this] { restart(); });
    watch(SIGUSR1, [this] {
        if (unlocker_) unlocker_->try_now();
    });
    watch(SIGUSR2, [this] {
        if (unlocker_) unlocker_->log_status();
    });
}

void Monitor::on_password(base::Secret password, const std::string& server) {
    if (outcome_) return;
    writing_ = true;
    sink_->write(std::move(password), [this, server](const base::Result<void>& written) {
        if (!written) return on_failed(written.error());
        log_.info(2, format("the password from %s was written to standard output", escaped(server).c_str()));
        end({base::ExitCode::ok});
    });
}

void Monitor::on_failed(const base::Error& error) {
    if (outcome_) return;
    log_.fatal(error.message());
    end({error.code});
}

// SIGHUP: everything anew, keys and hooks and interfaces, unless the password is already on its way out.
void Monitor::restart() {
    if (outcome_ || writing_ || step_) return;
    log_.info(1, "Hangup: starting anew");
    put_back([this] {
        step_.reset();
        if (outcome_) return loop_->stop();
        administration_.reset();
        if (const auto started = start_unlocking(); !started) on_failed(started.error());
    });
}

// The one way out. The first reason counts; what comes later finds everything under way.
void Monitor::end(Outcome outcome) {
    if (outcome_) return;
    outcome_ = outcome;
    if (!step_) put_back([this] { loop_->stop(); });
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
        unlocker_.reset();
        if (!administration_) return finish();
        administration_->put_back([this, finish](const base::Result<void>& result) {
            if (!result) log_.error(result.error().message());
            finish();
        });
    });
    step_->arm({});
}

}  // namespace bootkey::monitor
