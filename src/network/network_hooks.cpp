// SPDX-License-Identifier: GPL-3.0-or-later
//
// Finding hooks and running them. A pass through the hooks is a HookRun; starting another ends the one before with its
// children.
#include "bootkey/network/network_hooks.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <utility>

#include "bootkey/base/child_process.hpp"
#include "bootkey/base/directory_stream.hpp"
#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/base/trusted_path.hpp"
#include "bootkey/network/hook_conversation.hpp"

namespace bootkey::network {
namespace {

// A fixed search path: the environment of whoever started us is none of a hook's business.
constexpr const char* search_path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string shown_path(const std::string& path) {
    return base::escaped(path, 1024);
}

void warn_untrusted(const base::Log& log, const std::string& path) {
    log.warning("will not run network hooks as root from " + shown_path(path) +
                ": others than root may write to it; chown root " + base::shell_word(path) + " && chmod go-w " +
                base::shell_word(path));
}

bool is_hook(int directory, const char* name, struct stat& status) {
    return is_hook_name(name) && fstatat(directory, name, &status, 0) == 0 && S_ISREG(status.st_mode) &&
           (status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;
}

constexpr base::Duration ports_limit = std::chrono::seconds(1);  // for all hooks to say which interfaces they take
constexpr std::size_t max_ports = 64;
constexpr std::size_t max_ports_text = 64 * 16;

bool can_be_port_name(std::string_view name) {
    constexpr std::size_t max_size = 15;  // IFNAMSIZ - 1
    const auto possible = [](char c) { return c > ' ' && c < 127 && c != '/' && c != ','; };
    return !name.empty() && name.size() <= max_size && std::ranges::all_of(name, possible);
}

// Whether the hook may know the mode "ports": the word is in its file. Others are not bothered with it.
bool may_know_ports(const std::string& path) {
    constexpr std::size_t max_size = 256 * 1024;
    const auto content = base::read_file(path, max_size);
    return content && content->find("ports") != std::string::npos;
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

// Our standard error, if we have one.
int standard_error() {
    return fcntl(STDERR_FILENO, F_GETFD) >= 0 ? STDERR_FILENO : -1;
}

}  // namespace

bool is_hook_name(std::string_view name) {
    const auto valid = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
               c == '-';
    };
    return !name.empty() && std::all_of(name.begin(), name.end(), valid);
}

std::vector<std::string> find_hooks(const std::string& directory, bool trusted_only, const base::Log& log) {
    const base::DirectoryStream stream(opendir(directory.c_str()));
    struct stat status {};
    if (!stream || fstat(dirfd(stream.get()), &status) != 0) {
        const auto error = base::system_error("cannot look for network hooks in " + shown_path(directory), errno);
        if (errno == ENOENT)
            log.debug(error.message());
        else
            log.warning(error.message());
        return {};
    }
    std::vector<std::string> names;
    const bool directory_trusted = !trusted_only || base::is_roots_alone(status);
    while (const dirent* entry = readdir(stream.get())) {
        if (!is_hook(dirfd(stream.get()), entry->d_name, status)) continue;
        if (!directory_trusted) {
            warn_untrusted(log, directory);
            return {};
        }
        if (!trusted_only || base::is_roots_alone(status))
            names.emplace_back(entry->d_name);
        else
            warn_untrusted(log, directory + '/' + entry->d_name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<std::string> hook_environment(const HookSettings& settings, std::string_view mode) {
    std::vector<std::string> environment = {
        search_path,
        "MANDOSNETHOOKDIR=" + settings.directory,
        "DEVICE=" + settings.device,
        "MODE=" + std::string(mode),
        std::string("VERBOSITY=") + (settings.verbose ? "1" : "0"),
        "DELAY=" + settings.delay_text,
    };
    if (!settings.connect_text.empty()) environment.push_back("CONNECT=" + settings.connect_text);
    return environment;
}

/// Runs hooks one after the other. Destroying it kills those that still run.
class HookRun {
public:
    /// How long the next hook holds up the one after it; asked for each, told how many are left with it.
    using Window = std::function<base::Duration(std::size_t left)>;

    /// `output`: where standard output goes; -1: to our standard error.
    HookRun(base::Loop& loop, const base::Log& log, const HookSettings& settings, std::string mode,
            std::vector<std::string> names, Window window, std::function<void()> ended, int output = -1)
        : loop_(loop),
          log_(log),
          settings_(settings),
          mode_(std::move(mode)),
          window_(std::move(window)),
          ended_(std::move(ended)),
          names_(std::move(names)),
          output_(output),
          next_timer_(loop.timer([this] { window_over(); })) {
        next_timer_->arm({});  // from the loop, as `ended` is promised
    }
    ~HookRun() {
        for (const auto& hook : running_) {
            withdraw(*hook);
            report(*hook, "killed when bootkey went on");
        }
    }
    HookRun(const HookRun&) = delete;
    HookRun& operator=(const HookRun&) = delete;

    /// Says which hooks are cut short by the end of this run.
    void warn_of_rest(const std::string& why) const {
        for (const auto& hook : running_) log_.warning(text_of(*hook) + " is killed: " + why);
        for (std::size_t i = begun_; i < names_.size(); ++i)
            log_.warning("network hook " + names_[i] + " is not run with \"" + mode_ + "\": " + why);
    }

private:
    struct Hook {
        std::string name;
        base::Time begun{};
        std::unique_ptr<base::Timer> limit;
        std::unique_ptr<HookConversation> conversation;  // of start hooks
        std::uint32_t question = 0;                      // the last one
        bool question_is_open = false;
        std::unique_ptr<base::ChildProcess> child;
        bool killed = false;
    };

    std::string text_of(const Hook& hook) const { return "network hook " + hook.name + " (\"" + mode_ + "\")"; }

    // A hook may not know the mode, and that is nothing to speak of.
    [[nodiscard]] bool is_quiet() const { return output_ >= 0; }

    void report(const Hook& hook, std::string failure) const {
        if (settings_.ended && !is_quiet())
            settings_.ended({hook.name, mode_, hook.begun, loop_.now(), std::move(failure)});
    }

    void window_over() {
        if (holding_up_ != nullptr)
            log_.info(3, text_of(*holding_up_) + " still runs; going on without waiting for it");
        begin_next();
    }

    // Starts hooks until one runs that the others have to wait for, or there are no more.
    void begin_next() {
        holding_up_ = nullptr;
        while (begun_ < names_.size()) {
            const base::Duration window = window_(names_.size() - begun_);
            if (!begin(names_[begun_++])) continue;
            next_timer_->arm(window);
            return;
        }
        if (running_.empty()) std::exchange(ended_, nullptr)();
    }

    bool begin(const std::string& name) {
        auto hook = std::make_unique<Hook>();
        Hook* place = hook.get();
        place->name = name;
        place->begun = loop_.now();
        base::Command command;
        command.program = settings_.directory + '/' + name;
        command.arguments = {command.program, mode_};
        command.environment = hook_environment(settings_, mode_);
        command.standard_output = is_quiet() ? output_ : standard_error();
        command.standard_error = is_quiet() ? -1 : standard_error();
        command.own_process_group = true;
        command.as_root = geteuid() == 0;  // without privilege it runs as whoever runs us
        command.directory = "/";
        const base::UniqueFd end = begin_conversation(*place);
        command.descriptor_3 = end.get();
        auto child = base::ChildProcess::start(loop_, command,
                                               [this, place](const base::ExitReport& exit) { on_exit(place, exit); });
        if (!child) {
            if (is_quiet()) return false;
            log_.warning(text_of(*place) + ": " + child.error().message());
            report(*place, child.error().message());
            return false;
        }
        log_.info(is_quiet() ? 4 : 3, "running " + text_of(*place));
        place->child = std::move(*child);
        place->limit = loop_.timer([this, place] { over_limit(*place); });
        place->limit->arm(settings_.time_limit);
        holding_up_ = place;
        running_.push_back(std::move(hook));
        return true;
    }

    // The hook's end of it, if it gets one.
    base::UniqueFd begin_conversation(Hook& hook) {
        if (mode_ != "start") return {};
        auto begun = HookConversation::begin(
            loop_, {.asks = [this, &hook](const HookDialogue::Asks& asks) { on_question(hook, asks); },
                    .judges = [this, &hook](bool good) { on_judged(hook, good); },
                    .over =
                        [this, &hook](const std::string& why) {
                            if (!why.empty()) log_.warning(text_of(hook) + " gets no more credentials: " + why);
                            withdraw(hook);
                        }});
        if (!begun) {
            log_.warning(text_of(hook) + ": " + begun.error().message());
            return {};
        }
        hook.conversation = std::move(begun->first);
        return std::move(begun->second);
    }

    void on_question(Hook& hook, const HookDialogue::Asks& asks) {
        hook.question = ++questions_;
        hook.question_is_open = true;
        hook.limit->disarm();
        log_.info(2, text_of(hook) + (asks.again ? " asks again" : " asks") +
                         " for user name and password: " + base::escaped(asks.realm));
        const HookAnswerer::Reply reply = [this, alive = std::weak_ptr<char>(alive_),
                                           number = hook.question](const std::optional<Credentials>& credentials) {
            if (!alive.expired()) answer(number, credentials);
        };
        if (settings_.answerer.asked)
            settings_.answerer.asked({hook.question, hook.name, asks.realm, asks.again}, reply);
        else
            reply(std::nullopt);
    }

    void answer(std::uint32_t question, const std::optional<Credentials>& credentials) {
        for (const auto& hook : running_) {
            if (!hook->question_is_open || hook->question != question) continue;
            hook->question_is_open = false;
            hook->limit->arm(settings_.time_limit);
            return hook->conversation->answer(credentials);
        }
    }

    void on_judged(const Hook& hook, bool good) {
        log_.info(2, text_of(hook) + (good ? " takes" : " does not take") + " the user name and password");
        if (settings_.answerer.judged) settings_.answerer.judged(hook.question, good);
    }

    void withdraw(Hook& hook) {
        if (!std::exchange(hook.question_is_open, false)) return;
        hook.limit->arm(settings_.time_limit);
        if (settings_.answerer.withdrawn) settings_.answerer.withdrawn(hook.question);
    }

    void over_limit(Hook& hook) {
        log_.warning(text_of(hook) +
                     base::format(" still runs after %g s: it is killed", base::to_seconds(settings_.time_limit)));
        hook.killed = true;
        hook.child->kill(SIGKILL);
    }

    void on_exit(Hook* hook, const base::ExitReport& exit) {
        if (hook->conversation) hook->conversation->drain();  // its last words
        withdraw(*hook);
        if (!exit.success() && !hook->killed && !is_quiet()) log_.warning(text_of(*hook) + " failed: " + exit.text());
        report(*hook, hook->killed ? "killed, for it ran too long" : exit.success() ? "" : exit.text());
        const bool waited_for = hook == holding_up_;
        std::erase_if(running_, [hook](const std::unique_ptr<Hook>& each) { return each.get() == hook; });
        if (waited_for) {
            next_timer_->disarm();
            begin_next();
        } else if (running_.empty() && begun_ == names_.size() && ended_) {
            std::exchange(ended_, nullptr)();
        }
    }

    base::Loop& loop_;
    const base::Log& log_;
    const HookSettings& settings_;
    std::string mode_;
    Window window_;
    std::function<void()> ended_;
    std::vector<std::string> names_;
    int output_;
    std::size_t begun_ = 0;
    Hook* holding_up_ = nullptr;  // the hook begun last, while the next one waits for it
    std::unique_ptr<base::Timer> next_timer_;
    std::uint32_t questions_ = 0;
    std::vector<std::unique_ptr<Hook>> running_;
    std::shared_ptr<char> alive_ = std::make_shared<char>();
};

NetworkHooks::NetworkHooks(base::Loop& loop, const base::Log& log, HookSettings settings)
    : loop_(loop), log_(log), settings_(std::move(settings)) {
}

NetworkHooks::~NetworkHooks() = default;

void NetworkHooks::start(Proceed proceed) {
    started_ = true;
    names_ = find_hooks(settings_.directory, geteuid() == 0, log_);
    proceed_ = std::move(proceed);
    timer_ = loop_.timer([this] {
        log_.info(2, base::format("network hooks still run after %g s: going on without waiting for them",
                                  base::to_seconds(settings_.delay)));
        go_on();
    });
    timer_->arm(settings_.delay);
    step_ = loop_.timer([this] { run_start_hooks(); });
    std::vector<std::string> asked;
    for (const std::string& name : names_)
        if (may_know_ports(settings_.directory + '/' + name)) asked.push_back(name);
    int ends[2];
    if (asked.empty() || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return step_->arm({});
    ports_.reset(ends[0]);
    ports_end_.reset(ends[1]);
    step_->arm(ports_limit);
    run_ = std::make_unique<HookRun>(
        loop_, log_, settings_, "ports", std::move(asked), [](std::size_t) { return ports_limit; },
        [this] { step_->arm({}); }, ports_end_.get());
}

void NetworkHooks::run_start_hooks() {
    run_.reset();
    read_ports();
    run_ = std::make_unique<HookRun>(
        loop_, log_, settings_, "start", std::move(names_), [this](std::size_t) { return settings_.delay; },
        [this] { on_start_hooks_ended(); });
}

void NetworkHooks::read_ports() {
    ports_end_.reset();
    std::string text(max_ports_text, '\0');
    const ssize_t size = ports_ ? read(ports_.get(), text.data(), text.size()) : 0;
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    ports_.reset();
    for (const std::string_view line : base::split(text, '\n'))
        if (can_be_port_name(line) && reserved_.size() < max_ports) reserved_.emplace_back(line);
    if (!reserved_.empty())
        log_.info(3, "left to network hooks, which are going to join them to others: " + joined(reserved_));
}

void NetworkHooks::on_start_hooks_ended() {
    timer_->disarm();
    if (went_on_ && reserved_.empty()) return;
    reserved_.clear();
    go_on();
}

void NetworkHooks::go_on() {
    went_on_ = true;
    const auto proceed = proceed_;  // a copy: it may end this object
    if (proceed) proceed(reserved_);
}

void NetworkHooks::stop(base::Duration budget, const std::function<void()>& done) {
    proceed_ = nullptr;
    if (step_) step_->disarm();
    run_.reset();
    if (!started_) {
        timer_ = loop_.timer(done);
        return timer_->arm({});
    }
    const base::Time deadline = loop_.now() + budget;
    timer_ = loop_.timer([this, done] {
        run_->warn_of_rest("bootkey ends");
        run_.reset();
        done();
    });
    timer_->arm(budget);
    run_ = std::make_unique<HookRun>(
        loop_, log_, settings_, "stop", find_hooks(settings_.directory, geteuid() == 0, log_),
        [this, deadline](std::size_t left) {
            const base::Duration rest = std::max(deadline - loop_.now(), base::Duration::zero());
            return std::min(settings_.delay, rest / static_cast<base::Duration::rep>(left));
        },
        [this, done] {
            timer_->disarm();
            done();
        });
}

}  // namespace bootkey::network
