// SPDX-License-Identifier: GPL-3.0-or-later
//
// What bootkey encrypts, gpg has to decrypt, byte for byte.
#include "bootkey/openpgp/answer_encryptor.hpp"

#include "bootkey/base/file.hpp"
#include "catch.hpp"
#include "openpgp/gpg_lab.hpp"
#include "openpgp/output_of.hpp"

using namespace bootkey;
using openpgp::encrypt_answer;
using openpgp::testing::GpgLab;

namespace {

base::Secret secret(const std::string& text) {
    auto made = base::Secret::with_capacity(text.size());
    REQUIRE(made);
    REQUIRE(made->append(base::bytes_of(text)));
    return std::move(*made);
}

std::string public_key(const GpgLab& lab, const std::string& name,
                       const std::vector<std::string>& options = {"--armor"}) {
    std::vector<std::string> words = options;
    words.insert(words.end(), {"--output", "public-" + name, "--export", name});
    lab.gpg(words);
    return lab.path("public-" + name);
}

}  // namespace

TEST_CASE("a password of any bytes arrives as it was") {
    const GpgLab lab;
    lab.make_curve_key("curve");
    const std::string armoured = public_key(lab, "curve");
    std::string every_byte;
    for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(i);
    for (const std::string& password :
         {std::string("word\n"), std::string("\0\n\0", 3), every_byte, std::string(64 * 1024, 'x')}) {
        const auto answer = encrypt_answer(armoured, secret(password));
        if (!answer) FAIL(answer.error().message());
        lab.write("message", answer->message);
        lab.gpg({"--output", "decrypted", "--decrypt", "message"});
        CHECK(lab.read("decrypted") == password);
    }
}

TEST_CASE("an answer names the primary key and is protected against changes") {
    const GpgLab lab;
    lab.make_rsa_key("rsa");
    const auto answer = encrypt_answer(public_key(lab, "rsa", {}), secret("word"));
    if (!answer) FAIL(answer.error().message());
    const std::string home = lab.path("gnupg");
    const auto keys =
        openpgp::testing::output_of("gpg --homedir '" + home + "' --with-colons --list-keys rsa 2>/dev/null");
    CHECK_THAT(keys.text, Catch::Contains("fpr:::::::::" + answer->fingerprint + ":"));
    CHECK(keys.text.find(answer->fingerprint) < keys.text.find("sub:"));
    lab.write("message", answer->message);
    const auto packets = openpgp::testing::output_of("gpg --homedir '" + home + "' --list-packets '" +
                                                     lab.path("message") + "' 2>/dev/null");
    CHECK_THAT(packets.text, Catch::Contains("mdc_method") || Catch::Contains("aead"));
}

TEST_CASE("keys that nothing can be encrypted to are errors that name the file") {
    const GpgLab lab;
    lab.make_key("signer", "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign\n");
    lab.make_curve_key("one");
    lab.make_curve_key("two");
    const std::string both = lab.write("both", "");
    lab.gpg({"--output", "both", "--export", "one", "two"});
    for (const std::string& path : {lab.path("missing"), lab.write("empty", ""), lab.write("text", "no key\n"), both,
                                    public_key(lab, "signer")}) {
        const auto answer = encrypt_answer(path, secret("word"));
        INFO(path);
        REQUIRE_FALSE(answer);
        CHECK(answer.error().code == base::ExitCode::no_input);
        CHECK_THAT(answer.error().message(), Catch::Contains(path));
    }
}
