// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/answer_queue.hpp"

#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::monitor {
namespace {

using base::escaped;
using base::format;

// As many as may wait at servers, most of which are far shorter than they may be.
constexpr std::size_t most_answers = 256;
constexpr std::size_t most_answer_bytes = 4 * 1024 * 1024;

}  // namespace

void AnswerQueue::add(Answer answer, base::Time now) {
    const AttemptKey key = timeline_.key(answer.attempt);
    if (waiting_.size() >= most_answers || bytes_ + answer.message.size() > most_answer_bytes)
        return reject(key, "too many other answers are waiting to be decrypted", now);
    bytes_ += answer.message.size();
    waiting_.push_back({std::move(answer), key});
    if (waiting_.size() == 1) decrypt_next(now);
}

void AnswerQueue::decryptor_ready(base::Time now) {
    decryptor_is_there_ = true;
    decrypt_next(now);
}

void AnswerQueue::decryptor_lost(base::Time now) {
    decryptor_is_there_ = false;
    judge("the decryptor ended while it was at work", now);
}

void AnswerQueue::decrypt_next(base::Time now) {
    if (waiting_.empty() || !decryptor_is_there_ || stopped_) return;
    const Pending& next = waiting_.front();
    timeline_.decrypting(next.key, next.answer.server, now);
    log_.info(3, format("decrypting the %zu bytes that %s answered", next.answer.message.size(),
                        escaped(next.answer.server).c_str()));
    outlets_.decrypt(next.answer.message);
}

AnswerQueue::Pending AnswerQueue::take_first() {
    Pending first = std::move(waiting_.front());
    waiting_.pop_front();
    bytes_ -= first.answer.message.size();
    return first;
}

// The recipient may want another one, so the next is decrypted meanwhile.
void AnswerQueue::decrypted(base::Secret password, base::Time now) {
    if (waiting_.empty()) return;
    if (password.empty()) return judge("it holds no password", now);
    if (!may_hand_over()) return judge("too many other passwords have been handed over", now);
    const Pending first = take_first();
    log_.info(3, format("the answer of %s is decrypted", escaped(first.answer.server).c_str()));
    timeline_.decrypted(first.key, now);
    handed_over_.emplace(++last_number_, first.key);
    outlets_.hand_over(last_number_, std::move(password), first.answer.server);
    decrypt_next(now);
}

// Those of workers that have ended are followed for the timeline alone.
bool AnswerQueue::may_hand_over() {
    if (handed_over_.size() >= most_answers)
        std::erase_if(handed_over_, [this](const auto& entry) { return !timeline_.is_of_worker_of_now(entry.second); });
    return handed_over_.size() < most_answers;
}

void AnswerQueue::not_decrypted(const std::string& why, base::Time now) {
    judge(why, now);
}

// The answer that was being decrypted is not the password.
void AnswerQueue::judge(const std::string& why, base::Time now) {
    if (waiting_.empty()) return;
    reject(take_first().key, why, now);
    decrypt_next(now);
}

void AnswerQueue::refused(AnswerNumber answer, const std::string& why, base::Time now) {
    const auto handed_over = handed_over_.extract(answer);
    if (!handed_over.empty()) reject(handed_over.mapped(), why, now);
}

// It may be refused yet: the device says so by asking again.
std::optional<AttemptKey> AnswerQueue::delivered(AnswerNumber answer) {
    const auto handed_over = handed_over_.find(answer);
    if (handed_over == handed_over_.end()) return std::nullopt;
    timeline_.delivered(handed_over->second);
    return handed_over->second;
}

void AnswerQueue::reject(const AttemptKey& key, const std::string& why, base::Time now) {
    timeline_.rejected(key, why, now);
    outlets_.rejected(key, why);
}

void AnswerQueue::clear() {
    waiting_.clear();
    bytes_ = 0;
    decryptor_is_there_ = stopped_ = false;
    handed_over_.clear();
}

}  // namespace bootkey::monitor
