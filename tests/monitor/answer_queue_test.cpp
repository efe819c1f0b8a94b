// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/answer_queue.hpp"

#include <array>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::monitor;
using namespace std::chrono_literals;

namespace {

const base::Time now = base::Time(1000s);

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

base::Secret secret(std::string_view text) {
    auto made = base::Secret::with_capacity(64);
    REQUIRE(made.ok());
    REQUIRE(made->append(base::bytes_of(text)));
    return std::move(*made);
}

// A queue whose outlets write down what they are told.
struct Desk {
    base::Log log{-1};
    timeline::TimelineKeeper timeline{now};
    std::vector<std::string> said;
    base::Duration patience{};
    AnswerQueue queue{
        log,
        timeline,
        {.decrypt =
             [this](const std::vector<std::byte>& message, base::Duration given) {
                 said.push_back("decrypt " + text_of(message));
                 patience = given;
             },
         .hurry = [this] { said.emplace_back("hurry"); },
         .hand_over =
             [this](AnswerNumber answer, base::Secret password, const std::string& server) {
                 said.push_back(base::format("hand over %llu from ", static_cast<unsigned long long>(answer)) + server +
                                ": " + text_of(password.bytes()));
             },
         .rejected =
             [this](const timeline::AttemptKey& attempt, const std::string& why) {
                 said.push_back(base::format("reject %llu: ", static_cast<unsigned long long>(attempt.attempt)) + why);
             }}};

    Desk() { timeline.worker_started(now); }
    void answer(servers::AttemptId attempt, std::string_view message) {
        const auto bytes = base::bytes_of(message);
        queue.add({attempt, "server", {bytes.begin(), bytes.end()}}, now);
    }
    // From another host each.
    void answer_of(std::uint8_t host, servers::AttemptId attempt, std::string_view message, bool is_configured = false,
                   std::uint32_t recipients = 1) {
        const auto bytes = base::bytes_of(message);
        const std::array address = {std::byte{192}, std::byte{0}, std::byte{2}, std::byte{host}};
        queue.add({.attempt = attempt,
                   .server = "server",
                   .message = {bytes.begin(), bytes.end()},
                   .host = *base::IpAddress::from_bytes(address),
                   .is_configured = is_configured,
                   .recipients = recipients},
                  now);
    }
    std::vector<std::string> heard() { return std::exchange(said, {}); }
    [[nodiscard]] std::vector<std::string> rejections() const {
        std::vector<std::string> texts;
        for (const auto& record : timeline.finished(0, 0, now).attempts) texts.push_back(record.rejection);
        return texts;
    }
};

using Said = std::vector<std::string>;

}  // namespace

TEST_CASE("answers are decrypted one at a time, equals in the order in which they came, when the decryptor is there") {
    Desk desk;
    desk.answer(1, "one");
    desk.answer(2, "two");
    CHECK(desk.heard().empty());
    desk.queue.decryptor_ready(now);
    CHECK(desk.heard() == Said{"decrypt one"});
    desk.queue.not_decrypted("no key", now);
    CHECK(desk.heard() == Said{"reject 1: no key", "decrypt two"});
    desk.queue.decrypted(secret("password"), now);
    CHECK(desk.heard() == Said{"hand over 1 from server: password"});
    desk.queue.not_decrypted("nothing was asked", now);
    desk.queue.decrypted(secret("nothing was asked"), now);
    CHECK(desk.heard().empty());
}

TEST_CASE("an answer without a password, or of which the decryptor ended, is rejected and the next one's turn comes") {
    Desk desk;
    desk.queue.decryptor_ready(now);
    for (const servers::AttemptId attempt : {1U, 2U, 3U}) desk.answer(attempt, "message");
    desk.queue.decrypted(secret(""), now);
    CHECK(desk.heard() == Said{"decrypt message", "reject 1: it holds no password", "decrypt message"});
    desk.queue.decryptor_lost(now);  // perhaps of something else
    CHECK(desk.heard().empty());
    desk.queue.decryptor_ready(now);
    CHECK(desk.heard() == Said{"decrypt message"});
    desk.queue.decryptor_lost(now);
    CHECK(desk.heard() == Said{"reject 2: the decryptor ended while it was at work"});
    desk.queue.decryptor_ready(now);
    CHECK(desk.heard() == Said{"decrypt message"});
}

TEST_CASE("of decrypted answers the one wins that was delivered and not refused afterwards") {
    Desk desk;
    desk.queue.decryptor_ready(now);
    for (const servers::AttemptId attempt : {1U, 2U, 3U}) {
        desk.answer(attempt, "message");
        desk.queue.decrypted(secret("password"), now);
    }
    desk.heard();
    CHECK(desk.rejections() == Said{"it was not needed", "it was not needed", "it was not needed"});
    desk.queue.delivered(1);
    desk.queue.delivered(2);
    desk.queue.refused(1, "the device refused it", now);
    CHECK(desk.heard() == Said{"reject 1: the device refused it"});
    desk.queue.refused(1, "again", now);
    desk.queue.delivered(1);
    CHECK(desk.heard().empty());
    CHECK(desk.rejections() == Said{"the device refused it", "", "it was not needed"});
}

