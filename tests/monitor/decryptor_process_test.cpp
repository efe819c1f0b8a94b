// SPDX-License-Identifier: GPL-3.0-or-later
//
// The decryptor as a process, confined, with the installed gpg: what it says over its channel, and in which order.
#include <sys/wait.h>
#include <unistd.h>

#include <deque>
#include <optional>
#include <string>
#include <type_traits>

#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/file.hpp"
#include "bootkey/monitor/channel.hpp"
#include "bootkey/monitor/worker.hpp"
#include "catch.hpp"
#include "openpgp/gpg_lab.hpp"
#include "sandbox/writable_directory.hpp"

using namespace bootkey;
using namespace bootkey::monitor;
using namespace std::chrono_literals;
using openpgp::testing::bytes;
using openpgp::testing::GpgLab;

namespace {

constexpr const char* protected_curve_key =
    "Key-Type: eddsa\nKey-Curve: ed25519\nSubkey-Type: ecdh\nSubkey-Curve: cv25519\nPassphrase: open sesame\n";

base::Secret locked(const std::string& text) {
    auto made = base::Secret::with_capacity(text.size());
    REQUIRE(made);
    REQUIRE(made->append(base::bytes_of(text)));
    return std::move(*made);
}

std::string in_words(const Failed& said) {
    return "failed: " + said.error.message();
}
std::string in_words(const KeysGood&) {
    return "keys good";
}
std::string in_words(const Password& said) {
    return "password " + std::string(reinterpret_cast<const char*>(said.password.bytes().data()), said.password.size());
}
std::string in_words(const NotDecrypted& said) {
    return "not decrypted: " + said.error.message();
}
std::string in_words(const Interrupted&) {
    return "interrupted";
}
std::string in_words(const Pong&) {
    return "pong";
}
std::string in_words(const NeedPassphrase& said) {
    return (said.again ? "need another passphrase for " : "need passphrase for ") + said.key;
}

/// A decryptor with this key, and the monitor's end of its channel.
class DecryptorProcess {
public:
    explicit DecryptorProcess(const std::string& seckey) {
        auto ends = Channel::make_ends();
        REQUIRE(ends);
        openpgp::KeyFiles keys;
        keys.seckey = seckey;
        const std::string home = directory_.make_directory("home");
        const pid_t monitor = getpid();
        pid_ = fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ends->first.reset();
            _exit(run_decryptor(std::move(ends->second), options::Options(), keys, home, monitor));
        }
        channel_.emplace(*loop_, std::move(ends->first),
                         Channel::Listener{.received = [this](const base::Secret& message) { hear(message); },
                                           .closed = [this] { hear("gone"); }});
    }
    ~DecryptorProcess() {
        channel_.reset();  // upon which it ends in order
        waitpid(pid_, nullptr, 0);
    }
    DecryptorProcess(const DecryptorProcess&) = delete;
    DecryptorProcess& operator=(const DecryptorProcess&) = delete;

    template <typename Message>
    void say(Message message) {
        channel_->send(ToDecryptor(std::move(message)));
    }
    /// The next thing it says that is not for the log.
    std::string next() {
        const auto limit = loop_->timer([this] { hear("nothing for 20 s"); });
        limit->arm(20s);
        while (said_.empty()) loop_->run();
        std::string first = std::move(said_.front());
        said_.pop_front();
        return first;
    }

private:
    void hear(const base::Secret& bytes) {
        const auto message = decode<FromDecryptor>(bytes.bytes());
        if (!message) return hear("what cannot be read");
        std::visit(
            [this]<typename Message>(const Message& said) {
                if constexpr (!std::is_same_v<Message, LogLine>) hear(in_words(said));
            },
            *message);
    }
    void hear(std::string words) {
        said_.push_back(std::move(words));
        loop_->stop();
    }

    sandbox::testing::WritableDirectory directory_;
    std::unique_ptr<base::EventLoop> loop_ = std::move(*base::EventLoop::create());
    std::deque<std::string> said_;
    std::optional<Channel> channel_;
    pid_t pid_ = 0;
};

}  // namespace

TEST_CASE("a decryptor says that its keys are good, and decrypts") {
    const GpgLab lab;
    lab.make_curve_key("machine");
    DecryptorProcess decryptor(lab.secret_key("machine"));
    CHECK(decryptor.next() == "keys good");
    decryptor.say(Decrypt{bytes(lab.encrypted("secret", "machine"))});
    CHECK(decryptor.next() == "password secret");
    decryptor.say(Decrypt{bytes("garbage")});
    CHECK_THAT(decryptor.next(), Catch::StartsWith("not decrypted: cannot use"));
    decryptor.say(Passphrase{});  // which nobody has asked for
    decryptor.say(Passphrase{locked("x")});
    decryptor.say(Ping{});
    CHECK(decryptor.next() == "pong");
}

TEST_CASE("a decryptor asks for the passphrase before all else, and again until it is right, while an answer waits") {
    const GpgLab lab;
    lab.make_key("machine", protected_curve_key);
    lab.gpg({"--output", "protected", "--passphrase", "open sesame", "--export-secret-keys", "machine"});
    DecryptorProcess decryptor(lab.path("protected"));
    CHECK(decryptor.next() == "need passphrase for machine");
    CHECK(decryptor.next() == "keys good");
    const auto message = bytes(lab.encrypted("secret", "machine"));
    decryptor.say(Decrypt{message});
    decryptor.say(Passphrase{locked("wrong")});
    CHECK(decryptor.next() == "need another passphrase for machine");
    decryptor.say(Passphrase{locked("")});
    CHECK(decryptor.next() == "need another passphrase for machine");
    decryptor.say(Passphrase{locked("open sesame")});
    CHECK(decryptor.next() == "password secret");
    decryptor.say(Decrypt{message});
    CHECK(decryptor.next() == "password secret");
}

TEST_CASE("a decryptor that nobody gives the passphrase says that it cannot use the key") {
    const GpgLab lab;
    lab.make_key("machine", protected_curve_key);
    lab.gpg({"--output", "protected", "--passphrase", "open sesame", "--export-secret-keys", "machine"});
    DecryptorProcess decryptor(lab.path("protected"));
    CHECK(decryptor.next() == "need passphrase for machine");
    CHECK(decryptor.next() == "keys good");
    decryptor.say(Passphrase{});
    CHECK_THAT(decryptor.next(),
               Catch::StartsWith("failed: cannot use the OpenPGP key in ") && Catch::Contains("passphrase"));
}
