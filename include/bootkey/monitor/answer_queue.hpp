// SPDX-License-Identifier: GPL-3.0-or-later
//
// The way of servers' answers through the monitor: they wait in a line to be decrypted one at a time, and what is made
// of each is followed until the recipient has judged it. The timeline is told of every step.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/monitor/messages.hpp"
#include "bootkey/monitor/recipient.hpp"
#include "bootkey/monitor/timeline_keeper.hpp"

namespace bootkey::monitor {

class AnswerQueue {
public:
    struct Outlets {
        /// Has the decryptor decrypt this; decrypted() or not_decrypted() is called later.
        std::function<void(const std::vector<std::byte>& message)> decrypt;
        /// Gives a password to the recipient.
        std::function<void(AnswerNumber answer, base::Secret password, const std::string& server)> hand_over;
        /// Told that the answer of an attempt is not the password.
        std::function<void(const AttemptKey& attempt, const std::string& why)> rejected;
    };

    /// All references must outlive the object.
    AnswerQueue(const base::Log& log, TimelineKeeper& timeline, Outlets outlets)
        : log_(log), timeline_(timeline), outlets_(std::move(outlets)) {}

    /// An answer of the worker of now; rejected if there are too many.
    void add(Answer answer, base::Time now);
    /// The decryptor is there, and idle.
    void decryptor_ready(base::Time now);
    /// What the decryptor has made of the answer that it was given last. Ignored if it was given none.
    void decrypted(base::Secret password, base::Time now);
    void not_decrypted(const std::string& why, base::Time now);
    /// The decryptor has ended; what it was at work on is what it may have ended of.
    void decryptor_lost(base::Time now);

    /// The recipient says that the answer is not the password, or that what it brought has gone where it was wanted.
    void refused(AnswerNumber answer, const std::string& why, base::Time now);
    /// Returns whose it was; nothing if a person's.
    std::optional<AttemptKey> delivered(AnswerNumber answer);
    /// A number for what a person has typed.
    [[nodiscard]] AnswerNumber number_for_person() { return ++last_number_; }
    /// Nothing more is to be decrypted, for the password is found.
    void stop() { stopped_ = true; }
    /// All is forgotten; a fresh start.
    void clear();

private:
    struct Pending {
        Answer answer;
        AttemptKey key;
    };
    void decrypt_next(base::Time now);
    [[nodiscard]] Pending take_first();
    void judge(const std::string& why, base::Time now);
    void reject(const AttemptKey& key, const std::string& why, base::Time now);
    [[nodiscard]] bool may_hand_over();

    const base::Log& log_;
    TimelineKeeper& timeline_;
    Outlets outlets_;
    std::deque<Pending> waiting_;  // the first one is being decrypted
    std::size_t bytes_ = 0;        // of all that wait
    bool decryptor_is_there_ = false;
    bool stopped_ = false;
    AnswerNumber last_number_ = 0;
    std::map<AnswerNumber, AttemptKey> handed_over_;
};

}  // namespace bootkey::monitor
