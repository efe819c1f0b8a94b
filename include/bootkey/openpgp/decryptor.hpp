// SPDX-License-Identifier: GPL-3.0-or-later
//
// Decrypting server answers with the machine's OpenPGP key (GPGME, gpg), asynchronously on the loop, and verifying who
// has signed them, if that is demanded. Preparing (engine check, import of the keys, starting the agent) goes on while
// the network comes up; answers that arrive earlier wait for it, and for the key's passphrase if it has one. Owns the
// agent it starts and everything in its home directory.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/openpgp/packets.hpp"

namespace bootkey::openpgp {

/// A secret key that a passphrase protects.
struct ProtectedKey {
    std::string name;  ///< by which a person knows it: its user ID, which may hold any bytes, or its file
    std::vector<std::byte> test_message;  ///< see decryption_key.hpp
};

/// What decrypting needs from files that only root may read.
struct DecryptionKeys {
    base::Secret seckey;                        ///< the machine's secret key, armoured or binary
    std::string seckey_path;                    ///< what it is called in messages
    std::optional<std::vector<KeyId>> key_ids;  ///< of those in it that decrypt; nothing if they cannot be told
    std::optional<ProtectedKey> protection;     ///< none: it can be used as it is
    base::Secret
        signers;  ///< public keys, binary, of which one must have signed each answer; empty: no signature matters
    std::string signers_path;  ///< what they are called in messages
};

/// Reads and checks them. `seckey_path`: the machine's secret key, armoured or binary. `signers_path`: see
/// signer_keys.hpp; empty if no signature is demanded. Errors (no_input): unreadable or unusable.
[[nodiscard]] base::Result<DecryptionKeys> read_decryption_keys(const std::string& seckey_path,
                                                                const std::string& signers_path);

/// Why a protected key is not used when nobody gives its passphrase (no_input).
[[nodiscard]] base::Error no_passphrase(const std::string& seckey_path);

class Decryptor {
public:
    /// What it tells without being asked, from the loop; either may destroy it.
    struct Listener {
        /// Preparing has failed for good (no_input: a key is unusable; unavailable: gpg is missing or does not run).
        /// Once.
        std::function<void(base::Error)> failed;
        /// A protected key needs its passphrase: `again`, for the one given was wrong, or anew, for the agent has lost
        /// it. The first one is waited for without a call.
        std::function<void(bool again)> needs_passphrase;
    };
    /// Called back once from the loop with the plaintext (1 byte to 64 KiB) or why there is none.
    using Done = std::function<void(base::Result<base::Secret>)>;

    /// Begins to prepare. `home`: an empty directory (mode 0700) that belongs to the caller, who removes it after this
    /// object.
    [[nodiscard]] static base::Result<std::unique_ptr<Decryptor>> create(base::Loop& loop, const base::Log& log,
                                                                         DecryptionKeys keys, const std::string& home,
                                                                         Listener listener);
    /// Cancels what runs, ends the agent (its pid is gone when this returns); callbacks are dropped.
    virtual ~Decryptor() = default;

    /// Decrypts one message. Accepted only on final success: encrypted to our public key, with integrity protection,
    /// not symmetric, not literal-only, signed by one of the signers if there are any, 1 byte to 64 KiB. Several may be
    /// asked for; they are worked on in turn, each with a time limit. A message that has been worked on for `patience`
    /// is given up if others wait (see hurry()): Done gets the error `temporary` then, and the message may be asked for
    /// again. An answer is not blamed for a gpg or gpg-agent that is killed while it works on it: it is done once more.
    virtual void decrypt(std::vector<std::byte> message, base::Duration patience, Done done) = 0;
    /// Something else waits for what is being decrypted now. Nothing if nothing is.
    virtual void hurry() = 0;
    /// Gives the passphrase of a protected key, at any time; it is tried as soon as that is possible, and wiped. Until
    /// one is found right, messages wait. Ignored where none is needed.
    virtual void unlock(base::Secret passphrase) = 0;
};

}  // namespace bootkey::openpgp
