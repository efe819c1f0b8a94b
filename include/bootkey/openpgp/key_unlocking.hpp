// SPDX-License-Identifier: GPL-3.0-or-later
//
// A passphrase for the machine's secret key, tried without a server's answer: gpg gets a message that makes it use the
// key (test_message()), first with the passphrase, then without. If it does not ask any more, the passphrase was right,
// and gpg-agent has it for as long as it lives. Through gpg a passphrase goes for this test alone, never for what a
// server has sent. Private to the room.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/openpgp/gpg_context.hpp"
#include "bootkey/openpgp/gpgme_handles.hpp"

namespace bootkey::openpgp {

class KeyUnlocking {
public:
    /// Told whether the key can be used now without being asked for a passphrase. Errors (unavailable): gpg could not
    /// try.
    using Done = std::function<void(base::Result<bool>)>;

    /// `context`: with an agent that keeps passphrases. It must outlive the calls of this object, but not the object.
    KeyUnlocking(GpgContext& context, std::vector<std::byte> test_message);
    KeyUnlocking(const KeyUnlocking&) = delete;
    KeyUnlocking& operator=(const KeyUnlocking&) = delete;

    /// Tries a passphrase, and wipes it. Only while the context is not busy, which it is until `done` is called.
    void unlock(base::Secret passphrase, Done done);
    /// Tries without one; as above.
    void check(Done done);

    /// Whether gpg has asked for a passphrase, which it did not get, since forget(): in other operations of the
    /// context.
    [[nodiscard]] bool was_asked() const { return asked_; }
    void forget() { asked_ = false; }

    /// Whether it may be one: gpg and its agent take neither more bytes nor an empty one, and a line at most.
    [[nodiscard]] static bool is_possible(const base::Secret& passphrase);

private:
    void run(std::function<void(gpgme_error_t)> then);
    static gpgme_error_t give(void* self, const char* hint, const char* info, int previous_was_bad, int fd) noexcept;

    GpgContext& context_;
    std::vector<std::byte> test_message_;
    std::optional<base::Secret> passphrase_;  // only while it may be asked for
    bool asked_ = false;
    DataHandle input_, output_;
};

}  // namespace bootkey::openpgp
