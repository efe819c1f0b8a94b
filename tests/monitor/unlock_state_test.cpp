// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/unlock_state.hpp"

#include <utility>
#include <vector>

#include "bootkey/base/text.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::monitor;
using namespace std::chrono_literals;

namespace {

const base::Time start = base::Time(1000s);
using Lines = std::vector<std::string>;

// What of an attempt is told, phase by phase.
struct Told {
    servers::AttemptId id;
    AttemptNews news;

    explicit Told(servers::AttemptId number) : id(number) {
        news.record.id = number;
        news.record.endpoint = {*base::IpAddress::parse(base::format("fe80::%u", static_cast<unsigned>(number))), 4711,
                                2};
        news.record.connecting = start;
    }
    AttemptNews connecting() { return news; }
    AttemptNews handshake() {
        news.local = {*base::IpAddress::parse("fe80::a"), 40000, 2};
        news.record.handshake = start;
        return news;
    }
    AttemptNews waiting() {
        news.record.waiting = start;
        return news;
    }
    AttemptNews answered() {
        news.record.receiving = news.record.ended = start;
        return news;
    }
    AttemptNews failed() {
        news.record.ended = start;
        news.record.failure = "why";
        return news;
    }
};

// States without their times.
struct Watched {
    Lines lines;
    UnlockState state{[this](const management::StateChange& change) {
        lines.push_back(management::state_line(0, change).substr(2));
    }};
    Lines seen() { return std::exchange(lines, {}); }
    void tell(const AttemptNews& news, base::Time now = start) { state.attempt({1, news.record.id}, news, now); }
};

}  // namespace

TEST_CASE("the states of an unlock by one server") {
    Watched watched;
    watched.state.begun();
    watched.state.address_usable(*base::IpAddress::parse("fe80::a"), true);
    Told server(1);
    watched.tell(server.connecting());
    watched.tell(server.handshake());
    watched.tell(server.waiting());
    watched.tell(server.answered());
    watched.state.connected(timeline::AttemptKey{1, 1});
    watched.state.exiting("exit");
    CHECK(watched.seen() == Lines{"CONNECTING,,,,,,", "ASSIGN_IP,,fe80::a,,,,", "RESOLVE,,,,,,",
                                  "TCP_CONNECT,,,fe80::1,4711,,", "AUTH,,,fe80::1,4711,fe80::a,40000",
                                  "GET_CONFIG,,,fe80::1,4711,fe80::a,40000",
                                  "CONNECTED,SUCCESS,fe80::a,fe80::1,4711,fe80::a,40000", "EXITING,exit,,,,,"});
}

TEST_CASE("the states with two servers of which the faster refuses") {
    Watched watched;
    Told fast(1), slow(2);
    watched.tell(fast.connecting());
    watched.tell(slow.connecting());
    watched.tell(fast.handshake());
    watched.tell(fast.waiting());
    watched.tell(slow.handshake());
    CHECK(watched.seen() == Lines{"TCP_CONNECT,,,fe80::1,4711,,", "AUTH,,,fe80::1,4711,fe80::a,40000",
                                  "GET_CONFIG,,,fe80::1,4711,fe80::a,40000"});
    watched.tell(fast.failed());  // another one is past WAIT: the state falls back to it
    CHECK(watched.seen() == Lines{"AUTH,,,fe80::2,4711,fe80::a,40000"});
    watched.tell(slow.waiting());
    watched.tell(slow.answered());
    watched.state.connected(timeline::AttemptKey{1, 2});
    CHECK(watched.seen() ==
          Lines{"GET_CONFIG,,,fe80::2,4711,fe80::a,40000", "CONNECTED,SUCCESS,fe80::a,fe80::2,4711,fe80::a,40000"});
}

TEST_CASE("a failure is a new state only if nobody else is being tried") {
    Watched watched;
    Told one(1), other(2);
    watched.tell(one.connecting());
    watched.tell(other.connecting());
    watched.seen();
    watched.tell(other.failed());
    CHECK(watched.seen().empty());
    watched.tell(one.failed());
    watched.state.idle("17");
    CHECK(watched.seen() == Lines{"RECONNECTING,connection-failed,,,,,", "WAIT,until 17,,,,,"});
    Told third(3);
    third.handshake();
    watched.tell(third.waiting());
    watched.tell(third.answered());
    watched.state.idle("18");  // its answer is being judged
    watched.state.rejected({1, 3}, "decrypt_failed");
    watched.state.rejected({1, 3}, "decrypt_failed");
    CHECK(watched.seen() == Lines{"GET_CONFIG,,,fe80::3,4711,fe80::a,40000", "RECONNECTING,decrypt_failed,,,,,"});
}

TEST_CASE("a server that is silent for two seconds waits for an approval") {
    Watched watched;
    Told server(1);
    server.handshake();
    watched.tell(server.waiting(), start);
    watched.tell(server.waiting(), start + 1s);
    REQUIRE(watched.state.deadline() == start + 2s);
    watched.state.run_due(start + 1s);
    watched.seen();
    watched.state.run_due(start + 2s);
    CHECK(watched.seen() == Lines{"GET_CONFIG,approval,,fe80::1,4711,fe80::a,40000"});
    CHECK_FALSE(watched.state.deadline());
    watched.tell(server.answered(), start + 3s);
    CHECK(watched.seen().empty());
}

TEST_CASE("whoever gave the password, nothing is said of other attempts afterwards") {
    Watched watched;
    Told one(1), other(2);
    one.handshake();
    watched.tell(one.waiting());
    watched.seen();
    watched.state.connected("management");
    CHECK(watched.seen() == Lines{"CONNECTED,SUCCESS,management,,,,"});
    watched.tell(one.failed());
    watched.tell(other.connecting());
    watched.state.address_usable(*base::IpAddress::parse("fe80::a"), true);
    watched.state.idle("17");
    CHECK(watched.seen().empty());
    CHECK_FALSE(watched.state.deadline());
}

TEST_CASE("a password that the device refuses after all is waited for again") {
    Watched watched;
    Told one(1);
    one.waiting();
    watched.tell(one.answered());
    watched.state.connected(timeline::AttemptKey{1, 1});
    watched.seen();
    watched.state.rejected({1, 1}, "decrypt_failed");
    CHECK(watched.seen() == Lines{"RECONNECTING,decrypt_failed,,,,,"});
}

TEST_CASE("a restart forgets all attempts") {
    Watched watched;
    Told one(1);
    watched.tell(one.connecting());
    watched.seen();
    watched.state.interrupted("SIGHUP");
    watched.state.begun();
    CHECK(watched.seen() == Lines{"RECONNECTING,SIGHUP,,,,,", "CONNECTING,,,,,,"});
    watched.tell(one.failed());
    CHECK(watched.seen().empty());
}

TEST_CASE("to try all servers again is a new state unless one is being tried") {
    Watched watched;
    watched.state.idle("17");
    watched.seen();
    watched.state.trying_anew("SIGUSR1");
    CHECK(watched.seen() == Lines{"RECONNECTING,SIGUSR1,,,,,"});
    Told one(1);
    watched.tell(one.connecting());
    watched.seen();
    watched.state.trying_anew("SIGUSR1");
    CHECK(watched.seen().empty());
}

TEST_CASE("attempts that nobody can have made take no memory") {
    Watched watched;
    for (servers::AttemptId id = 1; id <= 10'000; ++id) {
        AttemptNews news;
        news.record.id = id;
        watched.tell(news);
    }
    CHECK(watched.seen().size() == 1);
}
