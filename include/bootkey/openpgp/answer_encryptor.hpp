// SPDX-License-Identifier: GPL-3.0-or-later
//
// Makes the message that a password server is to answer with: the password, encrypted to the machine's own OpenPGP key.
#pragma once

#include <string>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::openpgp {

struct EncryptedAnswer {
    std::string fingerprint;  ///< of the OpenPGP primary key: upper-case hexadecimal digits
    std::string message;      ///< binary OpenPGP message
};

/// What is encrypted: the password's bytes, or an OpenPGP message (of sign_password()) that holds them.
enum class Content { password, message };

/// Encrypts `content`, byte for byte, to the one key in the file `pubkey_path` (armoured or binary). Blocks, some 30
/// ms. Errors: no_input (the file, or a key that cannot encrypt), unavailable (GnuPG; no file system in RAM).
[[nodiscard]] base::Result<EncryptedAnswer> encrypt_answer(const std::string& pubkey_path, const base::Secret& content,
                                                           Content kind = Content::password);

}  // namespace bootkey::openpgp
