// SPDX-License-Identifier: GPL-3.0-or-later
//
// The decryptor with the installed gpg, GPGME and the real loop; keys and messages are made by gpg too.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <thread>

#include "base/forked.hpp"
#include "base/pipe.hpp"
#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "bootkey/openpgp/decryptor.hpp"
#include "bootkey/openpgp/packets.hpp"
#include "catch.hpp"
#include "openpgp/decrypting_machine.hpp"
#include "openpgp/gpg_lab.hpp"
#include "openpgp/made_packets.hpp"

using namespace bootkey;
using namespace std::chrono_literals;
using openpgp::Decryptor;
using openpgp::testing::bytes;
using openpgp::testing::GpgLab;
using openpgp::testing::Machine;

namespace {

// Pids of the processes that have `word` in their command line or environment.
std::vector<pid_t> processes_about(const std::string& word) {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (std::isdigit(static_cast<unsigned char>(name.front())) == 0) continue;
        for (const char* file : {"/cmdline", "/environ"}) {
            // By read(2): a stream throws where the process ends meanwhile.
            const base::UniqueFd fd(open((entry.path().string() + file).c_str(), O_RDONLY | O_CLOEXEC));
            std::string text(65536, '\0');
            const ssize_t size = read(fd.get(), text.data(), text.size());
            text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
            if (text.find(word) == std::string::npos) continue;
            found.push_back(static_cast<pid_t>(std::stol(name)));
            break;
        }
    }
    return found;
}

// Stops a process. A signal that meets a thread which is just ending, as the agent's do behind each connection, may be
// lost with it.
void stop(pid_t pid) {
    for (int i = 0; i < 1000; ++i) {
        kill(pid, SIGSTOP);
        usleep(2000);
        std::string stat(512, '\0');
        const base::UniqueFd fd(open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
        const ssize_t size = read(fd.get(), stat.data(), stat.size());
        stat.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        if (stat.find(") T ") != std::string::npos) return;
    }
    FAIL("process " << pid << " does not stop");
}

std::string with_last_byte_changed(std::string text) {
    text.back() = static_cast<char>(text.back() ^ 1);
    return text;
}

}  // namespace

TEST_CASE("answers are decrypted byte for byte, also those that arrive before the key is ready") {
    const GpgLab lab;
    const std::string kind = GENERATE("curve", "rsa");
    kind == "rsa" ? lab.make_rsa_key("machine") : lab.make_curve_key("machine");
    const std::vector<std::string> passwords = {"x", std::string("nul\0 and\nlines\r\n\xff\n", 17),
                                                std::string(65536, 'p')};
    std::vector<std::string> messages;
    for (const auto& password : passwords) messages.push_back(lab.encrypted(password, "machine"));
    Machine machine;
    REQUIRE(machine.create(lab.secret_key("machine")));
    CHECK(machine.decrypt(messages) == passwords);
    CHECK(machine.decrypt(messages[1]) == passwords[1]);  // and again, now that it is
    CHECK_FALSE(machine.failure);
}

TEST_CASE("a binary secret key file is as good as an armoured one") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    Machine machine;
    REQUIRE(machine.create(lab.secret_key("machine", {})));
    CHECK(machine.decrypt(lab.encrypted("secret", "machine")) == "secret");
}

TEST_CASE("a key file with a byte order mark and line ends of another system is as good") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    const std::string key = lab.read(std::filesystem::path(lab.secret_key("machine")).filename());
    std::string edited = "\xef\xbb\xbf";
    for (const char c : key) edited += c == '\n' ? std::string("\r\n") : std::string(1, c);
    Machine machine;
    REQUIRE(machine.create(lab.write("edited", edited)));
    CHECK(machine.decrypt(lab.encrypted("secret", "machine")) == "secret");
}

