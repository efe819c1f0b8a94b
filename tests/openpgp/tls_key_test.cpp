// SPDX-License-Identifier: GPL-3.0-or-later
//
// The TLS identity made from OpenPGP keys, compared with what gpg itself says the key is (--export-ssh-key), and used.
#include "bootkey/openpgp/tls_key.hpp"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>

#include <array>

#include "bootkey/base/file.hpp"
#include "bootkey/openpgp/gnutls_handles.hpp"
#include "bootkey/openpgp/tls_export.hpp"
#include "catch.hpp"
#include "openpgp/gpg_lab.hpp"

using namespace bootkey;
using namespace bootkey::openpgp;
using openpgp::testing::bytes;
using openpgp::testing::GpgLab;

namespace {

std::string from_base64(const std::string& text) {
    OwnedDatum result;
    const gnutls_datum_t input{reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())),
                               static_cast<unsigned>(text.size())};
    REQUIRE(gnutls_base64_decode2(&input, &result.datum) == 0);
    return {reinterpret_cast<char*>(result.datum.data), result.datum.size};
}

// The last field of an SSH public key (RFC 4253, section 6.6; RFC 8709): Ed25519's point, RSA's modulus.
std::string last_ssh_field(const std::string& exported) {
    const std::size_t begin = exported.find(' ') + 1;
    const std::string blob = from_base64(exported.substr(begin, exported.find(' ', begin) - begin));
    std::string field;
    for (std::size_t at = 0; at + 4 <= blob.size();) {
        std::size_t size = 0;
        for (int i = 0; i < 4; ++i)
            size = size << 8 | static_cast<unsigned char>(blob[at + static_cast<std::size_t>(i)]);
        field = blob.substr(at + 4, size);
        at += 4 + size;
    }
    return field;
}

base::Secret secret_of(const std::string& content) {
    auto secret = base::Secret::with_capacity(content.size() + 1);
    REQUIRE(secret);
    REQUIRE(secret->append(bytes(content)));
    return std::move(*secret);
}

gnutls_datum_t datum(const std::string& text) {
    return {reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())), static_cast<unsigned>(text.size())};
}

// Signs with the private key and verifies with the public one, as both ends of a handshake do.
void check_that_halves_match(const TlsKey& key, gnutls_sign_algorithm_t algorithm) {
    gnutls_x509_privkey_t numbers = nullptr;
    REQUIRE(gnutls_x509_privkey_init(&numbers) == 0);
    const X509PrivateKey owned_numbers(numbers);
    const std::string der(reinterpret_cast<const char*>(key.private_key.bytes().data()), key.private_key.size());
    const auto private_datum = datum(der);
    REQUIRE(gnutls_x509_privkey_import2(numbers, &private_datum, GNUTLS_X509_FMT_DER, nullptr, 0) == 0);
    CHECK(gnutls_x509_privkey_verify_params(numbers) == 0);
    gnutls_privkey_t private_key = nullptr;
    REQUIRE(gnutls_privkey_init(&private_key) == 0);
    const PrivateKey owned_private(private_key);
    REQUIRE(gnutls_privkey_import_x509(private_key, numbers, 0) == 0);
    gnutls_pubkey_t public_key = nullptr;
    REQUIRE(gnutls_pubkey_init(&public_key) == 0);
    const PublicKey owned_public(public_key);
    const auto public_datum = datum(key.public_key);
    REQUIRE(gnutls_pubkey_import(public_key, &public_datum, GNUTLS_X509_FMT_DER) == 0);
    const std::string text = "transcript";
    const auto data = datum(text);
    OwnedDatum signature;
    REQUIRE(gnutls_privkey_sign_data2(private_key, algorithm, 0, &data, &signature.datum) == 0);
    CHECK(gnutls_pubkey_verify_data2(public_key, algorithm, 0, &data, &signature.datum) >= 0);
}

// An OpenPGP Ed25519 secret key, made by hand from the numbers.
std::string ed25519_packet(const std::string& point, const std::string& seed) {
    std::string integer = seed.substr(seed.find_first_not_of('\0'));
    const auto bits = static_cast<unsigned>(integer.size() * 8);
    integer = std::string{static_cast<char>(bits >> 8), static_cast<char>(bits & 0xFF)} + integer;
    unsigned sum = 0;
    for (const char c : integer) sum += static_cast<unsigned char>(c);
    const std::string body = std::string("\x04\0\0\0\0\x16\x09\x2B\x06\x01\x04\x01\xDA\x47\x0F\x01\x01\x07\x40", 19) +
                             point + std::string(1, '\0') + integer + static_cast<char>(sum >> 8 & 0xFF) +
                             static_cast<char>(sum & 0xFF);
    return std::string("\xC5") + static_cast<char>(body.size()) + body;
}

}  // namespace

