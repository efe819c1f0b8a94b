// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/key_pair.hpp"

#include "catch.hpp"
#include "openpgp/gpg_lab.hpp"
#include "openpgp/output_of.hpp"

using namespace bootkey;
using openpgp::testing::GpgLab;
using openpgp::testing::output_of;

namespace {

std::string public_key_in(const GpgLab& lab, const std::string& name, const std::string& file) {
    lab.gpg({"--armor", "--yes", "--output", file, "--export", name});
    return lab.path(file);
}

}  // namespace

TEST_CASE("the halves of one key belong together, in every form") {
    const GpgLab lab;
    lab.make_curve_key("curve");
    lab.make_rsa_key("rsa");
    CHECK(openpgp::check_key_pair(public_key_in(lab, "curve", "public"), lab.secret_key("curve")));
    CHECK(openpgp::check_key_pair(public_key_in(lab, "rsa", "public"), lab.secret_key("rsa", {})));
}

TEST_CASE("what does not belong together is an error that says so") {
    const GpgLab lab;
    lab.make_curve_key("one");
    lab.make_curve_key("two");
    const std::string before = public_key_in(lab, "one", "before");
    const std::string secret = lab.secret_key("one");
    const auto code = [](const base::Result<void>& checked) {
        return checked ? base::ExitCode::ok : checked.error().code;
    };

    const auto other = openpgp::check_key_pair(public_key_in(lab, "two", "public"), secret);
    REQUIRE_FALSE(other);
    CHECK(other.error().code == base::ExitCode::no_input);
    CHECK_THAT(other.error().message(), Catch::Contains("belong together") && Catch::Contains(secret));

    SECTION("a subkey made later is not in the secret key exported before") {
        const std::string old_secret = lab.write("old-secret", lab.read("secret-one"));
        const std::string listing =
            output_of("gpg --homedir '" + lab.path("gnupg") + "' --with-colons --list-keys one 2>/dev/null").text;
        const std::string fingerprint = listing.substr(listing.find("fpr:::::::::") + 12, 40);
        lab.gpg({"--passphrase", "", "--quick-add-key", fingerprint, "cv25519", "encr"});
        CHECK(code(openpgp::check_key_pair(public_key_in(lab, "one", "after"), old_secret)) ==
              base::ExitCode::no_input);
        CHECK(openpgp::check_key_pair(before, old_secret));
    }
    SECTION("files that are no keys, or the wrong ones") {
        for (const std::string& file :
             {lab.path("missing"), lab.write("empty", ""), lab.write("text", "no key\n"), before})
            CHECK(code(openpgp::check_key_pair(before, file)) == base::ExitCode::no_input);
        CHECK(code(openpgp::check_key_pair(secret, secret)) == base::ExitCode::no_input);
    }
}