TEST_CASE("other forms of encryption to our key are answers too") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    lab.make_curve_key("other");
    const std::vector<std::string> messages = {
        lab.message("secret", {"--hidden-recipient", "machine", "--encrypt"}),
        lab.message("secret", {"--recipient", "other", "--recipient", "machine", "--encrypt"}),
        lab.message("secret", {"--armor", "--recipient", "machine", "--encrypt"}),
        lab.message("secret", {"--recipient", "machine", "--compress-algo", "none", "--encrypt"}),
        lab.message("secret", {"--recipient", "machine", "--local-user", "other", "--sign", "--encrypt"}),
    };
    Machine machine;
    REQUIRE(machine.create(lab.secret_key("machine")));
    CHECK(machine.decrypt(messages) == std::vector<std::string>(messages.size(), "secret"));
}

TEST_CASE("what is no answer is refused with the reason, and the next answer is decrypted") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    lab.make_curve_key("other");
    const std::string good = lab.encrypted("secret", "machine");
    const std::string literal = lab.message("secret", {"--compress-algo", "none", "--store"});
    struct Case {
        const char* what;
        std::string message;
        const char* why;
    };
    const std::vector<Case> cases = {
        {"nothing", "", "not an OpenPGP message"},
        {"garbage", "HTTP/1.1 200 OK\r\n\r\n", "not an OpenPGP message"},
        {"binary garbage", std::string(5000, '\xff'), "not a whole OpenPGP message"},
        {"not encrypted", literal, "not an encrypted OpenPGP message"},
        {"not encrypted, compressed", lab.message(std::string(1000, 'x'), {"--store"}),
         "not an encrypted OpenPGP message"},
        {"signed only", lab.message("secret", {"--local-user", "other", "--sign"}), "not an encrypted OpenPGP message"},
        {"signed as text", lab.message("secret", {"--local-user", "other", "--clear-sign"}), "not an OpenPGP message"},
        {"by passphrase", lab.message("secret", {"--passphrase", "x", "--symmetric"}), "passphrase"},
        {"by passphrase, too",
         lab.message("secret", {"--passphrase", "x", "--recipient", "machine", "--symmetric", "--encrypt"}),
         "passphrase"},
        {"no integrity protection", lab.message("secret", {"--rfc2440", "--recipient", "machine", "--encrypt"}),
         "integrity"},
        {"to another key", lab.encrypted("secret", "other"), "another key"},
        {"to another key, hidden", lab.message("secret", {"--hidden-recipient", "other", "--encrypt"}), "another key"},
        {"empty password", lab.encrypted("", "machine"), "empty"},
        {"one byte too long", lab.encrypted(std::string(65537, 'p'), "machine"), "longer than 64 KiB"},
        {"compression bomb", lab.encrypted(std::string(50'000'000, '0'), "machine"), "longer than 64 KiB"},
        {"cut off", good.substr(0, good.size() - 10), "not a whole OpenPGP message"},
        {"damaged at the end", with_last_byte_changed(good), "cannot decrypt"},
        {"followed by more", good + literal, "something follows"},
        {"following something", literal + good, "not an encrypted OpenPGP message"},
        {"twice", good + good, "something follows"},
        {"a secret key", lab.read(std::filesystem::path(lab.secret_key("machine")).filename()),
         "not an encrypted OpenPGP message"},
    };
    Machine machine;
    REQUIRE(machine.create(lab.secret_key("machine")));
    for (const Case& which : cases) {
        INFO(which.what);
        const auto results = machine.decrypt({which.message, good});
        CHECK_THAT(results[0].substr(0, 300), Catch::StartsWith("!cannot ") && Catch::Contains(which.why));
        CHECK(results[1] == "secret");
    }
}

TEST_CASE("a key from the future, as all are before the clock is set, decrypts") {
    const GpgLab lab;
    const std::vector<std::string> in_2040 = {"--faked-system-time", "2208988800"};
    lab.make_curve_key("machine", in_2040);
    auto export_options = in_2040;
    const std::string seckey = lab.secret_key("machine", export_options);
    const std::string message =
        lab.message("secret", {"--faked-system-time", "2208988800", "--recipient", "machine", "--encrypt"});
    Machine machine;
    REQUIRE(machine.create(seckey));
    CHECK(machine.decrypt(message) == "secret");
}

