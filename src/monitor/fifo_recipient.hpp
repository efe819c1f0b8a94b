// SPDX-License-Identifier: GPL-3.0-or-later
//
// Every askpass that comes to wait at cryptsetup's FIFO, until the program is told to end. A password stays in memory
// until the device that asks has refused it, for the next device may want it, too; the prompts are not ours and stay
// what they are.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "bootkey/console/askpass_offers.hpp"
#include "bootkey/console/askpass_watch.hpp"
#include "bootkey/console/fifo_writer.hpp"
#include "bootkey/console/known_passwords.hpp"
#include "bootkey/monitor/recipient.hpp"

namespace bootkey::monitor {

class FifoRecipient final : public Recipient {
public:
    FifoRecipient(base::Loop& loop, const base::Log& log, std::string path, Listener listener);

    base::Result<void> start() override;
    void take(AnswerNumber answer, base::Secret password, const PasswordSource& source) override;
    void stop(std::function<void()> then) override;

private:
    struct Kept {
        base::Secret password;
        AnswerNumber answer;  // that brought it first
        std::string server;   // from there
    };

    void act();
    void on(const console::Offer& offer);
    void on(const console::Refuse& refusal);
    void leave_to_others();
    void on_waiting(const console::Prompt& prompt);
    void on_gone(console::ProcessNumber process);
    void on_written(const console::Offer& offer, bool read);

    base::Loop& loop_;
    const base::Log& log_;
    std::string path_;
    Listener listener_;
    std::optional<console::KnownPasswords> known_;
    std::map<console::PasswordNumber, Kept> kept_;
    console::AskpassOffers offers_;
    std::unique_ptr<console::AskpassWatch> watch_;
    std::optional<console::ProcessNumber> reader_;  // of what is being written
    std::unique_ptr<console::FifoWriter> writer_;
    bool stopped_ = false;
};

}  // namespace bootkey::monitor
