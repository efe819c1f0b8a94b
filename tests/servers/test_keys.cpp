// SPDX-License-Identifier: GPL-3.0-or-later
#include "servers/test_keys.hpp"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include <array>
#include <functional>
#include <stdexcept>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::tests {
namespace {

void require_success(int result) {
    if (result < 0) throw std::runtime_error(gnutls_strerror(result));
}

std::string taken(gnutls_datum_t content) {
    std::string text(reinterpret_cast<const char*>(content.data), content.size);
    gnutls_free(content.data);
    return text;
}

std::string exported(const std::function<int(gnutls_datum_t*)>& write) {
    gnutls_datum_t content{};
    require_success(write(&content));
    return taken(content);
}

TestKey make(gnutls_pk_algorithm_t algorithm, unsigned bits) {
    gnutls_x509_privkey_t key = nullptr;
    require_success(gnutls_x509_privkey_init(&key));
    require_success(gnutls_x509_privkey_generate(key, algorithm, bits, 0));
    gnutls_privkey_t abstract = nullptr;
    require_success(gnutls_privkey_init(&abstract));
    require_success(gnutls_privkey_import_x509(abstract, key, 0));
    gnutls_pubkey_t half = nullptr;
    require_success(gnutls_pubkey_init(&half));
    require_success(gnutls_pubkey_import_privkey(half, abstract, 0, 0));

    const auto pkcs8 = [&](gnutls_x509_crt_fmt_t form, const char* passphrase, unsigned flags) {
        return exported(
            [&](gnutls_datum_t* out) { return gnutls_x509_privkey_export2_pkcs8(key, form, passphrase, flags, out); });
    };
    TestKey made;
    made.private_pem = pkcs8(GNUTLS_X509_FMT_PEM, nullptr, GNUTLS_PKCS_PLAIN);
    made.private_der = pkcs8(GNUTLS_X509_FMT_DER, nullptr, GNUTLS_PKCS_PLAIN);
    made.encrypted = pkcs8(GNUTLS_X509_FMT_PEM, "passphrase", GNUTLS_PKCS_PBES2_AES_128);
    if (algorithm == GNUTLS_PK_RSA)
        made.traditional =
            exported([&](gnutls_datum_t* out) { return gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_DER, out); });
    made.public_pem =
        exported([&](gnutls_datum_t* out) { return gnutls_pubkey_export2(half, GNUTLS_X509_FMT_PEM, out); });
    made.public_der =
        exported([&](gnutls_datum_t* out) { return gnutls_pubkey_export2(half, GNUTLS_X509_FMT_DER, out); });
    std::array<unsigned char, 32> digest{};
    require_success(gnutls_hash_fast(GNUTLS_DIG_SHA256, made.public_der.data(), made.public_der.size(), digest.data()));
    made.key_id = base::hex(digest.data(), digest.size());
    gnutls_pubkey_deinit(half);
    gnutls_privkey_deinit(abstract);
    gnutls_x509_privkey_deinit(key);
    return made;
}

}  // namespace

const TestKey& ed25519_key() {
    static const TestKey key = make(GNUTLS_PK_EDDSA_ED25519, 256);
    return key;
}
const TestKey& rsa_key() {
    static const TestKey key = make(GNUTLS_PK_RSA, 2048);
    return key;
}
const TestKey& other_key() {
    static const TestKey key = make(GNUTLS_PK_EDDSA_ED25519, 256);
    return key;
}

servers::TlsIdentity identity(std::string_view private_key, std::string_view public_key) {
    auto secret = base::Secret::with_capacity(private_key.size() + 1);
    if (!secret || !secret->append(base::bytes_of(private_key))) throw std::runtime_error("no memory");
    return {std::move(*secret), std::string(public_key), "the test's key"};
}

servers::TlsCredentials credentials(const TestKey& key) {
    auto loaded = servers::TlsCredentials::load(identity(key.private_pem, key.public_pem), {default_priority, {}, {}},
                                                base::Log(0));
    if (!loaded) throw std::runtime_error(loaded.error().message());
    return std::move(*loaded);
}

}  // namespace bootkey::tests
