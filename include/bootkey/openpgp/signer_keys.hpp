// SPDX-License-Identifier: GPL-3.0-or-later
//
// The file of --require-signature: the OpenPGP public keys of which one must have signed an answer.
#pragma once

#include <string>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::openpgp {

/// The keys in the file `path`, which is binary or in ASCII armour (any number of blocks, with any text between), as
/// binary packets. Errors (no_input): the file is missing, empty or longer than 256 KiB, holds no public key or
/// something else than keys, or a secret key, which has no business in an initial RAM disk. Whether the signatures in
/// the keys are good is for gpg to tell.
[[nodiscard]] base::Result<base::Secret> read_signer_keys(const std::string& path);

}  // namespace bootkey::openpgp
