// SPDX-License-Identifier: GPL-3.0-or-later
//
// With keys that --generate-keys makes; gpg decrypts what came out.
#include "bootkey/modes/enroll.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <optional>

#include "base/forked.hpp"
#include "base/temporary_directory.hpp"
#include "bootkey/modes/generate_keys.hpp"
#include "bootkey/modes/host_name.hpp"
#include "catch.hpp"
#include "modes/person.hpp"
#include "openpgp/gpg_lab.hpp"
#include "openpgp/output_of.hpp"

using namespace bootkey;

namespace {

class Machine {
public:
    explicit Machine(bool tls_key = false) {
        options_.key_directory = root_ / "keys";
        options_.tls_key = tls_key;
        const base::Log log(0);
        REQUIRE(modes::generate_keys(options_, log));
        options_.pubkey = root_ / "keys/pubkey.txt";
        options_.seckey = root_ / "keys/seckey.txt";
        options_.name = "laptop";
    }

    options::Options& options() { return options_; }
    [[nodiscard]] std::string path(const std::string& name) const { return root_ / name; }
    void password(const std::string& bytes) {
        options_.password_file = root_ / "password";
        std::ofstream(options_.password_file, std::ios::binary) << bytes;
    }
    // Enrols with standard output at `output`; the exit status.
    [[nodiscard]] int enroll(const std::string& output) const {
        const base::UniqueFd file(open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        if (!file || dup2(file.get(), STDOUT_FILENO) < 0) return 1;
        base::Log log;
        log.add_sink(
            [&](const base::LogEntry& entry) { std::ofstream(path("log"), std::ios::app) << entry.text << "\n"; });
        const auto done = modes::enroll(options_, keyring_, log);
        return done ? 0 : static_cast<int>(done.error().code);
    }
    // The same in a child; its standard output is then in the file "printed".
    [[nodiscard]] int enroll() const {
        return base::testing::forked([&] { return enroll(path("printed")); });
    }
    [[nodiscard]] std::string printed() const { return read("printed"); }
    // What the person was told.
    [[nodiscard]] std::string told() const { return read("log"); }
    // From now on the person has the keyring of `lab`.
    void use_keyring(const openpgp::testing::GpgLab& lab) { keyring_ = {"GNUPGHOME=" + lab.path("gnupg")}; }
    // What the secret in the printed section decrypts to; gpg's status lines are then in the file "status".
    [[nodiscard]] std::string decrypted() const {
        const std::string gpg = "gpg --homedir '" + path("gnupg") + "' --batch --quiet ";
        const auto result = openpgp::testing::output_of(
            "mkdir -p -m 700 '" + path("gnupg") + "' && " + gpg + "--import '" + options_.seckey +
            "' && sed '1,/^secret/d' '" + path("printed") + "' | tr -d ' ' | base64 -d | " + gpg + "--status-file '" +
            path("status") + "' --decrypt 2>/dev/null; gpgconf --homedir '" + path("gnupg") + "' --kill all");
        return result.text;
    }
    // Whether what was decrypted was signed by the key with this fingerprint, or its subkey.
    [[nodiscard]] bool was_signed_by(const std::string& fingerprint) const {
        return read("status").find("ERRSIG " + fingerprint.substr(24)) != std::string::npos;
    }

private:
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ifstream file(path(name), std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    base::testing::TemporaryDirectory root_;
    options::Options options_;
    std::vector<std::string> keyring_;
};

}  // namespace

TEST_CASE("the option --enroll prints a section whose secret decrypts to the password in the file, byte for byte") {
    Machine machine(GENERATE(false, true));
    const std::string password("pass\0word\n\n", 11);
    machine.password(password);
    machine.options().host = "192.0.2.1";
    REQUIRE(machine.enroll() == 0);
    CHECK_THAT(machine.printed(), Catch::StartsWith("[laptop]\nhost = 192.0.2.1\nkey_id = ") &&
                                      Catch::Contains("\nfingerprint = ") && Catch::Contains("\nsecret =\n    "));
    CHECK(machine.decrypted() == password);
}

TEST_CASE("the key ID in the section is that of the TLS pair, if there is one") {
    Machine machine(true);
    machine.password("word");
    REQUIRE(machine.enroll() == 0);
    const std::string digest =
        openpgp::testing::output_of("openssl pkey -pubin -in '" + machine.path("keys/tls-pubkey.pem") +
                                    "' -outform DER | sha256sum")
            .text.substr(0, 64);
    CHECK_THAT(machine.printed(), Catch::Contains("\nkey_id = " + digest + "\n"));
}

TEST_CASE("without a name the section has the host's") {
    Machine machine;
    machine.password("word");
    machine.options().name.clear();
    const std::string name = modes::host_name();
    if (machine.enroll() != 0) {
        WARN("skipped: the name of this host, " << name << ", cannot be a section");
        return;
    }
    CHECK_THAT(machine.printed(), Catch::StartsWith("[" + name + "]\nhost = " + name + "\n"));
}

TEST_CASE("the option --enroll=script prints a script") {
    Machine machine;
    machine.password("word");
    machine.options().enroll_script = true;
    REQUIRE(machine.enroll() == 0);
    CHECK_THAT(machine.printed(), Catch::StartsWith("#!/bin/sh\n") && Catch::Contains("[laptop]"));
}

TEST_CASE(
    "with --sign-with the secret is signed by a key of the person's keyring, and the person is told what to do next") {
    const openpgp::testing::GpgLab lab;
    lab.make_curve_key("admin");
    Machine machine;
    machine.use_keyring(lab);
    machine.options().sign_with = "admin";
    machine.password("word\r\n");
    REQUIRE(machine.enroll() == 0);
    const std::string fingerprint = lab.fingerprint("admin");
    CHECK(machine.decrypted() == "word\r\n");
    CHECK(machine.was_signed_by(fingerprint));
    CHECK_THAT(machine.told(),
               Catch::Contains("--export " + fingerprint) && Catch::Contains("--require-signature=FILE"));
}

TEST_CASE("a machine that demands signatures is enrolled only with one that it takes") {
    const openpgp::testing::GpgLab lab;
    lab.make_curve_key("admin");
    lab.make_curve_key("other");
    lab.gpg({"--output", "signers", "--export", "admin"});
    Machine machine;
    machine.use_keyring(lab);
    machine.password("word");
    machine.options().require_signature = lab.path("signers");
    SECTION("no signature") {
        CHECK(machine.enroll() == static_cast<int>(base::ExitCode::usage));
        CHECK(machine.printed().empty());
    }
    SECTION("a signature by another key") {
        machine.options().sign_with = "other";
        CHECK(machine.enroll() == static_cast<int>(base::ExitCode::no_input));
        CHECK(machine.printed().empty());
    }
    SECTION("a signature by the right key") {
        machine.options().sign_with = "admin";
        REQUIRE(machine.enroll() == 0);
        CHECK(machine.decrypted() == "word");
    }
}

TEST_CASE("a signature that will expire is warned of") {
    const openpgp::testing::GpgLab lab;
    lab.gpg({"--passphrase", "", "--quick-generate-key", "admin", "ed25519", "sign", "2040-06-01"});
    Machine machine;
    machine.use_keyring(lab);
    machine.options().sign_with = "admin";
    machine.password("word");
    REQUIRE(machine.enroll() == 0);
    CHECK_THAT(machine.told(), Catch::Contains("until 2040-06-01 only"));
}

TEST_CASE("the key's passphrase is asked for on the terminal, also if standard output is none") {
    const openpgp::testing::GpgLab lab;
    lab.make_key("admin", "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign\nPassphrase: open sesame\n");
    lab.use_pinentry("D open sesame\nOK");
    Machine machine;
    machine.use_keyring(lab);
    machine.options().sign_with = "admin";
    const auto session = modes::testing::typing({"typed word\n", "typed word\n"},
                                                [&] { return machine.enroll(machine.path("printed")); });
    REQUIRE(session.status == 0);
    CHECK(machine.decrypted() == "typed word");
    CHECK_THAT(lab.read("told"), Catch::Contains("ttyname=/dev/pts/"));
}

TEST_CASE("a password is typed twice if no file is named") {
    const Machine machine;
    const auto session = modes::testing::typing({"typed word\n", "typed word\n"},
                                                [&] { return machine.enroll(machine.path("printed")); });
    CHECK(session.status == 0);
    CHECK(session.screen.find("typed") == std::string::npos);
    CHECK(machine.decrypted() == "typed word");
    const auto slip = modes::testing::typing({"typed word\n", "typed wort\n"},
                                             [&] { return machine.enroll(machine.path("printed")); });
    CHECK(slip.status == static_cast<int>(base::ExitCode::usage));
    CHECK(machine.printed().empty());
}

TEST_CASE("what cannot be enrolled is refused with nothing printed") {
    Machine machine;
    std::optional<Machine> other;
    const openpgp::testing::GpgLab lab;
    int expected = static_cast<int>(base::ExitCode::usage);
    SECTION("an empty password") {
        machine.password("");
    }
    SECTION("a name that cannot be a section") {
        machine.password("word");
        machine.options().name = "a]\n[b";
    }
    SECTION("a password that no client takes") {
        machine.password(std::string(64 * 1024 + 1, 'x'));
        expected = static_cast<int>(base::ExitCode::no_input);
    }
    SECTION("no password file") {
        machine.options().password_file = machine.path("missing");
        expected = static_cast<int>(base::ExitCode::no_input);
    }
    SECTION("no keys") {
        machine.password("word");
        machine.options().seckey = machine.path("missing");
        expected = static_cast<int>(base::ExitCode::no_input);
    }
    SECTION("no key to sign with, which is known before a password is asked for") {
        machine.options().sign_with = "admin";
        machine.use_keyring(lab);
        expected = static_cast<int>(base::ExitCode::no_input);
    }
    SECTION("keys that do not belong together") {
        machine.password("word");
        machine.options().seckey = other.emplace().path("keys/seckey.txt");
        expected = static_cast<int>(base::ExitCode::no_input);
    }
    CHECK(machine.enroll() == expected);
    CHECK(machine.printed().empty());
}

TEST_CASE("a full disk behind standard output is an error") {
    Machine machine;
    machine.password("word");
    CHECK(base::testing::forked([&] { return machine.enroll("/dev/full"); }) ==
          static_cast<int>(base::ExitCode::io_error));
}