TEST_CASE("an expired key and a revoked key decrypt") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    const std::string message = lab.encrypted("secret", "machine");
    const bool revoked = GENERATE(false, true);
    if (revoked) {
        // gpg has made the certificate; a colon keeps it from being used by mistake.
        for (const auto& entry : std::filesystem::directory_iterator(lab.path("gnupg/openpgp-revocs.d"))) {
            std::ifstream file(entry.path());
            std::string text{std::istreambuf_iterator<char>(file), {}};
            text.erase(text.find(":-----BEGIN"), 1);
            lab.write("revocation", text);
        }
        lab.gpg({"--import", "revocation"});
    } else {
        lab.write("commands", "expire\nseconds=1\nsave\n");
        lab.gpg({"--command-file", "commands", "--edit-key", "machine"});
        std::this_thread::sleep_for(1200ms);
    }
    Machine machine;
    REQUIRE(machine.create(lab.secret_key("machine")));
    CHECK(machine.decrypt(message) == "secret");
}

TEST_CASE("the caller's environment does not reach gpg and stays as it is") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    const std::string message = lab.encrypted("secret", "machine");
    const std::string trap = lab.write("gpg", "#!/bin/sh\ntouch " + lab.path("sprung") + "\n");
    chmod(trap.c_str(), 0755);
    const std::string path_before = getenv("PATH");
    setenv("PATH", lab.path("").c_str(), 1);
    setenv("GNUPGHOME", "/nonexistent", 1);
    Machine machine;
    REQUIRE(machine.create(lab.secret_key("machine")));
    CHECK(machine.decrypt(message) == "secret");
    CHECK(getenv("PATH") == lab.path(""));
    CHECK(std::string(getenv("GNUPGHOME")) == "/nonexistent");
    setenv("PATH", path_before.c_str(), 1);
    unsetenv("GNUPGHOME");
    CHECK_FALSE(std::filesystem::exists(lab.path("sprung")));
}

TEST_CASE("a secret key file that is none is an error") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    lab.gpg({"--armor", "--output", "public", "--export", "machine"});
    struct Case {
        std::string path;
        const char* why;
    };
    const std::vector<Case> cases = {
        {lab.path("missing"), "No such file"},
        {lab.write("empty", ""), "neither binary OpenPGP data nor ASCII armour"},
        {lab.write("text", "no key\n"), "neither binary OpenPGP data nor ASCII armour"},
        {lab.path("public"), "no secret key in it"},
        {lab.write("cut", lab.read("public").substr(0, 200)), "cut off"},
    };
    for (const Case& which : cases) {
        INFO(which.path);
        Machine machine;
        if (machine.create(which.path)) {
            const std::string answer = machine.decrypt(lab.encrypted("secret", "machine"));
            CHECK(answer.front() == '!');
        }
        REQUIRE(machine.failure);
        CHECK(machine.failure->code == base::ExitCode::no_input);
        CHECK_THAT(machine.failure->message(), Catch::Contains(which.why));
    }
}

TEST_CASE("a key on a smart card is refused at once, and the reason is said") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    lab.gpg({"--output", "public", "--export", "machine"});
    // gpg makes a stub like this only with the card: the public key, and where the secret one is (GnuPG, doc/DETAILS).
    const std::string on_card = std::string("\xFF\0\x65\0GNU\2\x10", 9) + std::string(16, 'N');
    std::string stub;
    const auto packets = bytes(lab.read("public"));
    openpgp::PacketReader reader(packets);
    while (const auto packet = reader.next()) {
        const std::string body(reinterpret_cast<const char*>(packet->body.data()), packet->body.size());
        if (packet->tag == openpgp::Tag::public_key) stub += openpgp::testing::packet(5, body + on_card);
        if (packet->tag == openpgp::Tag::public_subkey) stub += openpgp::testing::packet(7, body + on_card);
    }
    Machine machine;
    CHECK_FALSE(machine.create(lab.write("stub", stub)));
    REQUIRE(machine.failure);
    CHECK(machine.failure->code == base::ExitCode::no_input);
    CHECK_THAT(machine.failure->message(), Catch::Contains("smart card"));
    CHECK(std::filesystem::is_empty(machine.home));
}

