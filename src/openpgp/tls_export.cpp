// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/tls_export.hpp"

#include <array>
#include <span>

#include "bootkey/base/text.hpp"

namespace bootkey::openpgp {
namespace {

base::Error failed(const char* action, const std::string& name, int code) {
    return {base::ExitCode::no_input, std::string(action) + base::escaped(name), gnutls_strerror(code),
            "use an Ed25519 or RSA key, as bootkey --generate-keys makes them"};
}

}  // namespace

base::Result<base::Secret> export_private_key(gnutls_x509_privkey_t key, gnutls_x509_crt_fmt_t format,
                                              const std::string& name) {
    OwnedDatum text;
    if (const int code = gnutls_x509_privkey_export2(key, format, &text.datum); code < 0)
        return failed("cannot write the private key of ", name, code);
    auto secret = base::Secret::with_capacity(text.datum.size);
    if (!secret) return secret;
    if (!secret->append(std::as_bytes(std::span(text.datum.data, text.datum.size))))
        return failed("cannot keep the private key of ", name, GNUTLS_E_MEMORY_ERROR);
    return secret;
}

base::Result<std::string> export_public_key(gnutls_x509_privkey_t key, gnutls_x509_crt_fmt_t format,
                                            const std::string& name) {
    gnutls_privkey_t made = nullptr;
    gnutls_pubkey_t half = nullptr;
    int code = gnutls_privkey_init(&made);
    const PrivateKey owned(code < 0 ? nullptr : made);
    if (code >= 0) code = gnutls_pubkey_init(&half);
    const PublicKey owned_half(code < 0 ? nullptr : half);
    if (code >= 0) code = gnutls_privkey_import_x509(made, key, GNUTLS_PRIVKEY_IMPORT_COPY);
    if (code >= 0) code = gnutls_pubkey_import_privkey(half, made, 0, 0);
    OwnedDatum text;
    if (code >= 0) code = gnutls_pubkey_export2(half, format, &text.datum);
    if (code < 0) return failed("cannot write the public key of ", name, code);
    return std::string(reinterpret_cast<const char*>(text.datum.data), text.datum.size);
}

base::Result<std::string> key_id_of(const std::string& public_key, const std::string& name) {
    gnutls_pubkey_t key = nullptr;
    int code = gnutls_pubkey_init(&key);
    const PublicKey owned(code < 0 ? nullptr : key);
    if (code >= 0) {
        const gnutls_datum_t text{reinterpret_cast<unsigned char*>(const_cast<char*>(public_key.data())),
                                  static_cast<unsigned>(public_key.size())};
        const bool pem = public_key.find("-----BEGIN") != std::string::npos;
        code = gnutls_pubkey_import(key, &text, pem ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER);
    }
    std::array<unsigned char, 32> digest{};
    std::size_t size = digest.size();
    if (code >= 0) code = gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, digest.data(), &size);
    if (code < 0) return failed("cannot read the TLS public key ", name, code);
    return base::hex(digest.data(), size);
}

}  // namespace bootkey::openpgp
