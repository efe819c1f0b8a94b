// SPDX-License-Identifier: GPL-3.0-or-later
//
// GnuTLS objects with owners, and errors in its own words. Private to this room: no other file of the program sees
// GnuTLS's types.
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "bootkey/servers/tls_credentials.hpp"

namespace bootkey::servers {

template <auto release>
struct GnutlsDeleter {
    template <typename T>
    void operator()(T* object) const noexcept {
        release(object);
    }
};
template <typename Handle, auto release>
using GnutlsHandle = std::unique_ptr<std::remove_pointer_t<Handle>, GnutlsDeleter<release>>;

using CredentialsHandle = GnutlsHandle<gnutls_certificate_credentials_t, gnutls_certificate_free_credentials>;
using PrivateKeyHandle = GnutlsHandle<gnutls_privkey_t, gnutls_privkey_deinit>;
using PublicKeyHandle = GnutlsHandle<gnutls_pubkey_t, gnutls_pubkey_deinit>;
using PriorityHandle = GnutlsHandle<gnutls_priority_t, gnutls_priority_deinit>;
using DhHandle = GnutlsHandle<gnutls_dh_params_t, gnutls_dh_params_deinit>;
using SessionHandle = GnutlsHandle<gnutls_session_t, gnutls_deinit>;

/// Bytes lent to GnuTLS, which does not write to them.
[[nodiscard]] inline gnutls_datum_t datum(const void* bytes, std::size_t size) {
    return {static_cast<unsigned char*>(const_cast<void*>(bytes)), static_cast<unsigned>(size)};
}

struct TlsCredentials::Impl {
    PriorityHandle priority;
    CredentialsHandle credentials;
    DhHandle dh;  // used by `credentials`, which goes first
    std::string key_id;

    ~Impl() { credentials.reset(); }
};

}  // namespace bootkey::servers
