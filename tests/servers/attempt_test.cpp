// SPDX-License-Identifier: GPL-3.0-or-later
//
// The phases of one attempt with a transport and a TLS session that do what the test says, and time that stands still
// until told.
#include "bootkey/servers/attempt.hpp"

#include <cerrno>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace std::chrono_literals;
using namespace bootkey;
using servers::Attempt;
using servers::Blame;
using servers::Phase;
using servers::TlsSession;
using State = servers::TlsSession::State;

namespace {

const base::Time start{1000h};

// What both fakes do; the last entry of a list is repeated for ever.
struct Script {
    int begin = 0;
    int connection = EINPROGRESS;
    std::deque<ssize_t> send;  // how many bytes each call takes, or an error; when empty: all
    std::deque<TlsSession::Step> handshake{{State::wants_read}};
    std::deque<TlsSession::Step> receive{{State::wants_read}};
    bool session_fails = false;

    int begun = 0;
    std::string sent;
    base::Readiness wanted;
    int goodbyes = 0;
    int received = 0;
};

template <typename T>
T next(std::deque<T>& list) {
    T first = list.front();
    if (list.size() > 1) list.pop_front();
    return first;
}

class FakeTransport final : public servers::Transport {
public:
    explicit FakeTransport(Script& script) : script_(script) {}
    int begin() override {
        ++script_.begun;
        return script_.begin;
    }
    int connection() override { return script_.connection; }
    ssize_t send(std::span<const std::byte> bytes) override {
        auto count = static_cast<ssize_t>(bytes.size());
        if (!script_.send.empty()) {
            count = script_.send.front();
            script_.send.pop_front();
        }
        if (count > 0)
            script_.sent.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(count));
        return count;
    }
    ssize_t receive(std::span<std::byte>) override { return -EAGAIN; }
    void want(base::Readiness interest) override { script_.wanted = interest; }

private:
    Script& script_;
};

class FakeSession final : public TlsSession {
public:
    explicit FakeSession(Script& script) : script_(script) {}
    Step handshake() override { return next(script_.handshake); }
    Step receive(std::span<std::byte> buffer) override {
        ++script_.received;
        const Step step = next(script_.receive);
        std::fill_n(buffer.begin(), step.bytes, std::byte{'x'});
        return step;
    }
    void say_goodbye() override { ++script_.goodbyes; }

private:
    Script& script_;
};

struct Fixture {
    Script script;
    FakeTransport transport{script};
    Attempt attempt{transport,
                    [this](servers::Transport&) -> base::Result<std::unique_ptr<TlsSession>> {
                        if (script.session_fails)
                            return base::Error{base::ExitCode::unavailable, "no session", "no memory", {}};
                        return std::unique_ptr<TlsSession>(std::make_unique<FakeSession>(script));
                    },
                    [] { return 0.0; }};
    base::Time now = start;

    void advance(base::Duration later = 0s) {
        now += later;
        attempt.advance(now);
    }
    [[nodiscard]] double deadline_in() const { return base::to_seconds(*attempt.deadline() - now); }

