// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/servers/tls_credentials.hpp"

#include <gnutls/gnutls.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "bootkey/base/file.hpp"
#include "catch.hpp"
#include "servers/live_attempt.hpp"
#include "servers/mandos_peer.hpp"
#include "servers/test_keys.hpp"

using namespace bootkey;
using servers::TlsCredentials;
using servers::TlsSettings;
using tests::identity;

namespace {

struct Heard {
    Heard() {
        log.add_sink([this](const base::LogEntry& entry) { lines.push_back(entry.text); });
    }
    base::Log log{1};
    std::vector<std::string> lines;
};

// A file with `content` that goes when the test is over.
class TemporaryFile {
public:
    explicit TemporaryFile(const std::string& content) {
        char name[] = "/tmp/bootkey-test-XXXXXX";
        const base::UniqueFd fd(::mkstemp(name));
        path_ = name;
        REQUIRE(base::write_all(fd.get(), base::bytes_of(content)) == 0);
    }
    ~TemporaryFile() { ::unlink(path_.c_str()); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

// The 1536-bit safe prime of RFC 3526 section 2 with generator 2: a size that no group of RFC 7919 has.
std::string dh_parameters_1536() {
    static const unsigned char prime[] = {
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xC9, 0x0F, 0xDA, 0xA2, 0x21, 0x68, 0xC2, 0x34, 0xC4, 0xC6,
        0x62, 0x8B, 0x80, 0xDC, 0x1C, 0xD1, 0x29, 0x02, 0x4E, 0x08, 0x8A, 0x67, 0xCC, 0x74, 0x02, 0x0B, 0xBE, 0xA6,
        0x3B, 0x13, 0x9B, 0x22, 0x51, 0x4A, 0x08, 0x79, 0x8E, 0x34, 0x04, 0xDD, 0xEF, 0x95, 0x19, 0xB3, 0xCD, 0x3A,
        0x43, 0x1B, 0x30, 0x2B, 0x0A, 0x6D, 0xF2, 0x5F, 0x14, 0x37, 0x4F, 0xE1, 0x35, 0x6D, 0x6D, 0x51, 0xC2, 0x45,
        0xE4, 0x85, 0xB5, 0x76, 0x62, 0x5E, 0x7E, 0xC6, 0xF4, 0x4C, 0x42, 0xE9, 0xA6, 0x37, 0xED, 0x6B, 0x0B, 0xFF,
        0x5C, 0xB6, 0xF4, 0x06, 0xB7, 0xED, 0xEE, 0x38, 0x6B, 0xFB, 0x5A, 0x89, 0x9F, 0xA5, 0xAE, 0x9F, 0x24, 0x11,
        0x7C, 0x4B, 0x1F, 0xE6, 0x49, 0x28, 0x66, 0x51, 0xEC, 0xE4, 0x5B, 0x3D, 0xC2, 0x00, 0x7C, 0xB8, 0xA1, 0x63,
        0xBF, 0x05, 0x98, 0xDA, 0x48, 0x36, 0x1C, 0x55, 0xD3, 0x9A, 0x69, 0x16, 0x3F, 0xA8, 0xFD, 0x24, 0xCF, 0x5F,
        0x83, 0x65, 0x5D, 0x23, 0xDC, 0xA3, 0xAD, 0x96, 0x1C, 0x62, 0xF3, 0x56, 0x20, 0x85, 0x52, 0xBB, 0x9E, 0xD5,
        0x29, 0x07, 0x70, 0x96, 0x96, 0x6D, 0x67, 0x0C, 0x35, 0x4E, 0x4A, 0xBC, 0x98, 0x04, 0xF1, 0x74, 0x6C, 0x08,
        0xCA, 0x23, 0x73, 0x27, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    unsigned char two = 2;
    const gnutls_datum_t p{const_cast<unsigned char*>(prime), sizeof prime};
    const gnutls_datum_t g{&two, 1};
    gnutls_dh_params_t parameters = nullptr;
    gnutls_datum_t text{};
    REQUIRE(gnutls_dh_params_init(&parameters) == 0);
    REQUIRE(gnutls_dh_params_import_raw(parameters, &p, &g) == 0);
    REQUIRE(gnutls_dh_params_export2_pkcs3(parameters, GNUTLS_X509_FMT_PEM, &text) == 0);
    std::string pem(reinterpret_cast<const char*>(text.data), text.size);
    gnutls_free(text.data);
    gnutls_dh_params_deinit(parameters);
    return pem;
}

// The size of the prime that a TLS 1.2 server with `extra` in its priority sees.
unsigned prime_seen(const TlsCredentials& credentials, const std::string& extra) {
    tests::Manners manners;
    manners.priority = tests::dhe_priority + extra;
    manners.answer = "x";
    tests::MandosPeer peer(manners);
    const auto outcome = tests::run_attempt(peer.endpoint(), credentials);
    INFO(outcome.why);
    CHECK(outcome.answer == "x");
    return peer.visits().at(0).prime_bits;
}

}  // namespace

TEST_CASE("identities are read in every form") {
    const auto& ed25519 = tests::ed25519_key();
    const auto& rsa = tests::rsa_key();
    struct Case {
        const char* name;
        std::string private_key, public_key, key_id;
    };
    const std::vector<Case> cases = {
        {"Ed25519 PEM pair", ed25519.private_pem, ed25519.public_pem, ed25519.key_id},
        {"Ed25519 DER pair", ed25519.private_der, ed25519.public_der, ed25519.key_id},
        {"Ed25519, private half alone", ed25519.private_der, "", ed25519.key_id},
        {"RSA PEM pair", rsa.private_pem, rsa.public_pem, rsa.key_id},
        {"RSA PKCS#8 DER", rsa.private_der, rsa.public_der, rsa.key_id},
        {"RSA PKCS#1 DER", rsa.traditional, rsa.public_der, rsa.key_id},
        {"RSA, private half alone", rsa.traditional, "", rsa.key_id},
        {"PEM after other text", "a comment\n" + rsa.private_pem, rsa.public_pem, rsa.key_id},
    };
    for (const auto& one : cases) {
        CAPTURE(one.name);
        Heard heard;
        const auto loaded = TlsCredentials::load(identity(one.private_key, one.public_key),
                                                 {tests::default_priority, {}, {}}, heard.log);
        REQUIRE(loaded.ok());
        CHECK(loaded->key_id() == one.key_id);
        CHECK(heard.lines.empty());
    }
}

TEST_CASE("identities that cannot be used are refused with the reason") {
    const auto& key = tests::ed25519_key();
    struct Case {
        const char* name;
        std::string private_key, public_key;
        const char* message;
    };
    const std::vector<Case> cases = {
        {"halves of different pairs", key.private_pem, tests::other_key().public_pem, "do not belong together"},
        {"halves of different kinds", key.private_pem, tests::rsa_key().public_pem, "do not belong together"},
        {"under a passphrase", key.encrypted, key.public_pem, "passphrase"},
        {"empty", "", "", "the test's key"},
        {"nonsense", "\x01\x02 nonsense", "", "PEM or DER"},
        {"a public key for a private one", key.public_pem, "", "PEM or DER"},
        {"cut off", key.private_pem.substr(0, key.private_pem.size() / 2), "", "PEM or DER"},
        {"a nonsensical public half", key.private_pem, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
         "public half"},
    };
    for (const auto& one : cases) {
        CAPTURE(one.name);
        const auto loaded = TlsCredentials::load(identity(one.private_key, one.public_key),
                                                 {tests::default_priority, {}, {}}, base::Log(0));
        REQUIRE_FALSE(loaded.ok());
        CHECK(loaded.error().code == base::ExitCode::no_input);
        CHECK_THAT(loaded.error().message(), Catch::Contains(one.message));
    }
}

TEST_CASE("errors name the file that is to blame") {
    const auto message = [](const std::string& public_key) {
        auto given = identity(tests::ed25519_key().private_pem, public_key);
        given.name = "/keys/private.pem";
        given.public_name = "/keys/public.pem";
        const auto loaded = TlsCredentials::load(std::move(given), {tests::default_priority, {}, {}}, base::Log(0));
        return loaded ? std::string() : loaded.error().message();
    };
    CHECK_THAT(message("nonsense"), Catch::Contains("/keys/public.pem") && !Catch::Contains("/keys/private.pem"));
    CHECK_THAT(message(tests::other_key().public_pem),
               Catch::Contains("/keys/private.pem with /keys/public.pem") && Catch::Contains("do not belong together"));
}

TEST_CASE("a priority string is checked, and the error says from where on it makes no sense") {
    CHECK(servers::check_priority(tests::default_priority).ok());
    CHECK(servers::check_priority("NORMAL").ok());
    struct Case {
        const char* priority;
        const char* message;
    };
    const auto bad = GENERATE(values<Case>({{"NORMAL:+BOGUS:+VERS-TLS1.3", "from \"+BOGUS:+VERS-TLS1.3\" on"},
                                            {"BOGUS", "from \"BOGUS\" on"},
                                            {"SECURE128:%NO_SUCH", "from \"%NO_SUCH\" on"}}));
    CAPTURE(bad.priority);
    const auto result = servers::check_priority(bad.priority);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == base::ExitCode::usage);
    CHECK_THAT(result.error().message(), Catch::Contains(bad.message));
    const auto loaded =
        TlsCredentials::load(identity(tests::ed25519_key().private_pem, ""), {bad.priority, {}, {}}, base::Log(0));
    REQUIRE_FALSE(loaded.ok());
    CHECK(loaded.error().code == base::ExitCode::usage);
}

TEST_CASE("a priority without raw public keys is warned about") {
    Heard heard;
    REQUIRE(TlsCredentials::load(identity(tests::ed25519_key().private_pem, ""), {"NORMAL", {}, {}}, heard.log).ok());
    REQUIRE(heard.lines.size() == 1);
    CHECK_THAT(heard.lines[0], Catch::Contains("CTYPE-RAWPK"));
}

TEST_CASE("the Diffie-Hellman prime has the wanted size") {
    const TemporaryFile file(dh_parameters_1536());
    const std::string modest = std::string(tests::dhe_priority) + ":%PROFILE_LOW";
    // A peer that offers groups gets the smallest of them that is large enough; one that offers none gets the
    // parameters.
    const std::string no_groups = ":-GROUP-DH-ALL:%PROFILE_VERY_WEAK";
    struct Case {
        const char* name;
        TlsSettings settings;
        unsigned with_groups, without;
    };
    const std::vector<Case> cases = {
        {"neither", {tests::dhe_priority, {}, {}}, 2048, 3072},
        {"neither, low profile", {modest, {}, {}}, 2048, 2048},
        {"2048 bits", {tests::dhe_priority, 2048, {}}, 2048, 2048},
        {"3072 bits", {tests::dhe_priority, 3072, {}}, 3072, 3072},
        {"between two groups", {tests::dhe_priority, 3100, {}}, 4096, 4096},
        {"fewer than any group has", {tests::dhe_priority, 1024, {}}, 2048, 2048},
        {"a file", {tests::dhe_priority, {}, file.path()}, 2048, 1536},
        {"a file wins over bits", {tests::dhe_priority, 4096, file.path()}, 2048, 1536},
    };
    for (const auto& one : cases) {
        CAPTURE(one.name);
        Heard heard;
        const auto loaded = TlsCredentials::load(identity(tests::rsa_key().private_pem, ""), one.settings, heard.log);
        REQUIRE(loaded.ok());
        CHECK(heard.lines.empty());
        CHECK(prime_seen(*loaded, "") == one.with_groups);
        CHECK(prime_seen(*loaded, no_groups) == one.without);
    }
}

TEST_CASE("a peer cannot make the machine compute in a large finite field, unless that is wanted") {
    const std::string usual = tests::default_priority;
    const std::string wanted = usual + ":+GROUP-FFDHE8192";
    struct Case {
        std::string priority;
        std::optional<unsigned> bits;
        const char* peers_group;
        bool agreed;
    };
    const auto one = GENERATE_COPY(values<Case>({{usual, {}, "GROUP-FFDHE3072", true},
                                                 {usual, {}, "GROUP-FFDHE4096", false},
                                                 {usual, {}, "GROUP-FFDHE8192", false},
                                                 {usual, 6144, "GROUP-FFDHE6144", true},
                                                 {usual, 6144, "GROUP-FFDHE8192", false},
                                                 {wanted, {}, "GROUP-FFDHE8192", true}}));
    CAPTURE(one.priority, one.bits.value_or(0), one.peers_group);
    const auto loaded = TlsCredentials::load(identity(tests::ed25519_key().private_pem, ""),
                                             {one.priority, one.bits, {}}, base::Log(0));
    REQUIRE(loaded.ok());
    tests::Manners manners;
    manners.priority = usual + ":-GROUP-ALL:+" + one.peers_group;
    manners.answer = "x";
    tests::MandosPeer peer(manners);
    CHECK((tests::run_attempt(peer.endpoint(), *loaded).answer == "x") == one.agreed);
}

TEST_CASE("unusable Diffie-Hellman parameters are a warning, and the bits decide") {
    const TemporaryFile nonsense("-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n");
    const std::string path = GENERATE(true, false) ? nonsense.path() : "/nonexistent/dh.pem";
    Heard heard;
    const auto loaded =
        TlsCredentials::load(identity(tests::rsa_key().private_pem, ""), {tests::dhe_priority, 3072, path}, heard.log);
    REQUIRE(loaded.ok());
    REQUIRE(heard.lines.size() == 1);
    CHECK_THAT(heard.lines[0], Catch::Contains(path));
    CHECK(prime_seen(*loaded, ":-GROUP-DH-ALL") == 3072);
}

TEST_CASE("more bits than any group has are cut down with a warning") {
    Heard heard;
    REQUIRE(
        TlsCredentials::load(identity(tests::rsa_key().private_pem, ""), {tests::dhe_priority, 16384, {}}, heard.log)
            .ok());
    REQUIRE(heard.lines.size() == 1);
    CHECK_THAT(heard.lines[0], Catch::Contains("--dh-bits=16384") && Catch::Contains("8192"));
}

TEST_CASE("where no finite-field exchange is allowed the parameters are not even read") {
    Heard heard;
    REQUIRE(TlsCredentials::load(identity(tests::rsa_key().private_pem, ""),
                                 {tests::default_priority, 16384, "/nonexistent/dh.pem"}, heard.log)
                .ok());
    CHECK(heard.lines.empty());
}

TEST_CASE("GnuTLS's own debug output goes where it is told, line by line") {
    std::mutex mutex;  // the peer's thread uses GnuTLS too
    std::vector<std::string> lines;
    servers::set_tls_debug(99, [&](const std::string& line) {
        const std::lock_guard lock(mutex);
        lines.push_back(line);
    });
    tests::Manners manners;
    manners.answer = "a secret";
    tests::MandosPeer peer(manners);
    const auto outcome = tests::run_attempt(peer.endpoint(), tests::credentials(tests::ed25519_key()));
    peer.visits();
    servers::set_tls_debug(0, nullptr);
    CHECK(outcome.answer == "a secret");
    REQUIRE(lines.size() > 10);
    for (const auto& line : lines) {
        REQUIRE_THAT(line, Catch::StartsWith("gnutls: "));
        REQUIRE(line.find('\n') == std::string::npos);
    }
}
