// SPDX-License-Identifier: GPL-3.0-or-later
//
// Decrypting with a key that a passphrase protects: the decryptor, the installed gpg and gpg-agent.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "bootkey/openpgp/key_unlocking.hpp"
#include "catch.hpp"
#include "openpgp/decrypting_machine.hpp"
#include "openpgp/gpg_lab.hpp"

using namespace bootkey;
using namespace std::chrono_literals;
using openpgp::testing::bytes;
using openpgp::testing::GpgLab;
using openpgp::testing::Machine;

namespace {

const std::string passphrase = "open s\xC3\xA9same";

/// A protected key; the file with it.
std::string protected_key(const GpgLab& lab, const std::string& kind = "curve") {
    lab.make_key("machine",
                 (kind == "curve" ? "Key-Type: eddsa\nKey-Curve: ed25519\nSubkey-Type: ecdh\nSubkey-Curve: cv25519\n"
                  : kind == "rsa" ? "Key-Type: RSA\nKey-Length: 2048\nSubkey-Type: RSA\nSubkey-Length: 2048\n"
                                  : "Key-Type: DSA\nKey-Length: 1024\nSubkey-Type: ELG-E\nSubkey-Length: 1024\n") +
                     std::string("Passphrase: ") + passphrase + "\n");
    lab.gpg({"--armor", "--output", "protected", "--passphrase", passphrase, "--export-secret-keys", "machine"});
    return lab.path("protected");
}

/// The pid of the agent that a machine has started.
pid_t agent_of(const Machine& machine) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::ifstream file(entry.path() / "cmdline", std::ios::binary);
        const std::string words{std::istreambuf_iterator<char>(file), {}};
        if (words.starts_with("gpg-agent") && words.find(machine.home) != std::string::npos)
            return static_cast<pid_t>(std::stol(entry.path().filename()));
    }
    return 0;
}

base::Secret secret_with(const std::string& text) {
    auto made = base::Secret::with_capacity(text.size());
    REQUIRE(made);
    REQUIRE(made->append(bytes(text)));
    return std::move(*made);
}

}  // namespace

TEST_CASE("a key is unlocked by its passphrase, once for all answers, also those that wait for it") {
    const GpgLab lab;
    const std::string seckey = protected_key(lab, GENERATE("curve", "rsa", "elgamal"));
    const std::string message = lab.encrypted("secret", "machine");
    Machine machine;
    REQUIRE(machine.create(seckey));
    CHECK(machine.key_name == "machine");
    machine.give(passphrase);
    CHECK(machine.decrypt({message, message}) == std::vector<std::string>{"secret", "secret"});
    CHECK(machine.decrypt(message) == "secret");
    CHECK(machine.questions.empty());
    CHECK_FALSE(machine.failure);
}

TEST_CASE("a wrong passphrase is asked for again, with or without an answer that waits") {
    const GpgLab lab;
    const std::string seckey = protected_key(lab);
    const std::string message = lab.encrypted("secret", "machine");
    Machine machine;
    REQUIRE(machine.create(seckey));
    const std::vector<std::string> wrong_ones = {
        "wrong", "", "two\nlines", std::string("\0", 1), std::string(256, 'x'), passphrase + "x"};
    for (const auto& wrong : wrong_ones) {
        machine.give(wrong);
        machine.run_for(20s);  // until it is asked for
    }
    CHECK(machine.questions == std::vector<bool>(wrong_ones.size(), true));
    machine.give("wrong");
    machine.reply = passphrase;
    CHECK(machine.decrypt(message) == "secret");
    CHECK(machine.questions.size() == wrong_ones.size() + 1);
    CHECK_FALSE(machine.failure);
}

TEST_CASE("the last of several passphrases counts that are given at once") {
    const GpgLab lab;
    Machine machine;
    REQUIRE(machine.create(protected_key(lab)));
    machine.give("wrong");
    machine.give(passphrase);
    CHECK(machine.decrypt(lab.encrypted("secret", "machine")) == "secret");
    CHECK(machine.questions.empty());
}

TEST_CASE("answers wait for the passphrase as long as it takes") {
    const GpgLab lab;
    Machine machine;
    REQUIRE(machine.create(protected_key(lab)));
    std::optional<bool> decrypted;
    machine.decryptor->decrypt(bytes(lab.encrypted("secret", "machine")), base::from_seconds(30),
                               [&](const base::Result<base::Secret>& result) {
                                   decrypted = result.ok();
                                   machine.loop->stop();
                               });
    machine.run_for(500ms);
    CHECK_FALSE(decrypted);
    CHECK(machine.questions.empty());
    machine.give(passphrase);
    machine.run_for(20s);
    CHECK(decrypted == true);
}

