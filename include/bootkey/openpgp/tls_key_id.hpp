// SPDX-License-Identifier: GPL-3.0-or-later
//
// What password servers know the machine by: the digest of its TLS public key, wherever that key is.
#pragma once

#include <string>

#include "bootkey/base/result.hpp"
#include "bootkey/openpgp/key_files.hpp"

namespace bootkey::openpgp {

/// SHA-256 of the SubjectPublicKeyInfo in lower-case hexadecimal: of the TLS pair in `files` if there is one, else of
/// the OpenPGP key as a TLS key. Errors (no_input): a file cannot be used; the halves of the TLS pair do not belong
/// together.
[[nodiscard]] base::Result<std::string> tls_key_id(const KeyFiles& files);

}  // namespace bootkey::openpgp
