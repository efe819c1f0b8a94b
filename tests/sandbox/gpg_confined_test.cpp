// SPDX-License-Identifier: GPL-3.0-or-later
//
// gpg and gpg-agent, the installed ones, in the confinement of a decryptor: with the filter and Landlock that they
// inherit.
#include <chrono>
#include <memory>

#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/file.hpp"
#include "bootkey/openpgp/decryptor.hpp"
#include "bootkey/openpgp/gpg_agent.hpp"
#include "catch.hpp"
#include "openpgp/gpg_lab.hpp"
#include "sandbox/confined.hpp"
#include "sandbox/writable_directory.hpp"

using namespace bootkey;
using namespace bootkey::sandbox;
using namespace bootkey::sandbox::testing;
using openpgp::testing::bytes;
using openpgp::testing::GpgLab;

namespace {

const std::string protected_curve_key =
    "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign\nSubkey-Type: ecdh\nSubkey-Curve: cv25519\nSubkey-Usage: "
    "encrypt\n"
    "Passphrase: open sesame\n";

// For a confined process.
base::Secret secret(const std::string& text) {
    auto made = base::Secret::with_capacity(text.size());
    if (!made || !made->append(base::bytes_of(text))) _exit(1);
    return std::move(*made);
}

// Runs gpg with `options` in `home`; how it ended and what it wrote. For a confined process.
std::string gpg(const std::string& home, const std::vector<std::string>& options) {
    const base::testing::Pipe output;
    base::Command command{
        .program = "/usr/bin/gpg",
        .arguments = {"gpg", "--homedir", home, "--batch", "--no-tty", "--no-autostart"},
        .environment = {"PATH=/usr/bin:/bin", "HOME=" + home},
        .standard_output = output.write_end.get(),
    };
    command.arguments.insert(command.arguments.end(), options.begin(), options.end());
    const auto ended = base::run_and_wait(command, base::from_seconds(20));
    if (!ended) return ended.error().message();
    std::string text(4096, '\0');
    fcntl(output.read_end.get(), F_SETFL, O_NONBLOCK);
    const ssize_t count = ::read(output.read_end.get(), text.data(), text.size());
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return ended->text() + ": " + text;
}

}  // namespace

TEST_CASE("a confined decryptor decrypts, several messages and with every kind of key") {
    const GpgLab lab;
    const std::string kind = GENERATE("curve", "rsa", "curve under a passphrase");
    CAPTURE(kind);
    const bool is_protected = kind == "curve under a passphrase";
    if (kind == "rsa") lab.make_rsa_key("machine");
    if (kind == "curve") lab.make_curve_key("machine");
    if (is_protected) lab.make_key("machine", protected_curve_key);
    const std::vector<std::string> passwords = {"first", std::string(65536, 'p')};
    std::vector<std::string> messages;
    messages.reserve(passwords.size());
    for (const auto& password : passwords) messages.push_back(lab.encrypted(password, "machine"));
    const WritableDirectory directory;
    const std::string home = directory.make_directory("home");
    lab.gpg(
        {"--output", "seckey", "--passphrase", is_protected ? "open sesame" : "", "--export-secret-keys", "machine"});
    const std::string seckey = directory.put("seckey.txt", lab.read("seckey"));

    Confined confined(directory.confinement(), [&] {
        auto loop = std::move(base::EventLoop::create()).value();
        const base::Log log;
        std::string said;
        auto keys = openpgp::read_decryption_keys(seckey, {});
        if (!keys) return keys.error().message();
        std::unique_ptr<openpgp::Decryptor> decryptor;
        auto made = openpgp::Decryptor::create(*loop, log, std::move(*keys), home,
                                               {.failed =
                                                    [&](const base::Error& error) {
                                                        said += "!" + error.message();
                                                        loop->stop();
                                                    },
                                                .needs_passphrase =
                                                    [&](bool again) {
                                                        said += again ? "again " : "anew ";
                                                        decryptor->unlock(secret("open sesame"));
                                                    }});
        if (!made) return made.error().message();
        decryptor = std::move(*made);
        if (is_protected) decryptor->unlock(secret("wrong"));
        std::size_t open = messages.size();
        for (std::size_t i = 0; i < messages.size(); ++i)
            decryptor->decrypt(
                bytes(messages[i]), base::from_seconds(30), [&, i](const base::Result<base::Secret>& result) {
                    const bool right = result && std::string(reinterpret_cast<const char*>(result->bytes().data()),
                                                             result->size()) == passwords[i];
                    said += right ? "right " : result ? "wrong " : result.error().message();
                    if (--open == 0) loop->stop();
                });
        loop->run();
        decryptor.reset();
        return said;
    });
    CHECK(confined.result() == std::string(is_protected ? "again " : "") + "right right ");
}

TEST_CASE("a confined gpg decrypts with a passphrase that is given through it, and verifies signatures") {
    const GpgLab lab;
    lab.make_key("machine", protected_curve_key);
    lab.make_rsa_key("server");
    const std::string message =
        lab.message("secret", {"--local-user", "server", "--recipient", "machine", "--sign", "--encrypt"});
    lab.gpg({"--output", "secret", "--passphrase", "open sesame", "--export-secret-keys", "machine"});
    lab.gpg({"--output", "public", "--export", "server"});
    const WritableDirectory directory;
    const std::string home = directory.make_directory("home");
    directory.put("passphrase", "open sesame");
    directory.put("message", message);
    directory.put("seckey", lab.read("secret"));
    directory.put("pubkey", lab.read("public"));
    // Quick enough for a test: gpg-agent otherwise measures how long a passphrase may take to try.
    directory.put("home/gpg-agent.conf", "s2k-count 65536\n");

    Confined confined(directory.confinement(), [&] {
        auto loop = std::move(base::EventLoop::create()).value();
        const auto agent = openpgp::GpgAgent::start(*loop, home, openpgp::Passphrases::each_time);
        if (!agent) return agent.error().message();
        const std::string file = directory.path() + "/";
        const std::vector<std::string> passphrase = {"--pinentry-mode", "loopback", "--passphrase-file",
                                                     file + "passphrase"};
        const auto with_passphrase = [&](std::vector<std::string> options) {
            options.insert(options.begin(), passphrase.begin(), passphrase.end());
            return gpg(home, options);
        };
        std::string said = gpg(home, {"--quiet", "--import", file + "pubkey"}) + "\n";
        said += with_passphrase({"--quiet", "--import", file + "seckey"}) + "\n";
        said += with_passphrase({"--quiet", "--status-fd", "1", "--decrypt", file + "message"}) + "\n";
        return said;
    });
    const std::string said = confined.result();
    CAPTURE(said);
    CHECK_THAT(said, Catch::StartsWith("exit status 0: \nexit status 0: \nexit status 0: "));
    CHECK_THAT(said, Catch::Contains("GOODSIG") && Catch::Contains("VALIDSIG") && Catch::Contains("secret"));
}
