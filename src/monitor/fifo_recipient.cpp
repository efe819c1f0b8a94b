// SPDX-License-Identifier: GPL-3.0-or-later
#include "fifo_recipient.hpp"

#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::monitor {

using base::escaped;
using base::format;

FifoRecipient::FifoRecipient(base::Loop& loop, const base::Log& log, std::string path, Listener listener)
    : loop_(loop), log_(log), path_(std::move(path)), listener_(std::move(listener)) {
}

base::Result<void> FifoRecipient::start() {
    auto known = console::KnownPasswords::create();
    if (!known) return std::move(known).error();
    known_.emplace(std::move(*known));
    auto watch = console::AskpassWatch::create(loop_, log_, path_,
                                               {.waits = [this](const console::Prompt& prompt) { on_waiting(prompt); },
                                                .gone = [this](console::ProcessNumber process) { on_gone(process); },
                                                .changed = [this] { act(); }});
    if (!watch) return std::move(watch).error();
    watch_ = std::move(*watch);
    return {};
}

void FifoRecipient::take(AnswerNumber answer, base::Secret password, const PasswordSource& source) {
    const auto number = known_->number_of(password.bytes());
    if (!number) return listener_.refused(answer, number.error().message());
    offers_.answered(answer, *number, {source.host, source.host.empty() || source.is_configured});
    kept_.try_emplace(*number, Kept{std::move(password), answer, source.server});
    act();
}

void FifoRecipient::stop(std::function<void()> then) {
    stopped_ = true;
    watch_.reset();
    writer_.reset();
    kept_.clear();
    then();
}

void FifoRecipient::act() {
    if (stopped_) return;
    for (const auto& action : offers_.decide()) std::visit([this](const auto& one) { on(one); }, action);
    std::erase_if(kept_, [this](const auto& entry) { return !offers_.keeps(entry.first); });
}

void FifoRecipient::on(const console::Offer& offer) {
    const auto fifo = console::find_fifo(path_);
    if (fifo && *fifo && console::others_write(**fifo)) return leave_to_others();
    const Kept& kept = kept_.at(offer.password);
    log_.info(2, format("offering the password from %s to %s", escaped(kept.server).c_str(),
                        console::name_of_device(offer.device).c_str()));
    auto writer = console::FifoWriter::start(loop_, path_, kept.password.bytes(),
                                             [this, offer](bool read) { on_written(offer, read); });
    if (!writer) {
        log_.info(2, writer.error().message());
        return offers_.postponed();
    }
    if (!*writer) return leave_to_others();
    reader_ = offer.process;
    writer_ = std::move(*writer);
}

// Their closing of the FIFO ends askpass, however little they have written. A moment passes between that and its
// reading of the end, in which ours would be added to theirs: so it gets nothing from us, also when they are gone.
void FifoRecipient::leave_to_others() {
    log_.info(2, "somebody else is writing to " + escaped(path_) + "; the password waits for the next prompt");
    offers_.not_taken();
}

void FifoRecipient::on(const console::Refuse& refusal) {
    listener_.refused(refusal.answer, refusal.why);
}

void FifoRecipient::on_waiting(const console::Prompt& prompt) {
    if (!prompt.foreign_keyscript.empty()) {
        log_.info(2,
                  format("askpass (process %lld) waits for what keyscript %s of %s asks for, which is not the disk's "
                         "own password (a key file's, or a card's PIN): that is left to a person",
                         static_cast<long long>(prompt.process), escaped(prompt.foreign_keyscript).c_str(),
                         console::name_of_device(prompt.device).c_str()));
        return offers_.waits(prompt);
    }
    const std::string tries = prompt.tries > 0 ? format(" of %u", prompt.tries) : std::string();
    log_.info(2, format("askpass (process %lld) waits for the password of %s%s", static_cast<long long>(prompt.process),
                        console::name_of_device(prompt.device).c_str(),
                        prompt.device.empty() ? "" : format(", try %u%s", prompt.tried + 1, tries.c_str()).c_str()));
    if (prompt.is_last_try())
        log_.info(2, "the last try for " + console::name_of_device(prompt.device) + " is the person's");
    offers_.waits(prompt);
}

void FifoRecipient::on_gone(console::ProcessNumber process) {
    if (reader_ == process) {
        log_.info(2, "askpass ended before it had read the whole password; the next one gets it");
        writer_.reset();
        reader_.reset();
        offers_.not_taken();
    }
    offers_.gone(process);
}

void FifoRecipient::on_written(const console::Offer& offer, bool read) {
    if (!read) return on_gone(offer.process), act();
    const Kept& given = kept_.at(offer.password);
    log_.info(2, format("the password from %s was given to the prompt for %s", escaped(given.server).c_str(),
                        console::name_of_device(offer.device).c_str()));
    listener_.delivered(given.answer);
    writer_.reset();
    reader_.reset();
    offers_.taken();
    act();
}

}  // namespace bootkey::monitor
