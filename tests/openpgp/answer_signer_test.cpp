// SPDX-License-Identifier: GPL-3.0-or-later
//
// In a person's keyring, with a pinentry that types by itself. What is signed has to be what the decryptor takes.
#include "bootkey/openpgp/answer_signer.hpp"

#include <chrono>
#include <thread>

#include "bootkey/base/file.hpp"
#include "bootkey/openpgp/answer_encryptor.hpp"
#include "catch.hpp"
#include "openpgp/decrypting_machine.hpp"
#include "openpgp/gpg_lab.hpp"

using namespace bootkey;
using openpgp::find_signer;
using openpgp::sign_password;
using openpgp::testing::GpgLab;
using openpgp::testing::Machine;

namespace {

base::Secret secret_text(const std::string& text) {
    auto made = base::Secret::with_capacity(text.size());
    REQUIRE(made);
    REQUIRE(made->append(base::bytes_of(text)));
    return std::move(*made);
}

// A person with a GnuPG home.
class Person : public GpgLab {
public:
    [[nodiscard]] std::vector<std::string> environment() const { return {"GNUPGHOME=" + path("gnupg")}; }
    [[nodiscard]] base::Result<std::string> find(const std::string& key) const {
        return find_signer(key, environment());
    }
    [[nodiscard]] base::Result<openpgp::SignedPassword> sign(const std::string& password,
                                                             const std::string& fingerprint) const {
        return sign_password(secret_text(password), fingerprint, environment());
    }
    [[nodiscard]] std::string exported(const std::string& name) const {
        gpg({"--armor", "--output", "public-" + name, "--export", name});
        return path("public-" + name);
    }
    // "secret" as the machine whose keys are in `lab` gets it, if it demands this person's signature.
    [[nodiscard]] std::string taken_by_machine(const base::Secret& signed_password, const std::string& name) const {
        const GpgLab lab;
        lab.make_curve_key("machine");
        lab.gpg({"--output", "pubkey", "--export", "machine"});
        const auto answer = openpgp::encrypt_answer(lab.path("pubkey"), signed_password, openpgp::Content::message);
        if (!answer) FAIL(answer.error().message());
        Machine machine;
        REQUIRE(machine.create(lab.secret_key("machine"), exported(name)));
        return machine.decrypt(answer->message);
    }
};

}  // namespace

TEST_CASE("what a key of the keyring has signed is taken, byte for byte, by who demands that") {
    const Person alice;
    const std::string kind = GENERATE("curve", "rsa");
    kind == "rsa" ? alice.make_rsa_key("alice") : alice.make_curve_key("alice");
    const auto fingerprint = alice.find("alice");
    if (!fingerprint) FAIL(fingerprint.error().message());
    for (const std::string& password :
         {std::string("x"), std::string("nul\0 and\nlines\r\n\xff \n", 18), std::string(65536, 'p')}) {
        const auto message = alice.sign(password, *fingerprint);
        if (!message) FAIL(message.error().message());
        CHECK(message->expires == 0);
        CHECK(alice.taken_by_machine(message->message, "alice") == password);
    }
}

TEST_CASE("a key is found by fingerprint, key ID and parts of its user ID") {
    const Person alice;
    alice.make_curve_key("Alice Example");
    alice.make_curve_key("bob");
    const std::string fingerprint = alice.fingerprint("Alice");
    for (const std::string& key : {fingerprint, fingerprint.substr(24), "0x" + fingerprint.substr(32),
                                   std::string("Alice Example"), std::string("alice"), std::string("=Alice Example")}) {
        INFO(key);
        const auto found = alice.find(key);
        if (!found) FAIL(found.error().message());
        CHECK(*found == fingerprint);
    }
}

TEST_CASE("a key that is not there, not the only one or not able to sign is an error that says so") {
    const Person alice;
    alice.make_curve_key("alice work");
    alice.make_curve_key("alice home");
    alice.make_key("certifier", "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: cert\n");
    alice.gpg({"--faked-system-time", "20010601T120000!", "--passphrase", "", "--quick-generate-key", "expired",
               "ed25519", "sign", "1y"});
    const Person bob;
    bob.make_curve_key("bob");
    alice.write("bob", bob.read(std::filesystem::path(bob.exported("bob")).filename()));
    alice.gpg({"--import", "bob"});
    struct Case {
        const char* key;
        const char* why;
    };
    for (const Case& which :
         {Case{"nobody", "no such secret key"}, Case{"bob", "no such secret key"}, Case{"alice", "several secret keys"},
          Case{"certifier", "not made for signing"}, Case{"expired", "it has expired"}}) {
        INFO(which.key);
        const auto found = alice.find(which.key);
        REQUIRE_FALSE(found);
        CHECK(found.error().code == base::ExitCode::no_input);
        CHECK_THAT(found.error().message(), Catch::Contains(which.why));
    }
}

TEST_CASE("the agent asks for the key's passphrase") {
    const Person alice;
    alice.make_key("alice", "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign\nPassphrase: open sesame\n");
    alice.use_pinentry("D open sesame\nOK");
    const auto fingerprint = alice.find("alice");
    if (!fingerprint) FAIL(fingerprint.error().message());
    CHECK(alice.read("told").find("GETPIN") == std::string::npos);
    auto environment = alice.environment();
    environment.emplace_back("GPG_TTY=/dev/pts/4711");
    const auto message = sign_password(secret_text("word"), *fingerprint, environment);
    if (!message) FAIL(message.error().message());
    CHECK(alice.taken_by_machine(message->message, "alice") == "word");
    CHECK_THAT(alice.read("told"), Catch::Contains("GETPIN") && Catch::Contains("ttyname=/dev/pts/4711"));
}

