// SPDX-License-Identifier: GPL-3.0-or-later
//
// Makes the machine's keys: an OpenPGP key pair by gpg, and a TLS pair by GnuTLS if asked for, as files in one
// directory with the names that Mandos gives them.
#pragma once

#include <string>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::openpgp {

enum class KeyKind {
    ed25519,  ///< Ed25519 primary key and authentication subkey, Curve25519 encryption subkey
    rsa4096,  ///< RSA primary key, for authentication too, and RSA encryption subkey
};

struct KeyRequest {
    std::string directory;  ///< made if missing
    KeyKind kind = KeyKind::ed25519;
    bool tls_pair = false;    ///< make tls-pubkey.pem and tls-privkey.pem too
    bool replace = false;     ///< existing files may be replaced
    std::string user_id;      ///< of the OpenPGP key: printable UTF-8, not empty
    base::Secret passphrase;  ///< protects the OpenPGP secret key, not the TLS key; empty: nothing does
};

struct MadeKeys {
    std::string fingerprint;     ///< of the OpenPGP primary key: 40 upper-case hexadecimal digits
    bool kept_tls_pair = false;  ///< a TLS pair was there, was not asked for, and stays the machine's TLS identity
};

/// Makes the keys and blocks until then: well under a second, for RSA several. All files are there afterwards, or, on
/// an error, the directory is as it was. A signal that ends the program does so when all that was begun is undone.
/// Errors: cannot_create (files exist and `replace` is not set, one half of a TLS pair is there, the directory cannot
/// be written), unavailable (somebody else is making keys there; GnuPG; no file system in RAM).
[[nodiscard]] base::Result<MadeKeys> generate_keys(const KeyRequest& request);

}  // namespace bootkey::openpgp
