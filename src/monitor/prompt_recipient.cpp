// SPDX-License-Identifier: GPL-3.0-or-later
#include "prompt_recipient.hpp"

#include <utility>
#include <vector>

#include "bootkey/base/text.hpp"
#include "bootkey/changes/home_directory.hpp"
#include "bootkey/console/askpass_offers.hpp"
#include "bootkey/monitor/supervised_process.hpp"
#include "output_recipient.hpp"

namespace bootkey::monitor {
namespace {

using base::escaped;

// Whoever has the machine's public key can send wrong passwords, and each costs one of few tries: so after one the next
// comes from another host, if that answers so soon.
constexpr base::Duration patience_with_others = std::chrono::seconds(5);

console::Prompt prompt_of(const options::Options& options) {
    return {.process = 0, .device = options.mapping, .tried = options.tried, .tries = options.tries};
}

// What cryptroot sets for askpass, by which cryptroot-unlock(8) and others know what it asks for.
std::vector<std::string> askpass_environment(const options::Options& options) {
    std::vector<std::string> variables = {base::format("CRYPTTAB_TRIED=%u", options.tried),
                                          base::format("CRYPTTAB_OPTION_tries=%u", options.tries)};
    if (!options.mapping.empty()) variables.push_back("CRYPTTAB_NAME=" + options.mapping);
    return variables;
}

}  // namespace

PromptRecipient::PromptRecipient(base::Loop& loop, const base::Log& log, const options::Options& options,
                                 base::UniqueFd output, Listener listener)
    : loop_(loop),
      log_(log),
      options_(options),
      listener_(std::move(listener)),
      sink_(loop, std::move(output), [this] { listener_.over(reader_gone()); }),
      again_(loop.timer([this] { ask(); })),
      others_(loop.timer([this] {
          if (decided_ || !waiting_) return;
          Waiting first = *std::exchange(waiting_, std::nullopt);
          decide_for(first.answer, std::move(first.password), first.source);
      })) {
}

base::Result<void> PromptRecipient::start() {
    ask();
    read_given();
    const std::string device = console::name_of_device(options_.mapping);
    if (!wants_answers())
        log_.warning("the last try for " + device + " is yours: no password server is asked");
    else if (given_ && given_->any())
        log_.warning("the password that a server sent did not open " + device + ": only another one counts now");
    return {};
}

// Where files do not stay in memory, digests of passwords do not belong.
void PromptRecipient::read_given() {
    if (!changes::is_in_memory("/run"))
        return log_.error(
            "cannot remember passwords that do not open a device: /run is not in memory; mount a tmpfs there");
    // With one try only, every run is the first, and nobody can tell a new device from one that has just refused a
    // password.
    const bool begins = options_.tried == 0 && options_.tries != 1;
    auto given = console::GivenPasswords::open(console::given_passwords_file, options_.mapping, begins);
    if (given)
        given_.emplace(std::move(*given));
    else
        log_.error(given.error().message());
}

bool PromptRecipient::wants_answers() const {
    return !asking_ || !prompt_of(options_).is_last_try();
}

// A person who cannot be asked, since the program is missing, is no reason not to ask the servers.
void PromptRecipient::ask() {
    auto askpass =
        console::Askpass::start(loop_, log_, *options_.prompt, askpass_environment(options_),
                                [this](std::optional<base::Secret> answer) { on_askpass_ended(std::move(answer)); });
    asking_ = askpass.ok();
    if (askpass) {
        askpass_ = std::move(*askpass);
    } else {
        log_.error(askpass.error().message());
        (void)listener_.deserted();
    }
}

void PromptRecipient::on_askpass_ended(std::optional<base::Secret> answer) {
    askpass_.reset();
    if (answer) {
        asking_ = false;
        decided_ = true;
        listener_.accepted();
        return write(std::move(*answer), {}, "the person");
    }
    asking_ = listener_.deserted();
    if (asking_) again_->arm(SupervisedProcess::restart_pause(++asked_again_));
}

void PromptRecipient::take(AnswerNumber answer, base::Secret password, const PasswordSource& source) {
    if (decided_) return;
    const std::string& server = source.server;
    if (was_given_before(password)) {
        if (!std::exchange(told_, true))
            log_.warning("the password from " + escaped(server) + " is one that did not open " +
                         console::name_of_device(options_.mapping) + " before; another one is waited for");
        return listener_.refused(answer, "its password was the wrong one before");
    }
    if (!waiting_ && has_sent_wrong_ones(source)) {
        log_.info(1, escaped(server) + " has sent a wrong password for " + console::name_of_device(options_.mapping) +
                         " before: others are given 5 s to send theirs");
        waiting_.emplace(Waiting{answer, std::move(password), source});
        return others_->arm(patience_with_others);
    }
    if (waiting_ && has_sent_wrong_ones(source))
        return listener_.refused(answer, "its host has sent wrong passwords before");
    others_->disarm();
    if (const auto surplus = std::exchange(waiting_, std::nullopt))
        listener_.refused(surplus->answer, "its host has sent wrong passwords before");
    decide_for(answer, std::move(password), source);
}

void PromptRecipient::decide_for(AnswerNumber answer, base::Secret password, const PasswordSource& source) {
    decided_ = true;
    remember(password, source.host);
    listener_.accepted();
    write(std::move(password), answer, escaped(source.server));
    asking_ = false;
    again_->disarm();
    if (askpass_)
        askpass_->end([this] {
            askpass_.reset();
            finish_when_done();
        });
}

void PromptRecipient::write(base::Secret password, std::optional<AnswerNumber> answer, const std::string& whose) {
    sink_.write(std::move(password), [this, answer, whose](base::Result<void> written) {
        if (written) {
            log_.info(2, "the password from " + whose + " was written to standard output");
            listener_.delivered(answer);
        }
        written_.emplace(std::move(written));
        finish_when_done();
    });
}

void PromptRecipient::finish_when_done() {
    if (written_ && !askpass_) listener_.over(*written_);
}

// What cannot be told is not held against it.
bool PromptRecipient::was_given_before(const base::Secret& password) const {
    if (!given_) return false;
    const auto known = given_->contains(password);
    if (!known) log_.error(known.error().message());
    return known && *known;
}

bool PromptRecipient::has_sent_wrong_ones(const PasswordSource& source) const {
    if (!given_ || source.host.empty()) return false;
    const auto known = given_->contains_host(source.host);
    if (!known) log_.error(known.error().message());
    return known && *known;
}

void PromptRecipient::remember(const base::Secret& password, const std::string& host) {
    if (!given_) return;
    if (const auto added = given_->add(password, host); !added) log_.error(added.error().message());
}

void PromptRecipient::stop(std::function<void()> then) {
    decided_ = true;
    waiting_.reset();
    others_->disarm();
    sink_.stop();
    asking_ = false;
    again_->disarm();
    if (!askpass_) return then();
    askpass_->end([this, then = std::move(then)] {
        askpass_.reset();
        then();
    });
}

}  // namespace bootkey::monitor