TEST_CASE("a passphrase that is wrong or not given is an error that says so") {
    const Person alice;
    const std::string reply = GENERATE("D wrong\nOK", "ERR 83886179 Operation cancelled <Pinentry>");
    alice.make_key("alice", "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign\nPassphrase: open sesame\n");
    alice.use_pinentry(reply);
    const auto fingerprint = alice.find("alice");
    if (!fingerprint) FAIL(fingerprint.error().message());
    const auto message = alice.sign("word", *fingerprint);
    REQUIRE_FALSE(message);
    CHECK(message.error().code == base::ExitCode::no_input);
    CHECK_THAT(message.error().message(), Catch::Contains(reply[0] == 'D' ? "Bad passphrase" : "cancelled"));
}

TEST_CASE("a gpg.conf may ask for armour, but not change the password") {
    const Person alice;
    alice.make_curve_key("alice");
    const auto fingerprint = alice.find("alice");
    if (!fingerprint) FAIL(fingerprint.error().message());
    SECTION("armour") {
        alice.write("gnupg/gpg.conf", "armor\n");
        const auto message = alice.sign("word", *fingerprint);
        if (!message) FAIL(message.error().message());
        CHECK(alice.taken_by_machine(message->message, "alice") == "word");
    }
    SECTION("text with line ends of another kind") {
        alice.write("gnupg/gpg.conf", "textmode\n");
        const auto message = alice.sign("one\r\ntwo\n", *fingerprint);
        REQUIRE_FALSE(message);
        CHECK_THAT(message.error().message(), Catch::Contains("something else than the password"));
    }
}

TEST_CASE("it is said when a signature stops to count: with the key, the subkey or by itself") {
    const Person alice;
    const auto within = [](std::time_t expires, int days) {
        const std::time_t expected = std::time(nullptr) + days * 86400;
        return expires > expected - 3600 && expires <= expected;
    };
    const auto signature_by_alice = [&] {
        const auto fingerprint = alice.find("alice");
        if (!fingerprint) FAIL(fingerprint.error().message());
        auto message = alice.sign("word", *fingerprint);
        if (!message) FAIL(message.error().message());
        return message->expires;
    };
    const auto make = [&](const char* usage, const char* expires) {
        alice.gpg({"--passphrase", "", "--quick-generate-key", "alice", "ed25519", usage, expires});
    };
    SECTION("the key") {
        make("sign", "30d");
        CHECK(within(signature_by_alice(), 30));
    }
    SECTION("the subkey") {
        make("cert", "40d");
        alice.gpg({"--passphrase", "", "--quick-add-key", alice.fingerprint("alice"), "ed25519", "sign", "20d"});
        CHECK(within(signature_by_alice(), 20));
    }
    SECTION("the signature") {
        make("sign", "40d");
        alice.write("gnupg/gpg.conf", "default-sig-expire 10d\n");
        CHECK(within(signature_by_alice(), 10));
    }
}

TEST_CASE("whether a machine takes a signature is known before: with the file that it has") {
    const Person alice;
    alice.gpg({"--passphrase", "", "--quick-generate-key", "alice", "ed25519", "cert"});
    alice.gpg({"--passphrase", "", "--quick-add-key", alice.fingerprint("alice"), "ed25519", "sign"});
    alice.make_curve_key("bob");
    const std::string bob = alice.exported("bob");
    const std::string early =
        alice.write("early", alice.read(std::filesystem::path(alice.exported("alice")).filename()));
    const auto by_first_subkey = alice.sign("word", alice.fingerprint("alice"));
    if (!by_first_subkey) FAIL(by_first_subkey.error().message());
    CHECK(openpgp::check_acceptance(by_first_subkey->message, early));
    CHECK(openpgp::check_acceptance(by_first_subkey->message, alice.exported("alice")));

    const auto other = openpgp::check_acceptance(by_first_subkey->message, bob);
    REQUIRE_FALSE(other);
    CHECK(other.error().code == base::ExitCode::no_input);
    CHECK_THAT(other.error().message(), Catch::Contains("would refuse it") && Catch::Contains("not in " + bob));
    const auto nothing = openpgp::check_acceptance(by_first_subkey->message, alice.path("missing"));
    REQUIRE_FALSE(nothing);
    CHECK_THAT(nothing.error().message(), Catch::Contains("No such file"));

    // A subkey that was made after the file: of several, gpg signs with the newest.
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    alice.gpg({"--passphrase", "", "--quick-add-key", alice.fingerprint("alice"), "ed25519", "sign"});
    const auto by_second_subkey = alice.sign("word", alice.fingerprint("alice"));
    if (!by_second_subkey) FAIL(by_second_subkey.error().message());
    CHECK_FALSE(openpgp::check_acceptance(by_second_subkey->message, early));
    CHECK(openpgp::check_acceptance(by_second_subkey->message, alice.exported("alice")));
}

TEST_CASE("nothing is found where there is no keyring") {
    const GpgLab lab;
    const auto found = find_signer("alice", {"GNUPGHOME=" + lab.path("nowhere")});
    REQUIRE_FALSE(found);
    CHECK(found.error().code == base::ExitCode::no_input);
    CHECK_THAT(found.error().message(), Catch::Contains("the keyring in " + lab.path("nowhere")));
    CHECK_FALSE(std::filesystem::exists(lab.path("nowhere")));
}
