// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which signatures make an answer count, with the decryptor and the installed gpg; keys, signatures and what is wrong
// with them are made by gpg too.

#include "catch.hpp"
#include "openpgp/decrypting_machine.hpp"
#include "openpgp/gpg_lab.hpp"

using namespace bootkey;
using openpgp::testing::GpgLab;
using openpgp::testing::Machine;

namespace {

using Words = std::vector<std::string>;

const Words in_2001 = {"--faked-system-time", "20010601T120000!"};
const Words in_2040 = {"--faked-system-time", "20400601T120000!"};

Words operator+(Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

// The people who sign, and what they do.
class Signers : public GpgLab {
public:
    Signers() { make_curve_key("machine"); }

    // Ed25519, one key that certifies and signs; `expires` as gpg takes it.
    void make_signer(const std::string& name, const std::string& expires = "never", const Words& when = {}) const {
        gpg(when + Words{"--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", expires});
    }
    // A key that only certifies, with a subkey that signs.
    void make_signer_with_subkey(const std::string& name, const std::string& subkey_expires = "never",
                                 const Words& when = {}) const {
        gpg(when + Words{"--passphrase", "", "--quick-generate-key", name, "ed25519", "cert", "never"});
        add_subkey(name, subkey_expires, when);
    }
    void add_subkey(const std::string& name, const std::string& expires = "never", const Words& when = {}) const {
        gpg(when + Words{"--passphrase", "", "--quick-add-key", fingerprint(name), "ed25519", "sign", expires});
    }
    // With the certificate that gpg has made beside the key; a colon keeps it from being used by mistake.
    void revoke(const std::string& name) const {
        std::string text = read("gnupg/openpgp-revocs.d/" + fingerprint(name) + ".rev");
        text.erase(text.find(":-----BEGIN"), 1);
        write("revocation", text);
        gpg({"--import", "revocation"});
    }
    void revoke_subkey(const std::string& name) const {
        write("commands", "key 1\nrevkey\ny\n0\n\ny\nsave\n");
        gpg({"--command-file", "commands", "--edit-key", name});
    }
    // A file with the public keys of these people.
    [[nodiscard]] std::string file(const Words& names, const std::string& file_name = "signers") const {
        gpg(Words{"--armor", "--output", file_name, "--export"} + names);
        return path(file_name);
    }
    // "secret", signed by these people and encrypted to the machine.
    [[nodiscard]] std::string signed_by(const Words& names, const Words& more = {}) const {
        Words options = more + Words{"--recipient", "machine", "--sign", "--encrypt"};
        for (const std::string& name : names) options = Words{"--local-user", name} + options;
        return message("secret", options);
    }
    // "secret", signed by these people at some time and not encrypted.
    [[nodiscard]] std::string signed_only(const Words& names, const Words& when = {}) const {
        Words options = when + Words{"--compress-algo", "none", "--sign"};
        for (const std::string& name : names) options = Words{"--local-user", name} + options;
        return message("secret", options);
    }
    [[nodiscard]] std::string not_signed(const std::string& plaintext) const {
        return message(plaintext, {"--compress-algo", "none", "--store"});
    }
    // OpenPGP packets, whatever they are, encrypted to the machine.
    [[nodiscard]] std::string wrapped(const std::string& packets) const {
        return message(packets, {"--no-literal", "--compress-algo", "none", "--recipient", "machine", "--encrypt"});
    }
};

std::string with_changed(std::string text, const std::string& part, const std::string& instead) {
    const std::size_t at = text.find(part);
    REQUIRE(at != std::string::npos);
    return text.replace(at, part.size(), instead);
}

}  // namespace

TEST_CASE("an answer that one of the keys has signed counts, in every form") {
    const Signers lab;
    lab.make_signer("alice");
    lab.make_rsa_key("bob");
    lab.make_signer_with_subkey("carol");
    lab.make_signer_with_subkey("dora");
    lab.add_subkey("dora");
    lab.make_signer("stranger");
    lab.make_signer("old", "never", in_2001);
    lab.make_signer("expired", "1y", in_2001);
    const std::vector<std::string> messages = {
        lab.signed_by({"alice"}),
        lab.signed_by({"bob"}),
        lab.signed_by({"carol"}),  // by a subkey
        lab.signed_by({"dora"}),
        lab.signed_by({"alice", "bob"}),
        lab.signed_by({"alice", "stranger"}),
        lab.signed_by({"stranger", "bob"}),
        lab.wrapped(lab.signed_only({"old", "expired"}, in_2001)),
        lab.wrapped(lab.signed_only({"expired", "old"}, in_2001)),
        lab.signed_by({"alice"}, {"--compress-algo", "none"}),
        lab.signed_by({"bob"}, {"--compress-algo", "zip"}),
        lab.signed_by({"carol"}, {"--compress-algo", "bzip2"}),
        lab.signed_by({"alice"}, {"--armor"}),
        lab.signed_by({"alice"}, {"--digest-algo", "SHA512"}),
        lab.wrapped(lab.signed_only({"alice"})),
        lab.wrapped(lab.signed_only({"bob"})),
    };
    Machine machine;
    REQUIRE(machine.create(lab.secret_key("machine"), lab.file({"alice", "bob", "carol", "dora", "old", "expired"})));
    CHECK(machine.decrypt(messages) == std::vector<std::string>(messages.size(), "secret"));
    CHECK_FALSE(machine.failure);
}

TEST_CASE("an answer that none of the keys has signed is refused with the reason, and the next answer is taken") {
    const Signers lab;
    lab.make_signer("alice");
    lab.make_signer("stranger");
    lab.make_signer("revoked");
    lab.make_signer_with_subkey("subkey-revoked");
    lab.make_signer("old", "never", in_2001);
    lab.make_signer("passer-by", "never", in_2001);
    lab.make_signer("expired", "1y", in_2001);
    lab.make_signer_with_subkey("subkey-expired", "1y", in_2001);
    lab.make_curve_key("another");
    const std::string by_alice = lab.signed_only({"alice"});
    const auto key = [&](const char* name) { return "the key " + lab.fingerprint(name); };
    struct Case {
        const char* what;
        std::string message;
        std::string why;
    };
    const std::vector<Case> cases = {
        {"no signature", lab.encrypted("secret", "machine"), "it is not signed"},
        {"a stranger", lab.signed_by({"stranger"}), "it is signed by " + key("stranger") + ", which is not in "},
        {"the machine itself", lab.signed_by({"machine"}), "it is signed by " + key("machine") + ", which is not in "},
        {"a revoked key", lab.signed_by({"revoked"}), key("revoked") + ", which has signed it, has been revoked"},
        {"a revoked subkey", lab.signed_by({"subkey-revoked"}),
         "of " + key("subkey-revoked") + ", which has signed it, has been revoked"},
        {"an expired key", lab.wrapped(lab.signed_only({"expired"}, in_2001)),
         key("expired") + ", which has signed it, has expired"},
        {"an expired subkey", lab.wrapped(lab.signed_only({"subkey-expired"}, in_2001)),
         "of " + key("subkey-expired") + ", which has signed it, has expired"},
        {"an expired signature", lab.wrapped(lab.signed_only({"old"}, in_2001 + Words{"--default-sig-expire", "1d"})),
         "its signature by " + key("old") + " has expired"},
        {"two of that", lab.wrapped(lab.signed_only({"passer-by", "expired"}, in_2001)),
         key("expired") + ", which has signed it, has expired"},
        {"another text than the signed one", lab.wrapped(with_changed(by_alice, "secret", "Secret")), "is wrong"},
        {"one of them, but to another machine",
         lab.message("secret", {"--local-user", "alice", "--recipient", "another", "--sign", "--encrypt"}),
         "it is encrypted to another key"},
        {"something in front", lab.wrapped(lab.not_signed("other") + by_alice), "not a whole OpenPGP message"},
        {"something behind", lab.wrapped(by_alice + lab.not_signed("other")), "not a whole OpenPGP message"},
        {"a signature of something else",
         lab.wrapped(lab.message("something", {"--local-user", "alice", "--detach-sign"}) + lab.not_signed("secret")),
         "is wrong"},
    };
    lab.revoke("revoked");
    lab.revoke_subkey("subkey-revoked");
    Machine machine;
    const Words signers = {"alice", "revoked", "subkey-revoked", "old", "expired", "subkey-expired"};
    REQUIRE(machine.create(lab.secret_key("machine"), lab.file(signers)));
    const std::string good = lab.signed_by({"alice"});
    for (const Case& which : cases) {
        INFO(which.what);
        const auto results = machine.decrypt({which.message, good});
        CHECK_THAT(results[0], Catch::StartsWith("!cannot ") && Catch::Contains(which.why));
        CHECK(results[1] == "secret");
    }
}

TEST_CASE("the machine's own key may be one of the signers'") {
    const Signers lab;
    Machine machine;
    REQUIRE(machine.create(lab.secret_key("machine"), lab.file({"machine"})));
    CHECK(machine.decrypt(lab.signed_by({"machine"})) == "secret");
    CHECK_THAT(machine.decrypt(lab.encrypted("secret", "machine")), Catch::Contains("it is not signed"));
}

TEST_CASE("where no signature is demanded, none matters") {
    const Signers lab;
    lab.make_signer("stranger");
    lab.make_signer("expired", "1y", in_2001);
    const std::vector<std::string> messages = {
        lab.encrypted("secret", "machine"),
        lab.signed_by({"stranger"}),
        lab.signed_by({"machine"}),
        lab.wrapped(lab.signed_only({"expired"}, in_2001)),
    };
    Machine machine;
    REQUIRE(machine.create(lab.secret_key("machine")));
    CHECK(machine.decrypt(messages) == std::vector<std::string>(messages.size(), "secret"));
}

TEST_CASE("a signer from the future, as all are before the clock is set, counts") {
    const Signers lab;
    lab.make_signer("alice", "1y", in_2040);
    lab.make_signer_with_subkey("carol", "1y", in_2040);
    Machine machine;
    REQUIRE(machine.create(lab.secret_key("machine"), lab.file({"alice", "carol"})));
    const std::vector<std::string> messages = {lab.wrapped(lab.signed_only({"alice"}, in_2040)),
                                               lab.wrapped(lab.signed_only({"carol"}, in_2040))};
    CHECK(machine.decrypt(messages) == std::vector<std::string>{"secret", "secret"});
}

TEST_CASE("signers' keys that gpg cannot use are the end, unless there is another one") {
    const Signers lab;
    lab.make_signer("alice");
    const std::string alice = lab.signed_by({"alice"});
    lab.gpg({"--output", "alone", "--export", "machine"});
    const std::string key = lab.read("alone");
    // The first packet, with a length of one byte: a key that nobody has bound to a name.
    const std::string naked = key.substr(0, 2u + static_cast<unsigned char>(key[1]));
    lab.gpg({"--output", "alice", "--export", "alice"});
    Machine machine;
    SECTION("there is none") {
        REQUIRE(machine.create(lab.secret_key("machine"), lab.write("signers", naked)));
        machine.run_for(std::chrono::seconds(20));
        REQUIRE(machine.failure);
        CHECK(machine.failure->code == base::ExitCode::no_input);
        CHECK_THAT(machine.failure->message(), Catch::Contains(lab.path("signers")));
    }
    SECTION("there is") {
        REQUIRE(machine.create(lab.secret_key("machine"), lab.write("signers", naked + lab.read("alice"))));
        CHECK(machine.decrypt(alice) == "secret");
        CHECK_FALSE(machine.failure);
    }
}

TEST_CASE("a signers' file that is none is refused at once") {
    const Signers lab;
    Machine machine;
    CHECK_FALSE(machine.create(lab.secret_key("machine"), lab.write("signers", "no key\n")));
    REQUIRE(machine.failure);
    CHECK(machine.failure->code == base::ExitCode::no_input);
    CHECK_THAT(machine.failure->message(), Catch::Contains(lab.path("signers")));
    CHECK(std::filesystem::is_empty(machine.home));
}
