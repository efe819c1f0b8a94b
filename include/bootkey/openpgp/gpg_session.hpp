// SPDX-License-Identifier: GPL-3.0-or-later
//
// GPGME operations one after the other, for the modes of the program that a person waits for: each runs to its end,
// unless a signal or its time limit ends it. Owns the event loop, the GPGME context and, unless the keyring is a
// person's own, a temporary home and its agent. Private to the room.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/held_signals.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/openpgp/gpg_agent.hpp"
#include "bootkey/openpgp/gpg_context.hpp"
#include "bootkey/openpgp/temporary_gpg_home.hpp"

namespace bootkey::openpgp {

class GpgSession {
public:
    /// Whether operations need secret keys, and so an agent.
    enum class Agent { none, started };

    /// `signals` are those that end operations; `passphrase` is what gpg gets when it asks for one (null: it must not
    /// ask). Both are borrowed and outlive the session. Errors: unavailable (no gpg, no file system in RAM),
    /// cannot_create.
    [[nodiscard]] static base::Result<std::unique_ptr<GpgSession>> open(const base::HeldSignals& signals, Agent agent,
                                                                        const base::Secret* passphrase = nullptr);
    /// A session with a person's own keyring and agent, which may ask that person for passphrases. `variables` are
    /// their environment, as of GpgContext::create_for(). There is nothing to put back, so signals are not looked at.
    /// Error: unavailable (no gpg).
    [[nodiscard]] static base::Result<std::unique_ptr<GpgSession>> open_keyring(std::vector<std::string> variables);
    ~GpgSession() = default;
    GpgSession(const GpgSession&) = delete;
    GpgSession& operator=(const GpgSession&) = delete;

    /// Runs one operation; returns when it has ended. `tried` says what it is for. Errors: unavailable (gpg refused,
    /// took longer than ten minutes, or a signal came); after a signal the session is of no use any more.
    [[nodiscard]] base::Result<void> perform(const std::string& tried, const GpgContext::Start& start);
    /// See GpgContext::find_key().
    [[nodiscard]] gpgme_error_t find_key(const std::string& pattern, bool secret, KeyHandle& key) const {
        return context_->find_key(pattern, secret, key);
    }
    /// For reading results. Not after an error.
    [[nodiscard]] gpgme_ctx_t handle() const { return context_->handle(); }

private:
    GpgSession(const base::HeldSignals* signals, const base::Secret* passphrase)
        : signals_(signals), passphrase_(passphrase) {}
    base::Result<void> prepare(Agent agent);
    base::Result<void> prepare_keyring(std::vector<std::string> variables);
    static gpgme_error_t give_passphrase(void* self, const char* hint, const char* info, int previous_was_bad,
                                         int fd) noexcept;

    const base::HeldSignals* signals_;  // none: they end the program
    const base::Secret* passphrase_;
    // In this order: gpg goes first, then its agent, then their home.
    std::unique_ptr<base::EventLoop> loop_;
    std::unique_ptr<TemporaryGpgHome> home_;
    std::optional<GpgAgent> agent_;
    std::unique_ptr<GpgContext> context_;
};

}  // namespace bootkey::openpgp