TEST_CASE("the TLS key has the numbers of the OpenPGP key, and signs") {
    const GpgLab lab;
    struct Case {
        const char* what;
        std::string lines;
        gnutls_sign_algorithm_t algorithm;
        std::string ssh_selector;  // "!" makes gpg take the primary key
    };
    const std::vector<Case> cases = {
        {"ed25519-primary",
         "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign,auth\nSubkey-Type: ecdh\nSubkey-Curve: cv25519\n",
         GNUTLS_SIGN_EDDSA_ED25519, ""},
        {"ed25519-subkey",
         "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign\nSubkey-Type: eddsa\nSubkey-Curve: "
         "ed25519\nSubkey-Usage: auth\n",
         GNUTLS_SIGN_EDDSA_ED25519, ""},
        {"rsa-primary",
         "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign,auth\nSubkey-Type: RSA\nSubkey-Length: 2048\nSubkey-Usage: "
         "encrypt\n",
         GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, ""},
        {"rsa-subkey",
         "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign\nSubkey-Type: RSA\nSubkey-Length: 2048\nSubkey-Usage: "
         "auth\n",
         GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, ""},
    };
    for (const Case& which : cases) {
        INFO(which.what);
        lab.make_key(which.what, which.lines);
        const auto seckey = base::read_secret_file(lab.secret_key(which.what), 1U << 20);
        REQUIRE(seckey);
        const auto key = tls_key_from_openpgp(*seckey, "a file");
        if (!key) FAIL(key.error().message());
        lab.gpg({"--output", "ssh", "--export-ssh-key", which.what});
        const std::string number = last_ssh_field(lab.read("ssh"));
        REQUIRE(number.size() >= 32);
        CHECK(key->public_key.find(number) != std::string::npos);
        if (which.algorithm ==
            GNUTLS_SIGN_EDDSA_ED25519)  // RFC 8410, section 4: SEQUENCE { { 1.3.101.112 }, BIT STRING }
            CHECK(key->public_key == std::string("\x30\x2A\x30\x05\x06\x03\x2B\x65\x70\x03\x21\x00", 12) + number);
        check_that_halves_match(*key, which.algorithm);
    }
}

TEST_CASE("the key id is the SHA-256 of the public key's DER, from DER and PEM alike") {
    // RFC 8410, section 10.1; the digest by sha256sum.
    const std::string pem =
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC "
        "KEY-----\n";
    const std::string der = from_base64("MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
    std::array<unsigned char, 32> digest{};
    REQUIRE(gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data(), der.size(), digest.data()) == 0);
    std::string expected;
    for (const unsigned char byte : digest)
        expected += std::string(1, "0123456789abcdef"[byte >> 4]) + "0123456789abcdef"[byte & 15];
    CHECK(key_id_of(pem, "a file").value() == expected);
    CHECK(key_id_of(der, "a file").value() == expected);
    CHECK(key_id_of("", "a file").error().code == base::ExitCode::no_input);
    CHECK(key_id_of("-----BEGIN PUBLIC KEY-----\ngarbage", "a file").error().code == base::ExitCode::no_input);
}

TEST_CASE("an Ed25519 seed that begins with zero has lost them in OpenPGP and gets them back") {
    for (int i = 0; i < 20'000; ++i) {
        gnutls_x509_privkey_t made = nullptr;
        REQUIRE(gnutls_x509_privkey_init(&made) == 0);
        const X509PrivateKey owned(made);
        REQUIRE(gnutls_x509_privkey_generate(made, GNUTLS_PK_EDDSA_ED25519, 256, 0) == 0);
        OwnedDatum point, seed;
        REQUIRE(gnutls_x509_privkey_export_ecc_raw(made, nullptr, &point.datum, nullptr, &seed.datum) == 0);
        if (seed.datum.data[0] != 0) continue;
        const std::string seed_text(reinterpret_cast<char*>(seed.datum.data), 32);
        const std::string point_text(reinterpret_cast<char*>(point.datum.data), 32);
        const auto key = tls_key_from_openpgp(secret_of(ed25519_packet(point_text, seed_text)), "a file");
        if (!key) FAIL(key.error().message());
        const std::string der(reinterpret_cast<const char*>(key->private_key.bytes().data()), key->private_key.size());
        CHECK(der.find(seed_text) != std::string::npos);
        check_that_halves_match(*key, GNUTLS_SIGN_EDDSA_ED25519);
        return;
    }
    FAIL("no seed began with zero");
}

TEST_CASE("numbers that make no key are refused") {
    const std::string point(32, 'P');
    const auto ed25519 = tls_key_from_openpgp(secret_of(ed25519_packet(point, std::string(32, 's'))), "a file");
    REQUIRE_FALSE(ed25519);
    CHECK(ed25519.error().code == base::ExitCode::no_input);
    // RSA with p = 1, by whose predecessor nobody may divide.
    const std::string secret("\0\x01\x01\0\x01\x01\0\x01\x01\0\x01\x01\0\x04", 14);
    const std::string body = std::string("\x04\0\0\0\0\x01\0\x02\x03\0\x02\x03\0", 13) + secret;
    const auto rsa =
        tls_key_from_openpgp(secret_of(std::string("\xC5") + static_cast<char>(body.size()) + body), "a file");
    REQUIRE_FALSE(rsa);
    CHECK(rsa.error().code == base::ExitCode::no_input);
}

TEST_CASE("damaged RSA keys never make a key whose halves do not match") {
    const GpgLab lab;
    lab.make_rsa_key("machine");
    const std::string whole = lab.read(std::filesystem::path(lab.secret_key("machine", {})).filename());
    for (std::size_t place = 0; place < 1100 && place < whole.size(); place += 7) {
        std::string damaged = whole;
        damaged[place] = static_cast<char>(damaged[place] ^ 0x10);
        const auto key = tls_key_from_openpgp(secret_of(damaged), "a file");
        if (key) {
            check_that_halves_match(*key, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256);  // only what does not matter was damaged
        } else {
            CHECK(key.error().code == base::ExitCode::no_input);
        }
    }
}
