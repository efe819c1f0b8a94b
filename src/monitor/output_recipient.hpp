// SPDX-License-Identifier: GPL-3.0-or-later
//
// Standard output: the first answer is the password, and the program ends when all of it is written.
#pragma once

#include <string>
#include <utility>

#include "bootkey/base/text.hpp"
#include "bootkey/console/password_sink.hpp"
#include "bootkey/monitor/recipient.hpp"

namespace bootkey::monitor {

/// The reader of standard output went away before there was a password.
[[nodiscard]] inline base::Error reader_gone() {
    return {base::ExitCode::temporary, "cannot hand over a password", "the reader of standard output went away",
            "start bootkey from what reads the password"};
}

class OutputRecipient final : public Recipient {
public:
    OutputRecipient(base::Loop& loop, const base::Log& log, base::UniqueFd output, Listener listener)
        : log_(log),
          listener_(std::move(listener)),
          sink_(loop, std::move(output), [this] { listener_.over(reader_gone()); }) {}

    base::Result<void> start() override { return {}; }
    void take(AnswerNumber answer, base::Secret password, const PasswordSource& source) override {
        if (std::exchange(taken_, true)) return;
        listener_.accepted();
        sink_.write(std::move(password), [this, answer, server = source.server](const base::Result<void>& written) {
            if (written) {
                log_.info(2, "the password from " + base::escaped(server) + " was written to standard output");
                listener_.delivered(answer);
            }
            listener_.over(written);
        });
    }
    void stop(std::function<void()> then) override {
        sink_.stop();
        then();
    }

private:
    const base::Log& log_;
    Listener listener_;
    console::PasswordSink sink_;
    bool taken_ = false;
};

}  // namespace bootkey::monitor