    // Up to where a test begins.
    void connected() {
        advance();
        script.connection = 0;
        advance();
    }
    void waiting() {
        script.handshake = {{State::done}};
        connected();
        REQUIRE(attempt.phase() == Phase::waiting);
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "an attempt goes through its phases to the answer") {
    advance();
    CHECK(script.begun == 1);
    CHECK(attempt.phase() == Phase::connecting);
    CHECK(script.wanted == base::Readiness{false, true});

    script.connection = 0;
    advance(1ms);
    CHECK(attempt.phase() == Phase::handshake);
    CHECK(script.sent == "1\r\n");
    CHECK(script.wanted == base::Readiness{true, false});
    CHECK(deadline_in() == Approx(10));

    script.handshake = {{State::done}};
    advance(1ms);
    CHECK(attempt.phase() == Phase::waiting);
    CHECK_FALSE(attempt.deadline().has_value());

    script.receive = {{State::data, 3}, {State::wants_read}};
    advance(24h);  // an approval takes as long as it takes
    CHECK(attempt.phase() == Phase::receiving);
    CHECK(deadline_in() == Approx(30));

    script.receive = {{State::data, 2}, {State::end}};
    advance(1ms);
    CHECK(attempt.phase() == Phase::answered);
    CHECK_FALSE(attempt.deadline().has_value());
    CHECK(script.goodbyes == 1);
    CHECK(attempt.take_answer().size() == 5);
}

TEST_CASE_METHOD(Fixture, "a connection that is not made is begun anew, and given up after 10 s") {
    advance();
    std::vector<double> tries;
    for (int i = 0; i < 100 && !attempt.ended(); ++i) {
        const int before = script.begun;
        tries.push_back(deadline_in());
        advance(*attempt.deadline() - now);
        CHECK((attempt.ended() || script.begun == before + 1));
    }
    CHECK(attempt.phase() == Phase::failed);
    CHECK(attempt.blame() == Blame::endpoint);
    CHECK_THAT(attempt.why(), Catch::Contains("no connection within 10 s"));
    CHECK(base::to_seconds(now - start) == Approx(10));
    REQUIRE(tries.size() >= 5);
    CHECK(tries[0] == Approx(0.25));
    CHECK(tries[1] == Approx(0.375));
}

TEST_CASE_METHOD(Fixture, "a wake-up before the deadline does not begin another connection") {
    advance();
    advance(100ms);
    advance(100ms);
    CHECK(script.begun == 1);
}

TEST_CASE_METHOD(Fixture, "connection errors are said in the system's words") {
    const bool at_once = GENERATE(true, false);
    const int error = GENERATE(ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, ETIMEDOUT);
    (at_once ? script.begin : script.connection) = error;
    advance();
    CHECK(attempt.phase() == Phase::failed);
    CHECK(attempt.why() == std::strerror(error));
    CHECK(attempt.blame() == Blame::endpoint);
    CHECK(script.begun == 1);
}

TEST_CASE_METHOD(Fixture, "the protocol version is sent whole, in pieces if need be") {
    script.send = {1, -EAGAIN, 2};
    connected();
    CHECK(script.sent == "1");
    CHECK(script.wanted == base::Readiness{false, true});
    advance(1ms);
    CHECK(script.sent == "1\r\n");
    CHECK(script.wanted == base::Readiness{true, false});
}

TEST_CASE_METHOD(Fixture, "failures before the end of the handshake") {
    struct Case {
        const char* name;
        std::function<void(Script&)> change;
        const char* why;
    };
    const auto one = GENERATE(values<Case>({
        {"greeting", [](Script& s) { s.send = {-EPIPE}; }, "Broken pipe"},
        {"no session", [](Script& s) { s.session_fails = true; }, "no memory"},
        {"alert",
         [](Script& s) {
             s.handshake = {{State::failed, 0, "the server says so"}};
         },
         "TLS handshake: the server says so"},
    }));
    CAPTURE(one.name);
    one.change(script);
    connected();
    CHECK(attempt.phase() == Phase::failed);
    CHECK(attempt.blame() == Blame::endpoint);
    CHECK(attempt.why().find(one.why) != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "a handshake may take 10 s") {
    const auto state = GENERATE(State::wants_read, State::wants_write);
    script.handshake = {{state}};
    connected();
    CHECK(script.wanted == base::Readiness{state == State::wants_read, state == State::wants_write});
    advance(9999ms);
    CHECK(attempt.phase() == Phase::handshake);
    advance(1ms);
    CHECK(attempt.phase() == Phase::failed);
    CHECK_THAT(attempt.why(), Catch::Contains("within 10 s"));
}

TEST_CASE_METHOD(Fixture, "a greeting that cannot be sent counts as handshake time") {
    script.send = {-EAGAIN, -EAGAIN};
    connected();
    REQUIRE(attempt.phase() == Phase::handshake);
    advance(10s);
    CHECK(attempt.phase() == Phase::failed);
}

TEST_CASE_METHOD(Fixture, "an answer may take 30 s from its first byte") {
    waiting();
    script.receive = {{State::data, 1}, {State::wants_read}};
    advance(1h);
    script.receive = {{State::data, 1}, {State::wants_read}};  // a trickle does not prolong it
    advance(29'999ms);
    CHECK(attempt.phase() == Phase::receiving);
    advance(1ms);
    CHECK(attempt.phase() == Phase::failed);
    CHECK(attempt.blame() == Blame::server);
    CHECK_THAT(attempt.why(), Catch::Contains("within 30 s"));
    CHECK(attempt.take_answer().empty());
}

TEST_CASE_METHOD(Fixture, "an answer has at most 64 KiB") {
    waiting();
    script.receive = {{State::data, 16'384}};  // for ever
    const int more = GENERATE(0, 1);
    if (more == 0)
        script.receive = {
            {State::data, 16'384}, {State::data, 16'384}, {State::data, 16'384}, {State::data, 16'384}, {State::end}};
    advance();
    CHECK(attempt.phase() == (more == 0 ? Phase::answered : Phase::failed));
    CHECK(script.received <= 6);  // not a byte more is asked for than is needed to know
    CHECK(attempt.take_answer().size() == (more == 0 ? 65'536u : 0u));
}

TEST_CASE_METHOD(Fixture, "how the stream ends decides") {
    struct Case {
        const char* name;
        bool bytes;
        TlsSession::Step last;
        Phase phase;
        Blame blame;
        const char* why;
    };
    const auto one = GENERATE(values<Case>({
        {"in order after an answer", true, {State::end}, Phase::answered, Blame::endpoint, ""},
        {"cut off after an answer: OpenPGP's integrity protection decides",
         true,
         {State::cut_off},
         Phase::answered,
         Blame::endpoint,
         ""},
        {"reset in the answer",
         true,
         {State::failed, 0, "reset"},
         Phase::failed,
         Blame::endpoint,
         "the answer broke off: reset"},
        {"in order without answer",
         false,
         {State::end},
         Phase::failed,
         Blame::server,
         "does not know this machine or has not approved it (yet)"},
        {"cut off without answer",
         false,
         {State::cut_off},
         Phase::failed,
         Blame::endpoint,
         "broke off without an answer"},
        {"peer dead",
         false,
         {State::failed, 0, "timed out"},
         Phase::failed,
         Blame::endpoint,
         "while waiting for an answer: timed out"},
    }));
    CAPTURE(one.name);
    waiting();
    if (one.bytes)
        script.receive = {{State::data, 9}, one.last};
    else
        script.receive = {one.last};
    advance();
    CHECK(attempt.phase() == one.phase);
    CHECK(attempt.why().find(one.why) != std::string::npos);
    if (one.phase == Phase::failed) CHECK(attempt.blame() == one.blame);
    CHECK(attempt.take_answer().size() == (one.phase == Phase::answered ? 9u : 0u));
}

TEST_CASE_METHOD(Fixture, "how far an attempt came is known also if it ended in the same moment") {
    script.handshake = {{State::done}};
    script.receive = {{State::end}};
    connected();
    CHECK(attempt.phase() == Phase::failed);
    CHECK(attempt.reached() == Phase::waiting);
}

TEST_CASE_METHOD(Fixture, "nothing happens after the end") {
    script.begin = ENETUNREACH;
    advance();
    REQUIRE(attempt.ended());
    script.begin = 0;
    advance(1h);
    CHECK(script.begun == 1);
    CHECK(attempt.phase() == Phase::failed);
}
