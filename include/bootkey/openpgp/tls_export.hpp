// SPDX-License-Identifier: GPL-3.0-or-later
//
// A private key as GnuTLS holds it, to the forms that other programs read: private DER or PEM, and its public half.
#pragma once

#include <string>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"
#include "bootkey/openpgp/gnutls_handles.hpp"

namespace bootkey::openpgp {

/// `key` as PKCS#1 (RSA) or PKCS#8 (Ed25519). Error (no_input) if GnuTLS cannot write it; `name` is what the key is
/// called.
[[nodiscard]] base::Result<base::Secret> export_private_key(gnutls_x509_privkey_t key, gnutls_x509_crt_fmt_t format,
                                                            const std::string& name);
/// The SubjectPublicKeyInfo of `key`.
[[nodiscard]] base::Result<std::string> export_public_key(gnutls_x509_privkey_t key, gnutls_x509_crt_fmt_t format,
                                                          const std::string& name);
/// SHA-256 of a SubjectPublicKeyInfo (PEM or DER) in lower-case hexadecimal: what servers know the machine by.
[[nodiscard]] base::Result<std::string> key_id_of(const std::string& public_key, const std::string& name);

}  // namespace bootkey::openpgp
