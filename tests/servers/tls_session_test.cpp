// SPDX-License-Identifier: GPL-3.0-or-later
//
// Attempts against a real TLS client in the server's role, polite, broken and hostile.
#include "bootkey/servers/tls_session.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "servers/live_attempt.hpp"
#include "servers/mandos_peer.hpp"
#include "servers/test_keys.hpp"

using namespace std::chrono_literals;
using namespace bootkey;
using servers::Blame;
using servers::Phase;
using tests::MandosPeer;
using tests::Manners;

namespace {

std::string pattern(std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
    return bytes;
}

}  // namespace

TEST_CASE("answers come through byte for byte") {
    struct Case {
        const char* name;
        std::string answer;
        Manners::Farewell farewell;
    };
    const auto answer = GENERATE(values<Case>({
        {"one byte", "x", Manners::Farewell::in_order},
        {"NUL bytes and newlines", std::string("\0a\0\n\r\n\0", 7), Manners::Farewell::in_order},
        {"longer than a TLS record", pattern(20'000), Manners::Farewell::in_order},
        {"the longest allowed", pattern(65'536), Manners::Farewell::in_order},
        {"without close_notify: OpenPGP decides whether it is whole", pattern(500), Manners::Farewell::cut_off},
    }));
    CAPTURE(answer.name);
    Manners manners;
    manners.answer = answer.answer;
    manners.farewell = answer.farewell;
    MandosPeer peer(manners);
    const auto outcome = tests::run_attempt(peer.endpoint(), tests::credentials(tests::ed25519_key()));
    CHECK(outcome.phase == Phase::answered);
    CHECK(outcome.why.empty());
    CHECK(outcome.answer == answer.answer);
    CHECK(peer.visits().at(0).farewell_in_order == (answer.farewell == Manners::Farewell::in_order));
}

TEST_CASE("an answer after a long approval is waited for") {
    Manners manners;
    manners.answer = "approved";
    manners.approval = 1200ms;
    MandosPeer peer(manners);
    servers::AttemptLimits limits;
    limits.connect = limits.handshake = limits.answer = 1s;  // none of them limits the wait
    CHECK(tests::run_attempt(peer.endpoint(), tests::credentials(tests::ed25519_key()), limits).answer == "approved");
}

TEST_CASE("failures say what was wrong and whose fault it is") {
    struct Case {
        const char* name;
        std::function<void(Manners&)> change;
        Blame blame;
        const char* why;
    };
    const auto failure = GENERATE(values<Case>({
        {"closed without an answer", [](Manners&) {}, Blame::server,
         "does not know this machine or has not approved it"},
        {"cut off without an answer", [](Manners& m) { m.farewell = Manners::Farewell::cut_off; }, Blame::endpoint,
         "broke off without an answer"},
        {"reset while waiting", [](Manners& m) { m.farewell = Manners::Farewell::reset; }, Blame::endpoint,
         "Connection reset by peer"},
        {"one byte too long", [](Manners& m) { m.answer = pattern(65'537); }, Blame::server, "longer than 65536 bytes"},
        {"without end", [](Manners& m) { m.answer = pattern(50'000'000); }, Blame::server, "far more than it should"},
        {"an answer that does not end",
         [](Manners& m) {
             m.answer = "half";
             m.stay = true;
         },
         Blame::server, "no end of the answer within 0.5 s"},
        {"mute after the version", [](Manners& m) { m.greeting = Manners::Greeting::silence; }, Blame::endpoint,
         "no end of the TLS handshake within 0.5 s"},
        {"not TLS", [](Manners& m) { m.greeting = Manners::Greeting::garbage; }, Blame::endpoint, "TLS handshake: "},
        {"closes after the version", [](Manners& m) { m.greeting = Manners::Greeting::close; }, Blame::endpoint,
         "closed the connection"},
        {"resets after the version", [](Manners& m) { m.greeting = Manners::Greeting::reset; }, Blame::endpoint,
         "Connection reset by peer"},
        {"TLS 1.2 only", [](Manners& m) { m.priority = "NORMAL:!CTYPE-X.509:+CTYPE-RAWPK:!VERS-ALL:+VERS-TLS1.2"; },
         Blame::endpoint, "TLS handshake: "},
        {"X.509 only", [](Manners& m) { m.priority = "NORMAL:!VERS-ALL:+VERS-TLS1.3"; }, Blame::endpoint,
         "TLS handshake: "},
    }));
    CAPTURE(failure.name);
    Manners manners;
    failure.change(manners);
    MandosPeer peer(manners);
    servers::AttemptLimits limits;
    limits.handshake = limits.answer = 500ms;
    const auto outcome = tests::run_attempt(peer.endpoint(), tests::credentials(tests::ed25519_key()), limits);
    CHECK(outcome.phase == Phase::failed);
    CHECK(outcome.blame == failure.blame);
    CHECK_THAT(outcome.why, Catch::Contains(failure.why));
    CHECK(outcome.answer.empty());
    CHECK(peer.visits().at(0).version_line == "1\r\n");
    CHECK(peer.visits().at(0).sent <= 6'000'000);  // of 50 MB: what socket buffers take, not more
}

TEST_CASE("a flood does not hold an attempt beyond its limits") {
    struct Case {
        const char* name;
        std::function<void(Manners&)> change;
        const char* why = "";
    };
    const auto before = [](std::string piece) {
        return [piece](Manners& m) {
            m.greeting = Manners::Greeting::flood;
            m.flood = piece;
        };
    };
    const auto after = [](Manners::Chatter kind) {
        return [kind](Manners& m) {
            m.answer = "x";  // so that the answer's limit runs
            m.chatter = kind;
        };
    };
    const std::vector<Case> cases = {
        {"zeros", before(std::string(100, '\0'))},
        {"change_cipher_spec", before(std::string("\x14\x03\x03\x00\x01\x01", 6))},
        {"warning alerts", before(std::string("\x15\x03\x03\x00\x02\x01\x5a", 7))},
        {"hello requests", before(std::string("\x16\x03\x03\x00\x04\x00\x00\x00\x00", 9))},
        {"empty handshake records", before(std::string("\x16\x03\x03\x00\x00", 5))},
        {"empty data records", before(std::string("\x17\x03\x03\x00\x00", 5))},
        {"the beginning of a huge message",
         before(std::string("\x16\x03\x03\x00\x08\x01\xff\xff\xff\x03\x03\x00\x00", 13)), "far more than it should"},
        {"warning alerts in the session", after(Manners::Chatter::alerts)},
        {"key updates in the session", after(Manners::Chatter::key_updates)},
        {"empty records in the session", after(Manners::Chatter::empty_records), "far more than it should"},
    };
    for (const auto& one : cases) {
        CAPTURE(one.name);
        // Time enough, also for a slow peer, where the amount is to end it.
        servers::AttemptLimits limits;
        limits.handshake = limits.answer = *one.why != '\0' ? 60s : 500ms;
        Manners manners;
        one.change(manners);
        MandosPeer peer(manners);
        const auto begun = std::chrono::steady_clock::now();
        const auto outcome = tests::run_attempt(peer.endpoint(), tests::credentials(tests::ed25519_key()), limits);
        const double seconds = base::to_seconds(std::chrono::steady_clock::now() - begun);
        UNSCOPED_INFO(one.name << ": " << outcome.why << " after " << seconds << " s");
        CHECK(outcome.phase == Phase::failed);
        CHECK_THAT(outcome.why, Catch::Contains(one.why));
        CHECK(seconds < 30);
    }
}

TEST_CASE("a refused connection fails at once with the system's reason") {
    base::Endpoint endpoint;
    {
        Manners manners;
        MandosPeer peer(manners, 0);
        endpoint = peer.endpoint();
    }
    const auto outcome = tests::run_attempt(endpoint, tests::credentials(tests::ed25519_key()));
    CHECK(outcome.phase == Phase::failed);
    CHECK(outcome.why == "Connection refused");
}

TEST_CASE("the server sees the key of this machine") {
    const auto& key = GENERATE(std::ref(tests::ed25519_key()), std::ref(tests::rsa_key())).get();
    Manners manners;
    manners.answer = "x";
    MandosPeer peer(manners);
    CHECK(tests::run_attempt(peer.endpoint(), tests::credentials(key)).answer == "x");
    CHECK(peer.visits().at(0).key_id == key.key_id);
    CHECK_FALSE(peer.visits().at(0).client_certificate_wanted);
}
