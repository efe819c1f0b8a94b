// SPDX-License-Identifier: GPL-3.0-or-later
//
// The way of servers' answers through the monitor: they wait to be decrypted one at a time, and what is made of each is
// followed until the recipient has judged it. The timeline is told of every step.
//
// Anybody on the network may send answers, and decrypting costs time. So they are not decrypted in the order in which
// they come, but fairly by the host that sent them: configured servers before announced ones; then hosts of which
// nothing wrong has come yet; then the answer that looks like less work. One that takes long makes way for others.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
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
#include "bootkey/timeline/timeline_keeper.hpp"

namespace bootkey::monitor {

class AnswerQueue {
public:
    struct Outlets {
        /// Has the decryptor decrypt this; decrypted(), not_decrypted() or interrupted() is called later. `patience`:
        /// after that it may be interrupted, if hurry() is called.
        std::function<void(const std::vector<std::byte>& message, base::Duration patience)> decrypt;
        /// Tells the decryptor that answers of other hosts wait.
        std::function<void()> hurry;
        /// Gives a password to the recipient.
        std::function<void(AnswerNumber answer, base::Secret password, const std::string& server)> hand_over;
        /// Told that the answer of an attempt is not the password.
        std::function<void(const timeline::AttemptKey& attempt, const std::string& why)> rejected;
    };

    /// Answers that wait, and their bytes. Where there are more, the one goes whose turn would come last.
    static constexpr std::size_t max_answers = 256;  // as many as may wait at servers
    static constexpr std::size_t max_answer_bytes = 4 * 1024 * 1024;
    /// Patience with an answer; it doubles each time that one is interrupted, for this machine may be slow.
    static constexpr base::Duration first_patience = std::chrono::seconds(2);

    /// All references must outlive the object.
    AnswerQueue(const base::Log& log, timeline::TimelineKeeper& timeline, Outlets outlets)
        : log_(log), timeline_(timeline), outlets_(std::move(outlets)) {}

    /// An answer of the worker of now. If there are too many, it or another is rejected.
    void add(Answer answer, base::Time now);
    /// The decryptor is there, and idle.
    void decryptor_ready(base::Time now);
    /// What the decryptor has made of the answer that it was given last. Ignored if it was given none.
    void decrypted(base::Secret password, base::Time now);
    void not_decrypted(const std::string& why, base::Time now);
    /// It took too long while others waited: it is decrypted again, when its turn comes.
    void interrupted(base::Time now);
    /// The decryptor has ended. What it was at work on is tried once more: it may have ended of something else.
    void decryptor_lost(base::Time now);

    /// The recipient says that the answer is not the password, or that what it brought has gone where it was wanted.
    void refused(AnswerNumber answer, const std::string& why, base::Time now);
    /// Returns whose it was; nothing if a person's.
    std::optional<timeline::AttemptKey> delivered(AnswerNumber answer);
    /// Where an answer that was handed over comes from; nowhere in particular if that is not known any more.
    [[nodiscard]] PasswordSource source(AnswerNumber answer) const;
    /// A number for what a person has typed.
    [[nodiscard]] AnswerNumber number_for_person() { return ++last_number_; }
    /// Nothing more is to be decrypted, for the password is found.
    void stop() { stopped_ = true; }
    /// All is forgotten; a fresh start.
    void clear();

private:
    struct Host {
        base::IpAddress address;
        std::uint32_t interface = 0;
        friend auto operator<=>(const Host&, const Host&) = default;
    };
    struct Pending {
        Answer answer;
        timeline::AttemptKey key;
        Host host;
        std::uint64_t arrival = 0;
        unsigned interruptions = 0;
        bool decryptor_was_lost = false;
    };
    struct HandedOver {
        timeline::AttemptKey key;
        Host host;
        PasswordSource source;
    };
    void decrypt_next(base::Time now);
    void hurry();
    void drop_surplus(base::Time now);
    [[nodiscard]] bool comes_before(const Pending& one, const Pending& other) const;
    [[nodiscard]] Pending take_current();
    void wait_again(base::Time now);
    void judge(const std::string& why, base::Time now);
    void reject(const timeline::AttemptKey& key, const std::string& why, base::Time now);
    void blame(const Host& host);
    [[nodiscard]] unsigned blamed(const Host& host) const;
    [[nodiscard]] bool may_hand_over();

    const base::Log& log_;
    timeline::TimelineKeeper& timeline_;
    Outlets outlets_;
    std::vector<Pending> waiting_;
    std::optional<Pending> current_;  // is being decrypted
    std::size_t bytes_ = 0;           // of all that wait
    bool decryptor_is_there_ = false;
    bool hurried_ = false;  // the decryptor was told that others wait
    bool stopped_ = false;
    std::uint64_t arrivals_ = 0;
    AnswerNumber last_number_ = 0;
    std::map<AnswerNumber, HandedOver> handed_over_;
    std::map<Host, unsigned> blamed_;  // how often something wrong came, or something that took too long
};

}  // namespace bootkey::monitor
