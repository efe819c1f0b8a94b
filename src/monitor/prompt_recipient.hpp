// SPDX-License-Identifier: GPL-3.0-or-later
//
// Standard output, with cryptsetup's askpass beside the network: what a person types and what a server sends are worth
// the same, and the first of them is written. What a server sent in an earlier run for the same device was wrong, and
// does not count.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "bootkey/console/askpass.hpp"
#include "bootkey/console/given_passwords.hpp"
#include "bootkey/console/password_sink.hpp"
#include "bootkey/monitor/recipient.hpp"

namespace bootkey::monitor {

class PromptRecipient final : public Recipient {
public:
    PromptRecipient(base::Loop& loop, const base::Log& log, const options::Options& options, base::UniqueFd output,
                    Listener listener);

    base::Result<void> start() override;
    void take(AnswerNumber answer, base::Secret password, const PasswordSource& source) override;
    bool asks_person() const override { return asking_; }
    bool wants_answers() const override;
    void stop(std::function<void()> then) override;

private:
    void ask();
    void read_given();
    void on_askpass_ended(std::optional<base::Secret> answer);
    void write(base::Secret password, std::optional<AnswerNumber> answer, const std::string& whose);
    void finish_when_done();
    [[nodiscard]] bool was_given_before(const base::Secret& password) const;
    [[nodiscard]] bool has_sent_wrong_ones(const PasswordSource& source) const;
    void remember(const base::Secret& password, const std::string& host);
    void decide_for(AnswerNumber answer, base::Secret password, const PasswordSource& source);

    struct Waiting {
        AnswerNumber answer = 0;
        base::Secret password;
        PasswordSource source;
    };

    base::Loop& loop_;
    const base::Log& log_;
    const options::Options& options_;
    Listener listener_;
    console::PasswordSink sink_;
    std::optional<console::GivenPasswords> given_;
    bool asking_ = false;   // a person, now or in a moment
    bool decided_ = false;  // the first answer has come
    bool told_ = false;     // that a wrong password came again
    int asked_again_ = 0;
    std::optional<base::Result<void>> written_;
    std::unique_ptr<base::Timer> again_;
    std::optional<Waiting> waiting_;  // of a host that has sent wrong ones, until
    std::unique_ptr<base::Timer> others_;
    std::unique_ptr<console::Askpass> askpass_;
};

}  // namespace bootkey::monitor
