// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/answer_queue.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::monitor {
namespace {

using base::escaped;
using base::format;

constexpr std::size_t max_blamed_hosts = 1024;
constexpr std::size_t max_shown_reason = 1024;  // bytes
constexpr unsigned max_doublings = 4;           // of the patience, which is longer than the decryptor's own limit then

}  // namespace

void AnswerQueue::add(Answer answer, base::Time now) {
    const timeline::AttemptKey key = timeline_.key(answer.attempt);
    const Host host{answer.host, answer.interface};
    bytes_ += answer.message.size();
    waiting_.push_back({.answer = std::move(answer), .key = key, .host = host, .arrival = ++arrivals_});
    decrypt_next(now);
    hurry();
    drop_surplus(now);
}

void AnswerQueue::drop_surplus(base::Time now) {
    while (waiting_.size() > max_answers || bytes_ > max_answer_bytes) {
        const auto last = std::ranges::max_element(
            waiting_, [this](const Pending& one, const Pending& other) { return comes_before(one, other); });
        const timeline::AttemptKey key = last->key;
        bytes_ -= last->answer.message.size();
        waiting_.erase(last);
        reject(key, "too many other answers are waiting to be decrypted", now);
    }
}

// Whoever is on the network can take any number of addresses: so among hosts that are not known to be wrong the
// smaller answer comes first, which is what a password server sends.
bool AnswerQueue::comes_before(const Pending& one, const Pending& other) const {
    const auto rank = [this](const Pending& pending) {
        const Answer& answer = pending.answer;
        return std::tuple(!answer.is_configured, blamed(pending.host), answer.recipients > 1, answer.message.size(),
                          pending.arrival);
    };
    return rank(one) < rank(other);
}

void AnswerQueue::decryptor_ready(base::Time now) {
    decryptor_is_there_ = true;
    decrypt_next(now);
}

void AnswerQueue::decryptor_lost(base::Time now) {
    decryptor_is_there_ = false;
    if (!current_) return;
    if (std::exchange(current_->decryptor_was_lost, true))
        judge("the decryptor ended while it was at work", now);
    else
        wait_again(now);
}

void AnswerQueue::interrupted(base::Time now) {
    if (!current_) return;
    log_.info(3, "the answer of " + escaped(current_->answer.server) + " takes long: others come first");
    ++current_->interruptions;
    wait_again(now);
}

void AnswerQueue::wait_again(base::Time now) {
    blame(current_->host);
    bytes_ += current_->answer.message.size();
    waiting_.push_back(take_current());
    drop_surplus(now);
    decrypt_next(now);
}

void AnswerQueue::decrypt_next(base::Time now) {
    if (waiting_.empty() || current_ || !decryptor_is_there_ || stopped_) return;
    const auto first = std::ranges::min_element(
        waiting_, [this](const Pending& one, const Pending& other) { return comes_before(one, other); });
    current_ = std::move(*first);
    waiting_.erase(first);
    const Answer& answer = current_->answer;
    bytes_ -= answer.message.size();
    hurried_ = false;
    timeline_.decrypting(current_->key, answer.server, now);
    log_.info(
        3, format("decrypting the %zu bytes that %s answered", answer.message.size(), escaped(answer.server).c_str()));
    outlets_.decrypt(answer.message, first_patience * (1 << std::min(current_->interruptions, max_doublings)));
    hurry();
}

void AnswerQueue::hurry() {
    if (!current_ || hurried_) return;
    const auto is_of_another = [this](const Pending& pending) { return pending.host != current_->host; };
    hurried_ = std::ranges::any_of(waiting_, is_of_another);
    if (hurried_) outlets_.hurry();
}

AnswerQueue::Pending AnswerQueue::take_current() {
    Pending taken = std::move(*current_);
    current_.reset();
    return taken;
}

// The recipient may want another one, so the next is decrypted meanwhile.
void AnswerQueue::decrypted(base::Secret password, base::Time now) {
    if (!current_) return;
    if (password.empty()) return judge("it holds no password", now);
    if (!may_hand_over()) return judge("too many other passwords have been handed over", now);
    const Pending done = take_current();
    log_.info(3, format("the answer of %s is decrypted", escaped(done.answer.server).c_str()));
    timeline_.decrypted(done.key, now);
    const base::Endpoint host{done.host.address, 0, done.host.interface};
    handed_over_.emplace(++last_number_,
                         HandedOver{done.key, done.host, {done.answer.server, host.text(), done.answer.is_configured}});
    outlets_.hand_over(last_number_, std::move(password), done.answer.server);
    decrypt_next(now);
}

// Those of workers that have ended are followed for the timeline alone.
bool AnswerQueue::may_hand_over() {
    if (handed_over_.size() >= max_answers)
        std::erase_if(handed_over_,
                      [this](const auto& entry) { return !timeline_.is_of_worker_of_now(entry.second.key); });
    return handed_over_.size() < max_answers;
}

void AnswerQueue::not_decrypted(const std::string& why, base::Time now) {
    judge(why, now);
}

// The answer that was being decrypted is not the password.
void AnswerQueue::judge(const std::string& why, base::Time now) {
    if (!current_) return;
    blame(current_->host);
    reject(take_current().key, why, now);
    decrypt_next(now);
}

void AnswerQueue::refused(AnswerNumber answer, const std::string& why, base::Time now) {
    const auto handed_over = handed_over_.extract(answer);
    if (handed_over.empty()) return;
    blame(handed_over.mapped().host);
    reject(handed_over.mapped().key, why, now);
}

void AnswerQueue::blame(const Host& host) {
    if (blamed_.size() >= max_blamed_hosts && !blamed_.contains(host)) blamed_.erase(blamed_.begin());
    ++blamed_[host];
}

unsigned AnswerQueue::blamed(const Host& host) const {
    const auto found = blamed_.find(host);
    return found == blamed_.end() ? 0 : found->second;
}

// It may be refused yet: the device says so by asking again.
std::optional<timeline::AttemptKey> AnswerQueue::delivered(AnswerNumber answer) {
    const auto handed_over = handed_over_.find(answer);
    if (handed_over == handed_over_.end()) return std::nullopt;
    timeline_.delivered(handed_over->second.key);
    return handed_over->second.key;
}

PasswordSource AnswerQueue::source(AnswerNumber answer) const {
    const auto handed_over = handed_over_.find(answer);
    return handed_over == handed_over_.end() ? PasswordSource{} : handed_over->second.source;
}

void AnswerQueue::reject(const timeline::AttemptKey& key, const std::string& why, base::Time now) {
    log_.info(4, "an answer is rejected: " + base::printable(why, max_shown_reason));
    timeline_.rejected(key, why, now);
    outlets_.rejected(key, why);
}

void AnswerQueue::clear() {
    waiting_.clear();
    current_.reset();
    bytes_ = 0;
    decryptor_is_there_ = hurried_ = stopped_ = false;
    handed_over_.clear();
    blamed_.clear();
}

}  // namespace bootkey::monitor
