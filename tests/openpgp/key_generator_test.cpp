// SPDX-License-Identifier: GPL-3.0-or-later
//
// The keys are looked at by gpg and openssl, each in a place of its own.
#include "bootkey/openpgp/key_generator.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/temporary_directory.hpp"
#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/base/time.hpp"
#include "catch.hpp"
#include "openpgp/gpg_lab.hpp"
#include "openpgp/output_of.hpp"

using namespace bootkey;
using openpgp::KeyKind;
using openpgp::KeyRequest;
using openpgp::testing::output_of;

namespace {

KeyRequest request(const std::string& directory, KeyKind kind = KeyKind::ed25519) {
    KeyRequest made;
    made.directory = directory;
    made.kind = kind;
    made.user_id = "laptop";
    return made;
}

std::string generated(const KeyRequest& request) {
    const auto made = openpgp::generate_keys(request);
    if (!made) FAIL(made.error().message());
    return made->fingerprint;
}

// What gpg says of a key file: a line per key, "type algorithm bits curve capabilities expiry", and the user id.
std::vector<std::string> listing(const base::testing::TemporaryDirectory& home, const std::string& file) {
    std::vector<std::string> keys;
    const std::string text =
        output_of("gpg --homedir '" + (home / "") + "' --with-colons --show-keys '" + file + "' 2>/dev/null").text;
    for (const std::string_view line : base::split(text, '\n')) {
        const auto fields = base::split(line, ':');
        const auto field = [&](std::size_t i) { return std::string(i < fields.size() ? fields[i] : ""); };
        if (field(0) == "uid") keys.push_back("uid " + field(9));
        if (field(0) != "pub" && field(0) != "sub" && field(0) != "sec" && field(0) != "ssb") continue;
        std::string usage = field(11);
        std::erase_if(usage, [](char letter) { return letter < 'a'; });  // upper case: of the key as a whole
        std::ranges::sort(usage);
        keys.push_back(field(0) + " " + field(3) + " " + field(2) + " " + field(16) + " " + usage + " " + field(6));
    }
    return keys;
}

unsigned mode(const std::string& path) {
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

// What a process with this pid has left: homes, and programs that were told of them.
std::vector<std::string> leftovers(pid_t pid) {
    const std::string mark = base::format("bootkey-gnupg-%d.", static_cast<int>(pid));
    std::vector<std::string> found;
    for (const char* directory : {"/run", "/dev/shm"}) {
        std::error_code ignored;
        for (const auto& entry : std::filesystem::directory_iterator(directory, ignored))
            if (entry.path().filename().string().starts_with(mark)) found.push_back(entry.path());
    }
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::ifstream file(entry.path() / "cmdline");
        const std::string line{std::istreambuf_iterator<char>(file), {}};
        if (line.find(mark) != std::string::npos) found.push_back(entry.path());
    }
    return found;
}

}  // namespace

TEST_CASE("the default keys are Ed25519 and Curve25519, never expire, and are in files for the owner only") {
    const base::testing::TemporaryDirectory root;
    const base::testing::TemporaryDirectory home;
    const std::string fingerprint = generated(request(root / "keys"));
    CHECK(listing(home, root / "keys/pubkey.txt") == std::vector<std::string>{"pub 22 255 ed25519 cs ", "uid laptop",
                                                                              "sub 22 255 ed25519 a ",
                                                                              "sub 18 255 cv25519 e "});
    CHECK(listing(home, root / "keys/seckey.txt") == std::vector<std::string>{"sec 22 255 ed25519 cs ", "uid laptop",
                                                                              "ssb 22 255 ed25519 a ",
                                                                              "ssb 18 255 cv25519 e "});
    CHECK_THAT(output_of("gpg --homedir '" + (home / "") + "' --with-colons --show-keys '" +
                         (root / "keys/pubkey.txt") + "' 2>/dev/null")
                   .text,
               Catch::Contains("fpr:::::::::" + fingerprint + ":"));
    CHECK(mode(root / "keys") == 0700);
    CHECK(mode(root / "keys/pubkey.txt") == 0600);
    CHECK(mode(root / "keys/seckey.txt") == 0600);
    CHECK(std::distance(std::filesystem::directory_iterator(root / "keys"), {}) == 2);
    CHECK(leftovers(getpid()).empty());
}

TEST_CASE("RSA keys are of the kind that Mandos clients have always had") {
    const base::testing::TemporaryDirectory root;
    const base::testing::TemporaryDirectory home;
    generated(request(root / "keys", KeyKind::rsa4096));
    CHECK(listing(home, root / "keys/pubkey.txt") ==
          std::vector<std::string>{"pub 1 4096  acs ", "uid laptop", "sub 1 4096  e "});
    CHECK(listing(home, root / "keys/seckey.txt") ==
          std::vector<std::string>{"sec 1 4096  acs ", "uid laptop", "ssb 1 4096  e "});
    CHECK(leftovers(getpid()).empty());
}

TEST_CASE("a TLS pair is Ed25519, in the forms that openssl reads") {
    const base::testing::TemporaryDirectory root;
    KeyRequest with_pair = request(root / "keys");
    with_pair.tls_pair = true;
    generated(with_pair);
    const std::string public_half = output_of("cat '" + (root / "keys/tls-pubkey.pem") + "'").text;
    CHECK_THAT(public_half, Catch::StartsWith("-----BEGIN PUBLIC KEY-----"));
    CHECK(output_of("openssl pkey -pubout -in '" + (root / "keys/tls-privkey.pem") + "'").text == public_half);
    CHECK_THAT(output_of("openssl pkey -pubin -noout -text -in '" + (root / "keys/tls-pubkey.pem") + "'").text,
               Catch::StartsWith("ED25519"));
    CHECK(mode(root / "keys/tls-pubkey.pem") == 0644);
    CHECK(mode(root / "keys/tls-privkey.pem") == 0600);
}

