// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/signer_keys.hpp"

#include "catch.hpp"
#include "openpgp/gpg_lab.hpp"

using namespace bootkey;
using openpgp::read_signer_keys;
using openpgp::testing::GpgLab;

namespace {

std::string text_of_keys(const base::Secret& secret) {
    return {reinterpret_cast<const char*>(secret.bytes().data()), secret.size()};
}

std::string exported(const GpgLab& lab, std::vector<std::string> options) {
    options.insert(options.begin(), {"--output", "exported"});
    lab.gpg(options);
    return lab.read("exported");
}

}  // namespace

TEST_CASE("public keys are read from armour and binary files, one or several") {
    const GpgLab lab;
    lab.make_curve_key("one");
    lab.make_curve_key("two");
    const std::string one = exported(lab, {"--export", "one"});
    const std::string two = exported(lab, {"--export", "two"});
    const std::string armoured_one = exported(lab, {"--armor", "--export", "one"});
    const std::string armoured_two = exported(lab, {"--armor", "--export", "two"});
    const std::vector<std::pair<std::string, std::string>> files = {
        {one, one},
        {one + two, one + two},
        {armoured_one, one},
        {armoured_one + armoured_two, one + two},
        {"Alice:\n" + armoured_one + "\nBob: -----BEGIN PGP hm\n" + armoured_two + "the end\n", one + two},
        {exported(lab, {"--armor", "--export", "one", "two"}), one + two},
    };
    for (const auto& [content, packets] : files) {
        const auto keys = read_signer_keys(lab.write("signers", content));
        if (!keys) FAIL(keys.error().message());
        CHECK(text_of_keys(*keys) == packets);
    }
}

TEST_CASE("a file that holds no public keys, or more than them, is refused with the reason") {
    const GpgLab lab;
    lab.make_curve_key("one");
    const std::string key = exported(lab, {"--export", "one"});
    const std::string armoured = exported(lab, {"--armor", "--export", "one"});
    lab.gpg({"--output", "secret", "--passphrase", "", "--export-secret-keys", "one"});
    lab.gpg({"--armor", "--output", "armoured-secret", "--passphrase", "", "--export-secret-keys", "one"});
    struct Case {
        const char* what;
        std::string content;
        const char* why;
    };
    const std::vector<Case> cases = {
        {"nothing", "", "the file is empty"},
        {"text", "alice@example.org\n", "neither binary OpenPGP data nor ASCII armour"},
        {"a keybox", std::string("\0\0\0\x20KBXf", 8), "neither binary OpenPGP data nor ASCII armour"},
        {"a secret key", lab.read("secret"), "a secret key among them"},
        {"a secret key in armour", lab.read("armoured-secret"), "a secret key among them"},
        {"a secret key after a public one", key + lab.read("secret"), "a secret key among them"},
        {"the same in armour", armoured + lab.read("armoured-secret"), "a secret key among them"},
        {"a message", lab.encrypted("word", "one"), "something else than OpenPGP keys"},
        {"a signature", lab.message("word", {"--local-user", "one", "--detach-sign"}),
         "something else than OpenPGP keys"},
        {"a key that is cut off", key.substr(0, key.size() - 1), "cut off"},
        {"armour that is cut off", armoured.substr(0, armoured.size() / 2), "its ASCII armour"},
        {"armour around nothing", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n",
         "there is no key in it"},
        {"too much", std::string(256 * 1024 + 1, '\x99'), "longer than"},
    };
    for (const Case& which : cases) {
        INFO(which.what);
        const std::string path = lab.write("signers", which.content);
        const auto keys = read_signer_keys(path);
        REQUIRE_FALSE(keys);
        CHECK(keys.error().code == base::ExitCode::no_input);
        CHECK_THAT(keys.error().message(), Catch::Contains(path) && Catch::Contains(which.why));
    }
    const auto missing = read_signer_keys(lab.path("missing"));
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == base::ExitCode::no_input);
    CHECK_THAT(missing.error().message(), Catch::Contains(lab.path("missing")) && Catch::Contains("No such file"));
}
