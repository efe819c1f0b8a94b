// SPDX-License-Identifier: GPL-3.0-or-later
//
// gpg and gpg-agent, the installed ones, in the confinement of a decryptor: with the filter and Landlock that they
// inherit.
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <iterator>

#include "bootkey/base/event_loop.hpp"
#include "bootkey/openpgp/decryptor.hpp"
#include "bootkey/openpgp/gpg_agent.hpp"
#include "openpgp/gpg_lab.hpp"
#include "sandbox/confined.hpp"
#include "sandbox/writable_directory.hpp"

using namespace bootkey;
using namespace bootkey::sandbox;
using namespace bootkey::sandbox::testing;
using openpgp::testing::bytes;
using openpgp::testing::GpgLab;

namespace {

std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
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
    const std::string kind = GENERATE("curve", "rsa");
    CAPTURE(kind);
    kind == "rsa" ? lab.make_rsa_key("machine") : lab.make_curve_key("machine");
    const std::vector<std::string> passwords = {"first", std::string(65536, 'p')};
    std::vector<std::string> messages;
    messages.reserve(passwords.size());
    for (const auto& password : passwords) messages.push_back(lab.encrypted(password, "machine"));
    const WritableDirectory directory;
    const std::string home = directory.make_directory("home");
    const std::string seckey = directory.put("seckey.txt", content_of(lab.secret_key("machine")));

    Confined confined(directory.confinement(), [&] {
        auto loop = std::move(base::EventLoop::create()).value();
        const base::Log log;
        std::string said;
        auto keys = openpgp::read_decryption_keys(seckey, {});
        if (!keys) return keys.error().message();
        auto decryptor = openpgp::Decryptor::create(*loop, log, std::move(*keys), home, [&](const base::Error& error) {
            said += "!" + error.message();
            loop->stop();
        });
        if (!decryptor) return decryptor.error().message();
        std::size_t open = messages.size();
        for (std::size_t i = 0; i < messages.size(); ++i)
            (*decryptor)->decrypt(bytes(messages[i]), [&, i](const base::Result<base::Secret>& result) {
                const bool right = result && std::string(reinterpret_cast<const char*>(result->bytes().data()),
                                                         result->size()) == passwords[i];
                said += right ? "right " : result ? "wrong " : result.error().message();
                if (--open == 0) loop->stop();
            });
        loop->run();
        decryptor->reset();
        return said;
    });
    CHECK(confined.result() == "right right ");
}

TEST_CASE("a confined gpg decrypts with a passphrase that is given through it, and verifies signatures") {
    const GpgLab lab;
    lab.make_key("machine",
                 "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign\nSubkey-Type: ecdh\nSubkey-Curve: cv25519\n"
                 "Subkey-Usage: encrypt\nPassphrase: open sesame\n");
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
        const auto agent = openpgp::GpgAgent::start(*loop, home, true);
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