TEST_CASE("no answer gets gpg to ask for a passphrase, or a person to be asked for one") {
    const GpgLab lab;
    const std::string seckey = protected_key(lab);
    const std::string by_passphrase = lab.message("secret", {"--passphrase", "x", "--symmetric"});
    const std::string by_both =
        lab.message("secret", {"--passphrase", "x", "--recipient", "machine", "--symmetric", "--encrypt"});
    const std::string good = lab.encrypted("secret", "machine");
    Machine machine;
    REQUIRE(machine.create(seckey));
    machine.give(passphrase);
    const auto results = machine.decrypt({by_passphrase, by_both, lab.encrypted(by_passphrase, "machine"), good});
    CHECK_THAT(results[0], Catch::StartsWith("!") && Catch::Contains("passphrase"));
    CHECK_THAT(results[1], Catch::StartsWith("!") && Catch::Contains("passphrase"));
    CHECK(results[2] == by_passphrase);  // a password like any other
    CHECK(results[3] == "secret");
    CHECK(machine.questions.empty());
}

TEST_CASE("an answer to a key that is not unlocked is refused, and nobody is asked for its passphrase") {
    const GpgLab lab;
    const std::string seckey = protected_key(lab, "rsa");
    const std::string good = lab.encrypted("secret", "machine");
    // To the primary key, which signs alone: after a header of three bytes and the version comes the key id, the last
    // eight bytes of the fingerprint.
    std::string to_primary = good;
    const std::string fingerprint = lab.fingerprint("machine");
    for (std::size_t i = 0; i < 8; ++i)
        to_primary[4 + i] = static_cast<char>(std::stoi(fingerprint.substr(24 + 2 * i, 2), nullptr, 16));
    Machine machine;
    REQUIRE(machine.create(seckey));
    machine.give(passphrase);
    const auto results = machine.decrypt({to_primary, to_primary, good});
    CHECK_THAT(results[0], Catch::StartsWith("!"));
    CHECK_THAT(results[1], Catch::StartsWith("!"));
    CHECK(results[2] == "secret");
    CHECK(machine.questions.empty());
}

TEST_CASE("the passphrase is not asked for again when the agent that had it is gone") {
    const GpgLab lab;
    const std::string message = lab.encrypted("secret", (protected_key(lab), "machine"));
    Machine machine;
    REQUIRE(machine.create(lab.path("protected")));
    machine.give(passphrase);
    REQUIRE(machine.decrypt(message) == "secret");
    const pid_t agent = agent_of(machine);
    REQUIRE(agent > 0);
    kill(agent, SIGKILL);
    machine.run_for(100ms);
    CHECK(machine.decrypt(message) == "secret");
    CHECK(agent_of(machine) != agent);
    CHECK(machine.questions.empty());
}

TEST_CASE("the passphrase is asked for anew when the agent has forgotten it") {
    const GpgLab lab;
    const std::string message = lab.encrypted("secret", (protected_key(lab), "machine"));
    Machine machine;
    REQUIRE(machine.create(lab.path("protected")));
    machine.give(passphrase);
    REQUIRE(machine.decrypt(message) == "secret");
    kill(agent_of(machine), SIGHUP);  // gpg-agent(1): flushes all cached passphrases
    machine.run_for(100ms);
    machine.reply = passphrase;
    CHECK_THAT(machine.decrypt(message), Catch::StartsWith("!") && Catch::Contains("passphrase"));
    for (int tries = 0; tries < 100 && machine.questions.empty(); ++tries) machine.run_for(100ms);
    CHECK(machine.questions == std::vector<bool>{false});
    CHECK(machine.decrypt(message) == "secret");
}

TEST_CASE("the passphrase stays out of the home and of all command lines") {
    const GpgLab lab;
    const std::string words = "unmistakable words";
    lab.make_key(
        "machine",
        "Key-Type: eddsa\nKey-Curve: ed25519\nSubkey-Type: ecdh\nSubkey-Curve: cv25519\nPassphrase: " + words + "\n");
    lab.gpg({"--output", "protected", "--passphrase", words, "--export-secret-keys", "machine"});
    Machine machine;
    REQUIRE(machine.create(lab.path("protected")));
    machine.give(words);
    REQUIRE(machine.decrypt(lab.encrypted("secret", "machine")) == "secret");
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(machine.home)) {
        if (!entry.is_regular_file()) continue;
        ++files;
        std::ifstream file(entry.path(), std::ios::binary);
        CHECK(std::string(std::istreambuf_iterator<char>(file), {}).find(words) == std::string::npos);
    }
    CHECK(files > 3);
    std::ifstream file("/proc/" + std::to_string(agent_of(machine)) + "/cmdline", std::ios::binary);
    CHECK(std::string(std::istreambuf_iterator<char>(file), {}).find(words) == std::string::npos);
}

TEST_CASE("what cannot be a passphrase is not tried") {
    using openpgp::KeyUnlocking;
    CHECK(KeyUnlocking::is_possible(secret_with("x")));
    CHECK(KeyUnlocking::is_possible(secret_with(std::string(255, '\xff'))));
    CHECK_FALSE(KeyUnlocking::is_possible(secret_with("")));
    CHECK_FALSE(KeyUnlocking::is_possible(secret_with(std::string(256, 'x'))));
    CHECK_FALSE(KeyUnlocking::is_possible(secret_with("x\ny")));
    CHECK_FALSE(KeyUnlocking::is_possible(secret_with(std::string("x\0y", 3))));
}
