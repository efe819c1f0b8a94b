// SPDX-License-Identifier: GPL-3.0-or-later
//
// The fake loop keeps the promises of loop.hpp; other tests stand on it.
#include "fakes/fake_loop.hpp"

#include <string>

#include "catch.hpp"

using namespace bootkey::base;
using namespace std::chrono_literals;
using bootkey::fakes::FakeLoop;

TEST_CASE("the fake loop calls timers in order of their deadlines, each at its time") {
    FakeLoop loop;
    const Time start = loop.now();
    std::string order;
    const auto named = [&](char name, Duration expected) {
        return loop.timer([&order, &loop, start, name, expected] {
            order += name;
            CHECK(loop.now() - start == expected);
        });
    };
    const auto late = named('c', 30ms);
    const auto early = named('a', 10ms);
    const auto same = named('b', 10ms);
    late->arm(30ms);
    early->arm(10ms);
    same->arm(10ms);
    CHECK(loop.next_timer() == Duration(10ms));
    CHECK(loop.timer_count() == 3);

    loop.advance(9ms);
    CHECK(order.empty());
    loop.advance(1ms);
    CHECK(order == "ab");
    loop.advance(1h);
    CHECK(order == "abc");
    CHECK(loop.now() - start == 1h + 10ms);
    CHECK_FALSE(loop.next_timer());
}

TEST_CASE("a timer of the fake loop can be armed anew, disarmed and destroyed, also in its own callback") {
    FakeLoop loop;
    int calls = 0;
    std::unique_ptr<Timer> timer;

    SECTION("armed anew in its callback") {
        timer = loop.timer([&] {
            if (++calls < 3) timer->arm(1s);
        });
        timer->arm(1s);
        loop.advance(2s);
        CHECK(calls == 2);
        loop.advance(10s);
        CHECK(calls == 3);
    }
    SECTION("armed twice is called once, at the later time") {
        timer = loop.timer([&] { ++calls; });
        timer->arm(1s);
        timer->arm(2s);
        loop.advance(1s);
        CHECK(calls == 0);
        loop.advance(1s);
        CHECK(calls == 1);
    }
    SECTION("disarmed by an earlier one of the same moment") {
        const auto other = loop.timer([&] { timer->disarm(); });
        timer = loop.timer([&] { ++calls; });
        other->arm(1s);
        timer->arm(1s);
        loop.advance(1s);
        CHECK(calls == 0);
    }
    SECTION("destroyed in its callback") {
        timer = loop.timer([&calls, &timer, text = std::string(100, 'x')] {
            timer.reset();
            calls += static_cast<int>(text.size());  // what it captured is still there
        });
        timer->arm(0s);
        CHECK(calls == 0);  // never from inside the call that arms it
        CHECK(loop.run_next_timer());
        CHECK(calls == 100);
        CHECK(loop.timer_count() == 0);
        CHECK_FALSE(loop.run_next_timer());
    }
    SECTION("armed without end is found") {
        timer = loop.timer([&] { timer->arm(0s); });
        timer->arm(0s);
        CHECK_THROWS_AS(loop.advance(1s), std::logic_error);
    }
}

TEST_CASE("the fake loop reports readiness to the watches that want it") {
    FakeLoop loop;
    Readiness seen;
    int calls = 0;
    auto watch = loop.watch(7, {.readable = true}, [&](Readiness readiness) {
        seen = readiness;
        ++calls;
    });
    CHECK(loop.make_ready(8, {true, true}) == 0);
    CHECK(loop.make_ready(7, {.writable = true}) == 0);
    CHECK(loop.make_ready(7, {true, true}) == 1);
    CHECK(seen == Readiness{.readable = true});

    watch->update({.writable = true});
    CHECK(loop.interest(7) == Readiness{.writable = true});
    CHECK(loop.make_ready(7, {.readable = true}) == 0);
    watch->update({});
    CHECK(loop.make_ready(7, {true, true}) == 0);
    CHECK(loop.watch_count() == 1);
    CHECK(calls == 1);
    watch.reset();
    CHECK(loop.watch_count() == 0);
}

TEST_CASE("a watch of the fake loop can destroy itself and others in its callback") {
    FakeLoop loop;
    int calls = 0;
    std::unique_ptr<Watch> first, second, added;
    first = loop.watch(3, {.readable = true}, [&](Readiness) {
        ++calls;
        second.reset();
        added = loop.watch(3, {.readable = true}, [&](Readiness) { calls += 10; });
        first.reset();
    });
    second = loop.watch(3, {.readable = true}, [&](Readiness) { calls += 100; });
    CHECK(loop.make_ready(3, {.readable = true}) == 1);
    CHECK(calls == 1);
    CHECK(loop.make_ready(3, {.readable = true}) == 1);
    CHECK(calls == 11);
}
