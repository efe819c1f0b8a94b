// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who this machine is towards password servers: a raw public key (RFC 7250) with its private key, the priorities and
// the finite-field Diffie-Hellman parameters, loaded and checked once and shared by all TLS sessions (GnuTLS).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::servers {

/// A private key with its public key, in the forms GnuTLS imports: PEM files, or DER made from an OpenPGP key's
/// material.
struct TlsIdentity {
    base::Secret private_key;      ///< PKCS#8 or traditional, PEM or DER
    std::string public_key;        ///< SubjectPublicKeyInfo, PEM or DER; empty: made from the private key
    std::string name;              ///< where it is from, for messages: "/etc/keys/bootkey/tls-privkey.pem"
    std::string public_name = {};  ///< the same for the public key; empty: not from a file of its own
};

struct TlsSettings {
    std::string priority;             ///< GnuTLS priority string
    std::optional<unsigned> dh_bits;  ///< --dh-bits
    std::string dh_params;            ///< --dh-params file; empty: none
};

class TlsCredentials {
public:
    struct Impl;  ///< GnuTLS handles; private to this room
    /// Loads and checks. Errors: no_input (a key that cannot be used, or halves that do not match), usage (priority). A
    /// dh_params file that cannot be used is a warning. The identity's private key bytes are not kept.
    [[nodiscard]] static base::Result<TlsCredentials> load(TlsIdentity identity, const TlsSettings& settings,
                                                           const base::Log& log);
    TlsCredentials(TlsCredentials&&) noexcept;
    TlsCredentials& operator=(TlsCredentials&&) noexcept;
    ~TlsCredentials();

    /// SHA-256 of the SubjectPublicKeyInfo, in hexadecimal: what the server knows the machine by (key_id).
    [[nodiscard]] std::string key_id() const;
    [[nodiscard]] const Impl& impl() const { return *impl_; }

private:
    explicit TlsCredentials(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// Whether GnuTLS accepts the string; the error (usage) names the place where it stops making sense.
[[nodiscard]] base::Result<void> check_priority(const std::string& priority);
/// Hands GnuTLS's own debug lines to `sink` (level 0: off). GnuTLS has one such function for the whole process.
void set_tls_debug(int level, std::function<void(const std::string&)> sink);

}  // namespace bootkey::servers
