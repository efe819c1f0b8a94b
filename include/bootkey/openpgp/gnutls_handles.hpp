// SPDX-License-Identifier: GPL-3.0-or-later
//
// Owners for the GnuTLS objects with which this room writes keys as DER and PEM. Private to the room.
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <memory>
#include <type_traits>

namespace bootkey::openpgp {

struct X509PrivateKeyDeleter {
    void operator()(gnutls_x509_privkey_t key) const noexcept { gnutls_x509_privkey_deinit(key); }
};
using X509PrivateKey = std::unique_ptr<std::remove_pointer_t<gnutls_x509_privkey_t>, X509PrivateKeyDeleter>;

struct PrivateKeyDeleter {
    void operator()(gnutls_privkey_t key) const noexcept { gnutls_privkey_deinit(key); }
};
using PrivateKey = std::unique_ptr<std::remove_pointer_t<gnutls_privkey_t>, PrivateKeyDeleter>;

struct PublicKeyDeleter {
    void operator()(gnutls_pubkey_t key) const noexcept { gnutls_pubkey_deinit(key); }
};
using PublicKey = std::unique_ptr<std::remove_pointer_t<gnutls_pubkey_t>, PublicKeyDeleter>;

/// Memory that GnuTLS allocated for its caller; wiped before it goes back, since it may hold a private key.
class OwnedDatum {
public:
    OwnedDatum() = default;
    OwnedDatum(const OwnedDatum&) = delete;
    OwnedDatum& operator=(const OwnedDatum&) = delete;
    ~OwnedDatum() {
        if (datum.data != nullptr) gnutls_memset(datum.data, 0, datum.size);
        gnutls_free(datum.data);
    }
    gnutls_datum_t datum{};
};

}  // namespace bootkey::openpgp
