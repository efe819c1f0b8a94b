// SPDX-License-Identifier: GPL-3.0-or-later
//
// TLS identities made on the spot, in all the forms that bootkey has to read.
#pragma once

#include <gnutls/gnutls.h>

#include <string>
#include <string_view>

#include "bootkey/base/secret.hpp"
#include "bootkey/servers/tls_credentials.hpp"

namespace bootkey::tests {

struct TestKey {
    std::string private_pem;  ///< PKCS#8
    std::string private_der;  ///< PKCS#8
    std::string traditional;  ///< RSA: PKCS#1 DER; else empty
    std::string encrypted;    ///< PKCS#8 PEM under a passphrase
    std::string public_pem;
    std::string public_der;
    std::string key_id;  ///< SHA-256 of public_der, computed apart from the program
};

/// Ed25519, or RSA with 2048 bits. Made once per process and algorithm.
const TestKey& ed25519_key();
const TestKey& rsa_key();
/// Another Ed25519 key.
const TestKey& other_key();

servers::TlsIdentity identity(std::string_view private_key, std::string_view public_key);
/// Credentials of `key` that the Mandos server's default priority can talk to; throws if they cannot be loaded.
servers::TlsCredentials credentials(const TestKey& key);

/// bootkey's default.
inline constexpr const char* default_priority =
    "SECURE128:!CTYPE-X.509:+CTYPE-RAWPK:!RSA:!VERS-ALL:+VERS-TLS1.3:%PROFILE_ULTRA";
/// A finite-field key exchange only.
inline constexpr const char* dhe_priority = "NORMAL:!CTYPE-X.509:+CTYPE-RAWPK:!VERS-ALL:+VERS-TLS1.2:!KX-ALL:+DHE-RSA";

}  // namespace bootkey::tests