TEST_CASE("a primary key that is elsewhere does not matter if the subkey that decrypts is here") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    lab.gpg({"--armor", "--output", "subkeys", "--export-secret-subkeys", "machine"});
    Machine machine;
    REQUIRE(machine.create(lab.path("subkeys")));
    CHECK(machine.decrypt(lab.encrypted("secret", "machine")) == "secret");
}

TEST_CASE("nothing of gpg is left, whenever the decryptor is destroyed") {
    const GpgLab lab;
    lab.make_rsa_key("machine");
    const std::string seckey = lab.secret_key("machine");
    const std::string message = lab.encrypted("secret", "machine");
    const auto phase = GENERATE(0ms, 1ms, 2ms, 4ms, 8ms, 12ms, 16ms, 24ms, 40ms, 300ms);
    Machine machine;
    REQUIRE(machine.create(seckey));
    CHECK_FALSE(processes_about(machine.home).empty());
    bool called = false;
    machine.decryptor->decrypt(bytes(message), base::from_seconds(30),
                               [&](const base::Result<base::Secret>&) { called = true; });
    if (phase > 0ms) machine.run_for(phase);
    for (int round = 0; phase == 300ms && !called && round < 200; ++round) machine.run_for(50ms);
    if (phase == 300ms) CHECK(called);
    machine.decryptor.reset();
    CHECK(processes_about(machine.home).empty());
    const bool called_before = called;
    machine.run_for(20ms);
    CHECK(called == called_before);
    int status = 0;
    CHECK(waitpid(-1, &status, WNOHANG) == -1);  // no child is left, not even a dead one
}

TEST_CASE("the decryptor may be destroyed from its own callbacks") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    Machine machine;
    const bool usable = GENERATE(true, false);
    lab.gpg({"--output", "public", "--export", "machine"});
    REQUIRE(machine.create(usable ? lab.secret_key("machine") : lab.path("public")));
    const std::string message = lab.encrypted("secret", "machine");
    std::optional<bool> success;
    machine.decryptor->decrypt(bytes(message), base::from_seconds(30), [&](const base::Result<base::Secret>& result) {
        success = result.ok();
        machine.decryptor.reset();
        machine.loop->stop();
    });
    machine.run_for(20s);
    if (!success) machine.run_for(1s);  // the failure was told first, and stopped the loop
    CHECK(success == usable);
    CHECK(processes_about(machine.home).empty());
}

TEST_CASE("an agent that was killed is started again") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    const std::string message = lab.encrypted("secret", "machine");
    Machine machine;
    REQUIRE(machine.create(lab.secret_key("machine")));
    REQUIRE(machine.decrypt(message) == "secret");
    const auto agents = processes_about(machine.home);
    REQUIRE(agents.size() == 1);
    kill(agents.front(), SIGKILL);
    machine.run_for(100ms);
    CHECK(machine.decrypt(message) == "secret");
    CHECK(processes_about(machine.home) != agents);
}

TEST_CASE("an answer whose agent or gpg is killed under it is decrypted all the same") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    const std::string message = lab.encrypted("secret", "machine");
    Machine machine;
    REQUIRE(machine.create(lab.secret_key("machine")));
    REQUIRE(machine.decrypt(message) == "secret");
    const auto agents = processes_about(machine.home);
    REQUIRE(agents.size() == 1);
    stop(agents.front());  // gpg waits for it
    const bool kills_gpg = GENERATE(false, true);
    const auto killer = machine.loop->timer([&] {
        for (const pid_t pid : processes_about(machine.home))
            if ((pid == agents.front()) != kills_gpg) kill(pid, SIGKILL);
    });
    killer->arm(300ms);
    CHECK(machine.decrypt(message) == "secret");
    CHECK(machine.decrypt(message) == "secret");
}

