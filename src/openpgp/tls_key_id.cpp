// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/tls_key_id.hpp"

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/openpgp/key_files.hpp"
#include "bootkey/openpgp/tls_export.hpp"
#include "bootkey/openpgp/tls_key.hpp"

namespace bootkey::openpgp {
namespace {

// The key ID of the public half of the private key in the PEM file `path`.
base::Result<std::string> id_of_private_key(const std::string& path) {
    const auto text = base::read_secret_file(path, longest_key_file);
    if (!text) return text.error();
    gnutls_x509_privkey_t made = nullptr;
    int code = gnutls_x509_privkey_init(&made);
    const X509PrivateKey key(code < 0 ? nullptr : made);
    const gnutls_datum_t pem{reinterpret_cast<unsigned char*>(const_cast<std::byte*>(text->bytes().data())),
                             static_cast<unsigned>(text->size())};
    if (code >= 0) code = gnutls_x509_privkey_import(made, &pem, GNUTLS_X509_FMT_PEM);
    if (code < 0)
        return base::Error{base::ExitCode::no_input, "cannot read the TLS private key " + base::escaped(path),
                           gnutls_strerror(code),
                           "name an unprotected PEM file, as --generate-keys --tls-key makes it"};
    const auto public_half = export_public_key(made, GNUTLS_X509_FMT_DER, path);
    if (!public_half) return public_half.error();
    return key_id_of(*public_half, path);
}

base::Result<std::string> id_of_pair(const std::string& pubkey_path, const std::string& privkey_path) {
    const auto text = base::read_file(pubkey_path, longest_key_file, base::ExitCode::no_input);
    if (!text) return text.error();
    const auto id = key_id_of(*text, pubkey_path);
    if (!id) return id.error();
    const auto private_id = id_of_private_key(privkey_path);
    if (!private_id) return private_id.error();
    if (*id != *private_id)
        return base::Error{
            base::ExitCode::no_input,
            "cannot use the TLS keys " + base::escaped(pubkey_path) + " and " + base::escaped(privkey_path),
            "they do not belong together", "name the two halves of one pair"};
    return *id;
}

}  // namespace

base::Result<std::string> tls_key_id(const KeyFiles& files) {
    if (!files.tls_pubkey.empty()) return id_of_pair(files.tls_pubkey, files.tls_privkey);
    const auto seckey = base::read_secret_file(files.seckey, longest_key_file);
    if (!seckey) return seckey.error();
    const auto key = tls_key_from_openpgp(*seckey, files.seckey);
    if (!key) return key.error();
    return key_id_of(key->public_key, files.seckey);
}

}  // namespace bootkey::openpgp
