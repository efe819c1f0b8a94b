// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who gets the password. The monitor hands over each decrypted answer; the recipient judges it and says when the
// program may end. There is one for each way of being started: standard output alone, standard output with a prompt
// beside (--prompt), and the FIFO of cryptsetup's askpass (--askpass-fifo).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::monitor {

/// A decrypted answer, as the monitor counts them.
using AnswerNumber = std::uint64_t;

/// Where a password comes from.
struct PasswordSource {
    std::string server;          ///< as the network says
    std::string host;            ///< that sent it, by its address; empty: a person has typed it
    bool is_configured = false;  ///< a person has named the server; else it was announced
};

class Recipient {
public:
    /// Called from the loop.
    struct Listener {
        /// The password is found: no further answer is wanted.
        std::function<void()> accepted;
        /// The answer is not the password, because of `why`.
        std::function<void(AnswerNumber answer, const std::string& why)> refused;
        /// What the answer brought, or, if there is none, a person has typed, has gone where it was wanted.
        std::function<void(std::optional<AnswerNumber> answer)> delivered;
        /// The program is to end: successfully, or with this error, which is to be said.
        std::function<void(const base::Result<void>& how)> over;
        /// Nobody is being asked any more. Whether a person is to be asked again, since an answer may still come from
        /// elsewhere.
        std::function<bool()> deserted;
    };

    virtual ~Recipient() = default;
    /// Begins; before anything else of an unlock. What keeps a person from being asked is said and no error. Errors:
    /// the program cannot do what it was started for.
    [[nodiscard]] virtual base::Result<void> start() = 0;
    /// A server's answer, or what a person has typed elsewhere.
    virtual void take(AnswerNumber answer, base::Secret password, const PasswordSource& source) = 0;
    /// Whether a person is being asked, so that the program does not end because of what has failed.
    [[nodiscard]] virtual bool asks_person() const { return false; }
    /// Whether answers of servers are of use.
    [[nodiscard]] virtual bool wants_answers() const { return true; }
    /// Ends: nothing more is written and passwords are wiped; then calls `then`, perhaps at once, and usually within a
    /// second.
    virtual void stop(std::function<void()> then) = 0;
};

/// The recipient that the options ask for. All references must outlive it. `output`: standard output; taken over.
[[nodiscard]] std::unique_ptr<Recipient> make_recipient(base::Loop& loop, const base::Log& log,
                                                        const options::Options& options, base::UniqueFd output,
                                                        Recipient::Listener listener);

}  // namespace bootkey::monitor