TEST_CASE("an answer that takes long is given up only when others wait, and the next one is not blamed for it") {
    const GpgLab lab;
    const bool is_protected = GENERATE(false, true);
    is_protected ? lab.make_key("machine", "Key-Type: RSA\nKey-Length: 2048\nPassphrase: abc\n")
                 : lab.make_curve_key("machine");
    const std::string message = lab.encrypted("secret", "machine");
    Machine machine;
    if (is_protected) {
        lab.gpg({"--output", "protected", "--passphrase", "abc", "--export-secret-keys", "machine"});
        REQUIRE(machine.create(lab.path("protected")));
        machine.give("abc");
    } else {
        REQUIRE(machine.create(lab.secret_key("machine")));
    }
    REQUIRE(machine.decrypt(message) == "secret");
    const auto agents = processes_about(machine.home);
    REQUIRE(agents.size() == 1);
    stop(agents.front());
    std::optional<base::ExitCode> code;
    machine.decryptor->decrypt(bytes(message), 100ms, [&](const base::Result<base::Secret>& result) {
        code = result ? base::ExitCode::ok : result.error().code;
        machine.loop->stop();
    });
    machine.run_for(600ms);
    CHECK_FALSE(code);
    machine.decryptor->hurry();
    machine.run_for(20s);
    CHECK(code == base::ExitCode::temporary);
    CHECK(machine.decrypt(message) == "secret");
    CHECK(processes_about(machine.home) != agents);
    CHECK(machine.questions.empty());

    // In the other order: they wait before its patience is over.
    stop(processes_about(machine.home).front());
    code.reset();
    machine.decryptor->decrypt(bytes(message), 100ms, [&](const base::Result<base::Secret>& result) {
        code = result ? base::ExitCode::ok : result.error().code;
        machine.loop->stop();
    });
    machine.decryptor->hurry();
    machine.run_for(20s);
    CHECK(code == base::ExitCode::temporary);
    CHECK(machine.decrypt(message) == "secret");
}

TEST_CASE("the agent is found where GnuPG looks on a running system: below /run/user") {
    if (geteuid() != 0) {
        WARN("skipped: needs root for a mount namespace");
        return;
    }
    const GpgLab lab;
    lab.make_curve_key("machine");
    const std::string seckey = lab.secret_key("machine");
    const std::string message = lab.encrypted("secret", "machine");
    constexpr int skipped = 100;
    const int status = base::testing::forked([&] {
        if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            mount("none", "/run", "tmpfs", 0, nullptr) != 0)
            return skipped;
        std::filesystem::create_directories("/run/user/0");
        std::filesystem::permissions("/run/user/0", std::filesystem::perms::owner_all);
        {
            Machine machine;
            if (!machine.create(seckey)) return 1;
            if (machine.decrypt(message) != "secret") return 2;
            if (std::filesystem::is_empty("/run/user/0/gnupg")) return 3;  // GnuPG has changed: this test tests nothing
        }
        return std::filesystem::is_empty("/run/user/0/gnupg") ? 0 : 4;
    });
    if (status == skipped) {
        WARN("skipped: may not make a mount namespace");
        return;
    }
    CHECK(status == 0);
}

TEST_CASE("agent and gpg end with a process that is killed") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    const std::string seckey = lab.secret_key("machine");
    const std::string message = lab.encrypted("secret", "machine");
    base::testing::TemporaryDirectory directory;
    const std::string home = directory / "home";
    mkdir(home.c_str(), 0700);
    const base::testing::Pipe pipe;
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        alarm(20);
        auto loop = std::move(base::EventLoop::create()).value();
        const base::Log log;
        auto keys = openpgp::read_decryption_keys(seckey, {});
        if (!keys) _exit(2);
        auto decryptor =
            Decryptor::create(*loop, log, std::move(*keys), home, {[](const base::Error&) { _exit(1); }, {}});
        if (!decryptor) _exit(2);
        (*decryptor)->decrypt(bytes(message), base::from_seconds(30), [&](const base::Result<base::Secret>& result) {
            pipe.put(result ? "y" : "n");
        });
        loop->run();
        _exit(3);
    }
    CHECK(base::testing::read_to_end(pipe.read_end.get(), 1) == "y");
    CHECK_FALSE(processes_about(home).empty());
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    bool gone = false;
    for (int i = 0; i < 200 && !gone; ++i) {
        gone = processes_about(home).empty();
        if (!gone) std::this_thread::sleep_for(10ms);
    }
    CHECK(gone);
}
