// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/tls_key.hpp"

#include <array>

#include "bootkey/base/text.hpp"
#include "bootkey/openpgp/key_packets.hpp"
#include "bootkey/openpgp/tls_export.hpp"

namespace bootkey::openpgp {
namespace {

// GnuTLS wants pointers to non-const, but only reads.
gnutls_datum_t datum(Bytes bytes) {
    return {reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data())),
            static_cast<unsigned>(bytes.size())};
}

int import(gnutls_x509_privkey_t key, const RsaNumbers& rsa) {
    // GnuTLS divides by p - 1 and q - 1; primes as short as this are no key but damage.
    constexpr std::size_t shortest_prime = 64;
    if (rsa.p.size() < shortest_prime || rsa.q.size() < shortest_prime) return GNUTLS_E_ILLEGAL_PARAMETER;
    // OpenPGP's u is p⁻¹ mod q, PKCS#1's coefficient q⁻¹ mod p (RFC 8017, section 3.2): the primes change places.
    const gnutls_datum_t n = datum(rsa.n), e = datum(rsa.e), d = datum(rsa.d), p = datum(rsa.q), q = datum(rsa.p),
                         u = datum(rsa.u);
    return gnutls_x509_privkey_import_rsa_raw(key, &n, &e, &d, &p, &q, &u);
}

int import(gnutls_x509_privkey_t key, const Ed25519Numbers& ed25519) {
    constexpr std::size_t seed_size = 32;
    auto seed = base::Secret::with_capacity(seed_size);
    if (!seed || ed25519.seed.size() > seed_size) return GNUTLS_E_MEMORY_ERROR;
    // An OpenPGP integer has lost the seed's leading zeros.
    const std::array<std::byte, seed_size> zeros{};
    if (!seed->append(Bytes(zeros).first(seed_size - ed25519.seed.size())) || !seed->append(ed25519.seed))
        return GNUTLS_E_MEMORY_ERROR;
    const gnutls_datum_t x = datum(ed25519.point), k = datum(seed->bytes());
    return gnutls_x509_privkey_import_ecc_raw(key, GNUTLS_ECC_CURVE_ED25519, &x, nullptr, &k);
}

}  // namespace

base::Result<TlsKey> tls_key_from_openpgp(const base::Secret& transferable_secret_key, const std::string& name) {
    const auto packets = without_armour(transferable_secret_key.bytes(), name);
    if (!packets) return packets.error();
    const auto numbers = authentication_key(packets->bytes(), name);
    if (!numbers) return numbers.error();
    gnutls_x509_privkey_t key = nullptr;
    int code = gnutls_x509_privkey_init(&key);
    const X509PrivateKey owned(code < 0 ? nullptr : key);
    if (code >= 0) code = std::visit([key](const auto& which) { return import(key, which); }, *numbers);
    // GnuTLS believes the public numbers until asked; wrong ones would only be noticed by servers.
    if (code >= 0) code = gnutls_x509_privkey_verify_params(key);
    if (code < 0)
        return base::Error{base::ExitCode::no_input,
                           "cannot use the OpenPGP key in " + base::escaped(name) + " for TLS", gnutls_strerror(code),
                           "its numbers do not make a key: export it anew from gpg"};
    auto private_key = export_private_key(key, GNUTLS_X509_FMT_DER, name);
    if (!private_key) return private_key.error();
    auto public_key = export_public_key(key, GNUTLS_X509_FMT_DER, name);
    if (!public_key) return public_key.error();
    return TlsKey{std::move(*private_key), std::move(*public_key)};
}

}  // namespace bootkey::openpgp