TEST_CASE("existing files stop the making of keys before it begins") {
    const base::testing::TemporaryDirectory root;
    struct Row {
        std::vector<std::string> there;
        bool tls_pair;
        bool replace;
        std::string said;
    };
    const Row rows[] = {
        {{"pubkey.txt"}, false, false, "--force"},
        {{"seckey.txt"}, false, false, "--force"},
        {{"tls-pubkey.pem", "tls-privkey.pem"}, true, false, "--force"},
        {{"tls-pubkey.pem", "tls-privkey.pem"}, false, false, "--force"},
        {{"tls-pubkey.pem"}, false, true, "--tls-key"},
        {{"tls-privkey.pem"}, false, true, "--tls-key"},
    };
    int number = 0;
    for (const Row& row : rows) {
        const std::string directory = root / std::to_string(number++);
        std::filesystem::create_directory(directory);
        for (const std::string& name : row.there) std::ofstream(directory + "/" + name) << "old";
        KeyRequest refused = request(directory, KeyKind::rsa4096);  // would take seconds
        refused.tls_pair = row.tls_pair;
        refused.replace = row.replace;
        const auto made = openpgp::generate_keys(refused);
        REQUIRE_FALSE(made);
        CHECK(made.error().code == base::ExitCode::cannot_create);
        CHECK_THAT(made.error().message(), Catch::Contains(row.said) && Catch::Contains(row.there[0]));
        CHECK(static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory), {})) ==
              row.there.size());
    }
}

TEST_CASE("keys are replaced where that is asked for, and a TLS pair that was there is kept or replaced as asked") {
    const base::testing::TemporaryDirectory root;
    const auto read = [&](const char* name) { return output_of("cat '" + (root / name) + "'").text; };
    KeyRequest first = request(root / "");
    first.tls_pair = true;
    const std::string fingerprint = generated(first);
    const std::string tls_pubkey = read("tls-pubkey.pem");

    KeyRequest second = request(root / "");
    second.replace = true;
    const auto made = openpgp::generate_keys(second);
    REQUIRE(made);
    CHECK(made->fingerprint != fingerprint);
    CHECK(made->kept_tls_pair);
    CHECK(read("tls-pubkey.pem") == tls_pubkey);

    second.tls_pair = true;
    const auto all = openpgp::generate_keys(second);
    REQUIRE(all);
    CHECK_FALSE(all->kept_tls_pair);
    CHECK(read("tls-pubkey.pem") != tls_pubkey);
    CHECK(root.names() == std::vector<std::string>{"pubkey.txt", "seckey.txt", "tls-privkey.pem", "tls-pubkey.pem"});
}

TEST_CASE("a passphrase protects every secret part of the OpenPGP key") {
    const openpgp::testing::GpgLab lab;
    KeyRequest protecting = request(lab.path("keys"));
    auto passphrase = base::Secret::with_capacity(100);
    REQUIRE(passphrase);
    REQUIRE(passphrase->append(base::bytes_of("correct horse")));
    protecting.passphrase = std::move(*passphrase);
    generated(protecting);
    CHECK(leftovers(getpid()).empty());
    const std::string packets = output_of("gpg --homedir '" + lab.path("gnupg") + "' --list-packets '" +
                                          lab.path("keys/seckey.txt") + "' 2>/dev/null")
                                    .text;
    std::size_t count = 0;
    for (std::size_t at = 0; (at = packets.find("[v4 protected]", at)) != std::string::npos; ++at) ++count;
    CHECK(count == 3);

    lab.gpg({"--import", lab.path("keys/seckey.txt")});
    lab.write("message", lab.encrypted("plaintext", "laptop"));
    lab.gpg({"--passphrase", "correct horse", "--output", "decrypted", "--decrypt", "message"});
    CHECK(lab.read("decrypted") == "plaintext");
}

TEST_CASE("a signal in the middle of the making ends the program at once and leaves nothing") {
    const int number = GENERATE(SIGTERM, SIGINT, SIGHUP);
    const int wait_milliseconds = GENERATE(0, 200);
    const base::testing::TemporaryDirectory root;
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        alarm(50);
        for (const int caught : {SIGTERM, SIGINT}) std::signal(caught, SIG_DFL);  // by the test framework
        // Three times, since one may be done before the signal comes.
        for (const char* directory : {"new/keys", "new/keys2", "new/keys3"})
            if (!openpgp::generate_keys(request(root / directory, KeyKind::rsa4096))) _exit(1);
        _exit(0);
    }
    for (int i = 0; i < 2000 && !std::filesystem::exists(root / "new/keys"); ++i) poll(nullptr, 0, 5);
    poll(nullptr, 0, wait_milliseconds);
    const auto sent = base::Clock::now();
    kill(pid, number);
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(base::to_seconds(base::Clock::now() - sent) < 2);
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == number);
    CHECK(leftovers(pid).empty());
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / ""))
        CHECK_FALSE(entry.path().filename().string().starts_with("."));
}

TEST_CASE("a signal that is ignored does not stop the making of keys") {
    const base::testing::TemporaryDirectory root;
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        alarm(50);
        std::signal(SIGHUP, SIG_IGN);
        raise(SIGHUP);
        const auto watcher = fork();  // sends it while the keys are being made
        if (watcher == 0) {
            for (int i = 0; i < 100; ++i, poll(nullptr, 0, 5)) kill(getppid(), SIGHUP);
            _exit(0);
        }
        const auto made = openpgp::generate_keys(request(root / "keys"));
        waitpid(watcher, nullptr, 0);
        _exit(made ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(leftovers(pid).empty());
}
