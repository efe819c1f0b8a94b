// SPDX-License-Identifier: GPL-3.0-or-later
//
// A real GnuPG home for tests, as an administrator has one: makes keys and messages with the installed gpg. Removed,
// and its agent ended, with the object.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/temporary_directory.hpp"
#include "bootkey/base/child_process.hpp"
#include "catch.hpp"
#include "openpgp/output_of.hpp"

namespace bootkey::openpgp::testing {

inline std::vector<std::byte> bytes(const std::string& text) {
    const auto* begin = reinterpret_cast<const std::byte*>(text.data());
    return {begin, begin + text.size()};
}

class GpgLab {
public:
    GpgLab() {
        std::filesystem::create_directory(home_);
        std::filesystem::permissions(home_, std::filesystem::perms::owner_all);
        // Passphrases of tests need no key derivation that takes long, and no measuring of how long it takes.
        std::ofstream(home_ + "/gpg-agent.conf") << "s2k-count 65536\n";
    }
    ~GpgLab() { end_agent(); }
    GpgLab(const GpgLab&) = delete;
    GpgLab& operator=(const GpgLab&) = delete;

    [[nodiscard]] std::string path(const std::string& name) const { return directory_ / name; }

    [[nodiscard]] std::string read(const std::string& name) const {
        std::ifstream file(path(name), std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    std::string write(const std::string& name, const std::string& content) const {
        std::ofstream(path(name), std::ios::binary) << content;
        return path(name);
    }

    /// Runs gpg in the directory of the files and requires its success.
    void gpg(const std::vector<std::string>& options) const {
        base::Command command{.program = "/usr/bin/gpg",
                              .arguments = {"gpg", "--homedir", home_, "--batch", "--yes", "--quiet", "--no-tty",
                                            "--trust-model", "always", "--pinentry-mode", "loopback"},
                              .environment = {"PATH=/usr/bin:/bin"},
                              .directory = directory_ / ""};
        command.arguments.insert(command.arguments.end(), options.begin(), options.end());
        const auto ended = base::run_and_wait(command, base::from_seconds(50));
        if (!ended) FAIL(ended.error().message());
        INFO("gpg " << options.front());
        REQUIRE(ended->text() == "exit status 0");
    }

    /// Ends the agent, which has the passphrases of keys that were made or used. The next gpg starts another one.
    void end_agent() const {
        const auto ended = base::run_and_wait({.program = "/usr/bin/gpgconf",
                                               .arguments = {"gpgconf", "--homedir", home_, "--kill", "all"},
                                               .environment = {"PATH=/usr/bin:/bin"}},
                                              base::from_seconds(10));
        (void)ended.ok();  // without an agent there is nothing to end
    }

    /// From now on the agent asks for passphrases by a program that gives `reply` to GETPIN (a reply of libassuan's
    /// protocol) and notes in the file "told" what it is told.
    void use_pinentry(const std::string& reply) const {
        const std::string program = write("pinentry", R"(#!/bin/sh
echo OK
while read -r line; do
    echo "$line" >>')" + path("told") + R"('
    case $line in
        GETPIN) echo ')" + reply + R"(' ;;
        BYE) echo OK; exit ;;
        *) echo OK ;;
    esac
done
)");
        std::filesystem::permissions(program, std::filesystem::perms::owner_all);
        std::ofstream(home_ + "/gpg-agent.conf", std::ios::app) << "pinentry-program " << program << "\n";
        end_agent();  // one that may know the passphrase and has another program
    }

    /// The fingerprint of the primary key that `name` means.
    [[nodiscard]] std::string fingerprint(const std::string& name) const {
        const std::string listing =
            output_of("gpg --homedir '" + home_ + "' --with-colons --list-keys '" + name + "' 2>/dev/null").text;
        const std::size_t place = listing.find("fpr:::::::::");
        REQUIRE(place != std::string::npos);
        return listing.substr(place + 12, 40);
    }

    /// Makes a key whose user id is `name`; `lines` are gpg's batch parameters for the keys, `options` more for gpg.
    void make_key(const std::string& name, const std::string& lines, std::vector<std::string> options = {}) const {
        const bool protects = lines.find("Passphrase") != std::string::npos;
        options.insert(options.end(),
                       {"--gen-key", write("parameters", lines + (protects ? "" : "%no-protection\n") +
                                                             "Name-Real: " + name + "\nExpire-Date: 0\n%commit\n")});
        gpg(options);
    }
    /// An Ed25519 primary key [SC] with a Curve25519 subkey [E].
    void make_curve_key(const std::string& name, std::vector<std::string> options = {}) const {
        make_key(name,
                 "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign\nSubkey-Type: ecdh\nSubkey-Curve: "
                 "cv25519\nSubkey-Usage: encrypt\n",
                 std::move(options));
    }
    /// Short RSA keys: long ones take seconds to make.
    void make_rsa_key(const std::string& name) const {
        make_key(name,
                 "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign\nSubkey-Type: RSA\nSubkey-Length: "
                 "2048\nSubkey-Usage: encrypt\n");
    }
    /// Exports the secret key to a file; its path.
    [[nodiscard]] std::string secret_key(const std::string& name,
                                         std::vector<std::string> options = {"--armor"}) const {
        options.insert(options.end(), {"--output", "secret-" + name, "--passphrase", "", "--export-secret-keys", name});
        gpg(options);
        return path("secret-" + name);
    }
    /// What gpg makes of `plaintext` with `options`, which say what to do and for whom.
    [[nodiscard]] std::string message(const std::string& plaintext, std::vector<std::string> options) const {
        write("plaintext", plaintext);
        options.insert(options.begin(), {"--output", "message"});
        options.push_back("plaintext");
        gpg(options);
        return read("message");
    }
    [[nodiscard]] std::string encrypted(const std::string& plaintext, const std::string& name) const {
        return message(plaintext, {"--recipient", name, "--encrypt"});
    }

private:
    base::testing::TemporaryDirectory directory_;
    std::string home_ = directory_ / "gnupg";
};

}  // namespace bootkey::openpgp::testing
