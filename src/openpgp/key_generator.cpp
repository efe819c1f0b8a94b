// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/key_generator.hpp"

#include <span>
#include <vector>

#include "bootkey/base/file.hpp"
#include "bootkey/base/held_signals.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/openpgp/gpg_session.hpp"
#include "bootkey/openpgp/gpgme_data.hpp"
#include "bootkey/openpgp/key_store.hpp"
#include "bootkey/openpgp/tls_export.hpp"

namespace bootkey::openpgp {
namespace {

constexpr const char* pubkey_name = "pubkey.txt";
constexpr const char* seckey_name = "seckey.txt";
constexpr const char* tls_pubkey_name = "tls-pubkey.pem";
constexpr const char* tls_privkey_name = "tls-privkey.pem";
constexpr std::size_t longest_key = 64 * 1024;  // bytes, armoured; RSA with 4096 bits takes 7000
constexpr mode_t for_all = 0644;  // who has the OpenPGP public key can send passwords, so that is not among it
constexpr mode_t for_owner = 0600;

struct Part {
    const char* algorithm;  // in gpg's words
    unsigned usage;         // GPGME_CREATE_…
};

// The primary key, then the subkeys.
std::vector<Part> parts_of(KeyKind kind) {
    constexpr unsigned primary = GPGME_CREATE_CERT | GPGME_CREATE_SIGN;
    if (kind == KeyKind::rsa4096) return {{"rsa4096", primary | GPGME_CREATE_AUTH}, {"rsa4096", GPGME_CREATE_ENCR}};
    return {{"ed25519", primary}, {"ed25519", GPGME_CREATE_AUTH}, {"cv25519", GPGME_CREATE_ENCR}};
}

base::Error already_there(const KeyRequest& request, const char* name) {
    return {base::ExitCode::cannot_create, "cannot make keys in " + base::escaped(request.directory),
            std::string(name) + " is there already", "replace it by --force, or name another directory"};
}

base::Error half_a_tls_pair(const KeyRequest& request, const char* there) {
    return {base::ExitCode::cannot_create, "cannot make keys in " + base::escaped(request.directory),
            std::string(there) + " is there without the other half of the TLS pair",
            "replace it by --tls-key --force, or move it away"};
}

// A TLS pair that is there goes on being the machine's TLS identity, so without --force it stops us as the others do.
base::Result<void> check_existing(const KeyStore& store, const KeyRequest& request) {
    if (!request.replace)
        for (const char* name : {pubkey_name, seckey_name, tls_pubkey_name, tls_privkey_name})
            if (store.has(name)) return already_there(request, name);
    const bool pubkey = store.has(tls_pubkey_name);
    if (!request.tls_pair && pubkey != store.has(tls_privkey_name))
        return half_a_tls_pair(request, pubkey ? tls_pubkey_name : tls_privkey_name);
    return {};
}

// Makes the key in gpg's home; its fingerprint.
base::Result<std::string> make_key(GpgSession& gpg, const KeyRequest& request) {
    const unsigned common = GPGME_CREATE_NOEXPIRE | (request.passphrase.empty() ? GPGME_CREATE_NOPASSWD : 0u);
    const std::vector<Part> parts = parts_of(request.kind);
    auto done = gpg.perform("cannot make the OpenPGP key", [&](gpgme_ctx_t context) {
        return gpgme_op_createkey_start(context, request.user_id.c_str(), parts[0].algorithm, 0, 0, nullptr,
                                        parts[0].usage | common);
    });
    if (!done) return std::move(done).error();
    const gpgme_genkey_result_t made = gpgme_op_genkey_result(gpg.handle());
    if (made == nullptr || made->fpr == nullptr)
        return base::Error{base::ExitCode::unavailable, "cannot make the OpenPGP key",
                           "gpg did not say its fingerprint", "check the installation of GnuPG"};
    return std::string(made->fpr);
}

// Adds the subkeys to the key made before.
base::Result<void> add_subkeys(GpgSession& gpg, const KeyRequest& request, const std::string& fingerprint) {
    const unsigned common = GPGME_CREATE_NOEXPIRE | (request.passphrase.empty() ? GPGME_CREATE_NOPASSWD : 0u);
    const std::vector<Part> parts = parts_of(request.kind);
    for (const Part& part : std::span(parts).subspan(1)) {
        auto done = gpg.perform("cannot make an OpenPGP subkey", [&](gpgme_ctx_t context) {
            gpgme_key_t key = nullptr;
            if (const gpgme_error_t error = gpgme_get_key(context, fingerprint.c_str(), &key, 0); error != 0)
                return error;
            const KeyHandle owned(key);
            return gpgme_op_createsubkey_start(context, key, part.algorithm, 0, 0, part.usage | common);
        });
        if (!done) return done;
    }
    return {};
}

base::Result<base::Secret> export_key(GpgSession& gpg, const std::string& fingerprint, gpgme_export_mode_t mode) {
    auto capacity = base::Secret::with_capacity(longest_key);
    if (!capacity) return capacity;
    SecretOutput output(std::move(*capacity));
    const DataHandle data = output.data();
    auto done = gpg.perform("cannot export the OpenPGP key", [&](gpgme_ctx_t context) {
        return gpgme_op_export_start(context, fingerprint.c_str(), mode, data.get());
    });
    if (!done) return std::move(done).error();
    base::Secret key = output.take();
    if (key.empty())
        return base::Error{base::ExitCode::unavailable, "cannot export the OpenPGP key", "gpg gave nothing",
                           "check the installation of GnuPG"};
    return key;
}

// Makes the OpenPGP key and stages its files; its fingerprint.
base::Result<std::string> stage_openpgp(KeyStore& store, const KeyRequest& request, const base::HeldSignals& signals) {
    const base::Secret* passphrase = request.passphrase.empty() ? nullptr : &request.passphrase;
    const auto gpg = GpgSession::open(signals, GpgSession::Agent::started, passphrase);
    if (!gpg) return gpg.error();
    auto fingerprint = make_key(**gpg, request);
    if (!fingerprint) return fingerprint;
    if (auto added = add_subkeys(**gpg, request, *fingerprint); !added) return std::move(added).error();
    const auto pubkey = export_key(**gpg, *fingerprint, 0);
    if (!pubkey) return pubkey.error();
    const auto seckey = export_key(**gpg, *fingerprint, GPGME_EXPORT_MODE_SECRET);
    if (!seckey) return seckey.error();
    if (auto staged = store.stage(pubkey_name, pubkey->bytes(), for_owner); !staged) return std::move(staged).error();
    if (auto staged = store.stage(seckey_name, seckey->bytes(), for_owner); !staged) return std::move(staged).error();
    return fingerprint;
}

// Makes the TLS pair and stages its files: Ed25519, as PKCS#8 and SubjectPublicKeyInfo.
base::Result<void> stage_tls(KeyStore& store) {
    gnutls_x509_privkey_t made = nullptr;
    int code = gnutls_x509_privkey_init(&made);
    const X509PrivateKey key(code < 0 ? nullptr : made);
    // An Ed25519 key has the one size; GnuTLS wants it named all the same.
    constexpr unsigned size = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519);
    if (code >= 0) code = gnutls_x509_privkey_generate(made, GNUTLS_PK_EDDSA_ED25519, size, 0);
    OwnedDatum private_half;
    if (code >= 0)
        code = gnutls_x509_privkey_export2_pkcs8(made, GNUTLS_X509_FMT_PEM, nullptr, GNUTLS_PKCS_PLAIN,
                                                 &private_half.datum);
    if (code < 0)
        return base::Error{base::ExitCode::unavailable, "cannot make a TLS key", gnutls_strerror(code),
                           "check the installation of GnuTLS"};
    const auto public_half = export_public_key(made, GNUTLS_X509_FMT_PEM, tls_pubkey_name);
    if (!public_half) return public_half.error();
    if (auto staged = store.stage(tls_pubkey_name, base::bytes_of(*public_half), for_all); !staged) return staged;
    return store.stage(tls_privkey_name, std::as_bytes(std::span(private_half.datum.data, private_half.datum.size)),
                       for_owner);
}

}  // namespace

base::Result<MadeKeys> generate_keys(const KeyRequest& request) {
    const base::HeldSignals signals;  // goes last: by then all is in place, or undone
    auto store = KeyStore::open(request.directory);
    if (!store) return std::move(store).error();
    if (auto free = check_existing(*store, request); !free) return std::move(free).error();
    const auto fingerprint = stage_openpgp(*store, request, signals);
    if (!fingerprint) return fingerprint.error();
    if (request.tls_pair)
        if (auto staged = stage_tls(*store); !staged) return std::move(staged).error();
    if (auto committed = store->commit(request.replace); !committed) return std::move(committed).error();
    return MadeKeys{*fingerprint, !request.tls_pair && store->has(tls_privkey_name)};
}

}  // namespace bootkey::openpgp
