// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether an OpenPGP public key and a secret key are the two halves of one. Of use before anything is encrypted to the
// public half: at boot it is too late to find out that the secret half cannot decrypt it.
#pragma once

#include <string>

#include "bootkey/base/result.hpp"

namespace bootkey::openpgp {

/// Reads both files, armoured or binary, protected by a passphrase or not: for every key and subkey in the first, its
/// secret part must be in the second. Error (no_input) if not, or if a file cannot be used.
[[nodiscard]] base::Result<void> check_key_pair(const std::string& pubkey_path, const std::string& seckey_path);

}  // namespace bootkey::openpgp
