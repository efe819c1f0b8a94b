// SPDX-License-Identifier: GPL-3.0-or-later
//
// Key IDs are compared with what openssl makes of the same keys.
#include "bootkey/openpgp/tls_key_id.hpp"

#include "catch.hpp"
#include "openpgp/gpg_lab.hpp"
#include "openpgp/output_of.hpp"

using namespace bootkey;
using openpgp::testing::output_of;

namespace {

// Makes DIRECTORY/NAME and DIRECTORY/NAME.pub; the key ID.
std::string make_pair(const openpgp::testing::GpgLab& lab, const std::string& name, const std::string& options) {
    const std::string path = lab.path(name);
    REQUIRE(output_of("openssl genpkey " + options + " -out '" + path +
                      "' 2>/dev/null && openssl pkey -passin pass:words -in '" + path + "' -pubout -out '" + path +
                      ".pub'")
                .status == 0);
    return output_of("openssl pkey -pubin -in '" + path + ".pub' -outform DER | sha256sum").text.substr(0, 64);
}

}  // namespace

TEST_CASE("the key ID of a TLS pair is the digest of its public half") {
    const openpgp::testing::GpgLab lab;
    for (const char* options : {"-algorithm ed25519", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
                                "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"}) {
        const std::string expected = make_pair(lab, "pair", options);
        const auto id = openpgp::tls_key_id({"/unused", "/unused", lab.path("pair.pub"), lab.path("pair")});
        if (!id) FAIL(id.error().message());
        CHECK(*id == expected);
    }
}

TEST_CASE("TLS files that are no pair are errors") {
    const openpgp::testing::GpgLab lab;
    make_pair(lab, "one", "-algorithm ed25519");
    make_pair(lab, "two", "-algorithm ed25519");
    make_pair(lab, "protected", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048 -aes128 -pass pass:words");
    struct Row {
        std::string pubkey;
        std::string privkey;
        std::string said;
    };
    const Row rows[] = {
        {"one.pub", "two", "do not belong together"},
        {"one", "one", "one"},  // a private key as the public one
        {"one.pub", "one.pub", "one.pub"},
        {"one.pub", "missing", "missing"},
        {"missing", "one", "missing"},
        {"protected.pub", "protected", "unprotected"},
    };
    for (const Row& row : rows) {
        const auto id = openpgp::tls_key_id({"/unused", "/unused", lab.path(row.pubkey), lab.path(row.privkey)});
        INFO(row.pubkey << " " << row.privkey);
        REQUIRE_FALSE(id);
        CHECK(id.error().code == base::ExitCode::no_input);
        CHECK_THAT(id.error().message(), Catch::Contains(row.said));
    }
}

TEST_CASE("without a TLS pair the key ID is that of the OpenPGP key as a TLS key") {
    const openpgp::testing::GpgLab lab;
    // gpg's export for SSH gives the bare public key; put into a SubjectPublicKeyInfo, it is what servers see.
    const std::string exported = "gpg --homedir '" + lab.path("gnupg") + "' --export-ssh-key key 2>/dev/null";
    SECTION("RSA primary key") {
        lab.make_key("key", "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign,auth\n");
        const auto id = openpgp::tls_key_id({"/unused", lab.secret_key("key"), "", ""});
        if (!id) FAIL(id.error().message());
        if (output_of("command -v ssh-keygen").status != 0) {
            WARN("skipped: no ssh-keygen (package openssh-client)");
            return;
        }
        const std::string file = lab.write("ssh", output_of(exported).text);
        CHECK(output_of("ssh-keygen -e -m PKCS8 -f '" + file + "' | openssl pkey -pubin -outform DER | sha256sum")
                  .text.substr(0, 64) == *id);
    }
    SECTION("Ed25519 authentication subkey") {
        lab.make_key("key",
                     "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign\nSubkey-Type: eddsa\nSubkey-Curve: "
                     "ed25519\nSubkey-Usage: auth\n");
        const auto id = openpgp::tls_key_id({"/unused", lab.secret_key("key"), "", ""});
        if (!id) FAIL(id.error().message());
        const std::string header =
            "printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'";  // RFC 8410 section 4
        CHECK(output_of("{ " + header + "; " + exported + " | cut -d ' ' -f 2 | base64 -d | tail -c 32; } | sha256sum")
                  .text.substr(0, 64) == *id);
    }
}

TEST_CASE("a secret key that is not there or protected gives no key ID") {
    const openpgp::testing::GpgLab lab;
    lab.make_key("key", "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign\nPassphrase: words\n");
    lab.gpg({"--passphrase", "words", "--output", "protected", "--export-secret-keys", "key"});
    for (const char* name : {"missing", "protected"}) {
        const auto id = openpgp::tls_key_id({"/unused", lab.path(name), "", ""});
        REQUIRE_FALSE(id);
        CHECK(id.error().code == base::ExitCode::no_input);
        CHECK_THAT(id.error().message(), Catch::Contains(lab.path(name)));
    }
}