TEST_CASE("an attempt is known whichever worker has followed its own") {
    Desk desk;
    desk.queue.decryptor_ready(now);
    desk.answer(1, "message");
    desk.queue.decrypted(secret("password"), now);
    desk.answer(2, "message");
    desk.heard();
    desk.timeline.worker_ended(now);
    desk.timeline.worker_started(now);
    desk.queue.not_decrypted("no key", now);
    desk.queue.refused(1, "wrong", now);
    CHECK(desk.heard() == Said{"reject 2: no key", "reject 1: wrong"});
    CHECK(desk.rejections() == Said{"wrong", "no key"});
}

TEST_CASE("answers and passwords that wait are bounded") {
    Desk desk;
    desk.queue.decryptor_ready(now);
    for (servers::AttemptId attempt = 1; attempt <= 300; ++attempt) desk.answer(attempt, "message");
    CHECK(desk.heard().size() == 1 + 300 - 257);  // one of them is being decrypted
    for (int count = 0; count < 256; ++count) desk.queue.decrypted(secret("password"), now);
    desk.heard();
    desk.queue.decrypted(secret("password"), now);
    CHECK(desk.heard() == Said{"reject 257: too many other passwords have been handed over"});

    Desk large;
    large.answer(1, std::string(3 * 1024 * 1024, 'x'));
    large.answer(2, std::string(2 * 1024 * 1024, 'x'));
    CHECK(large.heard() == Said{"reject 1: too many other answers are waiting to be decrypted"});
}

TEST_CASE("a small answer is not refused because of others' big ones") {
    Desk desk;
    for (std::uint8_t host = 1; host <= 70; ++host) desk.answer_of(host, host, std::string(64 * 1024, 'x'));
    desk.heard();
    desk.answer_of(200, 200, "small");
    CHECK(desk.heard() == Said{"reject 64: too many other answers are waiting to be decrypted"});
    desk.queue.decryptor_ready(now);
    CHECK(desk.heard() == Said{"decrypt small", "hurry"});
}

TEST_CASE("configured servers come first, then hosts that were not wrong, then what looks like less work") {
    Desk desk;
    desk.answer_of(1, 1, "first");
    desk.queue.decryptor_ready(now);
    CHECK(desk.heard() == Said{"decrypt first"});
    desk.answer_of(1, 2, "same");
    CHECK(desk.heard().empty());  // nobody else waits
    desk.answer_of(2, 3, "longer");
    desk.answer_of(3, 4, "several", false, 2);
    desk.answer_of(4, 5, "the longest, but named by a person", true, 3);
    CHECK(desk.heard() == Said{"hurry"});
    desk.queue.not_decrypted("wrong", now);
    CHECK(desk.heard() == Said{"reject 1: wrong", "decrypt the longest, but named by a person", "hurry"});
    desk.queue.not_decrypted("wrong", now);
    CHECK(desk.heard() == Said{"reject 5: wrong", "decrypt longer", "hurry"});
    desk.queue.not_decrypted("wrong", now);
    CHECK(desk.heard() == Said{"reject 3: wrong", "decrypt several", "hurry"});
    desk.queue.not_decrypted("wrong", now);
    CHECK(desk.heard() == Said{"reject 4: wrong", "decrypt same"});
}

TEST_CASE("a host whose password was refused comes after others") {
    Desk desk;
    desk.queue.decryptor_ready(now);
    desk.answer_of(1, 1, "x");
    desk.queue.decrypted(secret("password"), now);
    CHECK(desk.queue.source(1).host == "192.0.2.1:0");
    CHECK_FALSE(desk.queue.source(1).is_configured);
    desk.queue.refused(1, "the device refused it", now);
    CHECK(desk.queue.source(1).host.empty());
    desk.answer_of(3, 2, "busy");
    desk.answer_of(1, 3, "x");
    desk.answer_of(2, 4, "longer");
    desk.heard();
    desk.queue.not_decrypted("no", now);
    CHECK(desk.heard() == Said{"reject 2: no", "decrypt longer", "hurry"});
}

TEST_CASE("an answer that takes long makes way, and gets more time when its turn comes again") {
    Desk desk;
    desk.queue.decryptor_ready(now);
    desk.answer_of(1, 1, "slow");
    CHECK(desk.patience == 2s);
    desk.answer_of(2, 2, "quick");
    CHECK(desk.heard() == Said{"decrypt slow", "hurry"});
    desk.queue.interrupted(now);
    CHECK(desk.heard() == Said{"decrypt quick", "hurry"});
    desk.queue.decrypted(secret("password"), now);
    CHECK(desk.heard() == Said{"hand over 1 from server: password", "decrypt slow"});
    CHECK(desk.patience == 4s);
    for (int again = 0; again < 5; ++again) desk.queue.interrupted(now);
    CHECK(desk.patience == 32s);
    desk.heard();
    desk.queue.decrypted(secret("late"), now);
    CHECK(desk.heard() == Said{"hand over 2 from server: late"});
    desk.queue.interrupted(now);
    CHECK(desk.heard().empty());
}

TEST_CASE("nothing is decrypted any more once the password is found") {
    Desk desk;
    desk.queue.decryptor_ready(now);
    desk.queue.stop();
    desk.answer(1, "message");
    CHECK(desk.heard().empty());
    desk.queue.clear();
    desk.queue.decryptor_ready(now);
    desk.answer(2, "message");
    CHECK(desk.heard() == Said{"decrypt message"});
}
