// SPDX-License-Identifier: GPL-3.0-or-later
//
// The machine's OpenPGP key as a TLS identity: reads the unprotected secret key packets (RFC 4880, v4; RSA and Ed25519)
// and gives out the [A] subkey's material, else the primary key's, as DER that TLS libraries read. Pure apart from the
// choice of file.
#pragma once

#include <string>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::openpgp {

struct TlsKey {
    base::Secret private_key;  ///< PKCS#8 (Ed25519, RFC 8410) or PKCS#1 (RSA, RFC 8017), DER
    std::string public_key;    ///< SubjectPublicKeyInfo, DER
};

/// From a transferable secret key, armoured or binary. Errors (no_input): protected by a passphrase, on a smart card,
/// unsupported algorithm, malformed; each says what to do (a TLS PEM pair).
[[nodiscard]] base::Result<TlsKey> tls_key_from_openpgp(const base::Secret& transferable_secret_key,
                                                        const std::string& name);

}  // namespace bootkey::openpgp
