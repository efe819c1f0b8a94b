// SPDX-License-Identifier: GPL-3.0-or-later
//
// Signs a password with a secret key of the person who enrols a machine, in that person's own GnuPG keyring, by their
// own agent. What comes out is then encrypted to the machine; see answer_encryptor.hpp. The environment leads to that
// person: variables as "NAME=value", HOME or GNUPGHOME and what the agent needs to ask for a passphrase. gpg gets no
// others but PATH.
#pragma once

#include <ctime>
#include <string>
#include <vector>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::openpgp {

/// The fingerprint (upper-case hexadecimal digits) of the one key that `key` means and that can sign: a fingerprint,
/// key ID, or user ID or part of one, as gpg(1) takes it. Blocks, some 10 ms; starts the person's gpg-agent. Errors:
/// no_input (no such key, several, or none that signs), unavailable (gpg).
[[nodiscard]] base::Result<std::string> find_signer(const std::string& key,
                                                    const std::vector<std::string>& environment);

struct SignedPassword {
    base::Secret message;  ///< binary OpenPGP message, not encrypted
    std::time_t expires;   ///< when key or signature expires, in seconds since 1970 UTC; 0: never
};

/// `password`, byte for byte, signed by the key with this `fingerprint`. Blocks, ten minutes at most: the agent may ask
/// for a passphrase. Errors: no_input (the key does not sign this), unavailable (gpg).
[[nodiscard]] base::Result<SignedPassword> sign_password(const base::Secret& password, const std::string& fingerprint,
                                                         const std::vector<std::string>& environment);

/// Whether a machine with --require-signature=`signers_path` takes this `message` of sign_password(): verified as it
/// does, with nothing but that file. Blocks, some 30 ms. Errors: no_input (the file; it does not), unavailable (gpg; no
/// file system in RAM).
[[nodiscard]] base::Result<void> check_acceptance(const base::Secret& message, const std::string& signers_path);

}  // namespace bootkey::openpgp
