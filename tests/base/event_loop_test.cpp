// SPDX-License-Identifier: GPL-3.0-or-later
//
// The loop on the real kernel, with pipes and short times. Every run has a guard that ends it.
#include "bootkey/base/event_loop.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <set>
#include <string>
#include <thread>

#include "base/pipe.hpp"
#include "catch.hpp"

using namespace bootkey::base;
using namespace std::chrono_literals;
using bootkey::base::testing::Pipe;

namespace {

std::unique_ptr<EventLoop> make_loop() {
    auto loop = EventLoop::create();
    REQUIRE(loop);
    return *std::move(loop);
}

// Runs until something calls stop(), 5 s at most. Returns whether it was stopped before.
bool run(EventLoop& loop) {
    bool in_time = true;
    const auto guard = loop.timer([&] {
        in_time = false;
        loop.stop();
    });
    guard->arm(5s);
    loop.run();
    return in_time;
}

// Runs for `duration`: for what must not happen meanwhile.
void run_for(EventLoop& loop, Duration duration) {
    const auto end = loop.timer([&] { loop.stop(); });
    end->arm(duration);
    loop.run();
}

std::set<std::string> open_descriptors() {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
        found.insert(entry.path().filename());
    return found;
}

}  // namespace

TEST_CASE("a watch is called for as long as its descriptor is ready") {
    const auto loop = make_loop();
    Pipe pipe;
    std::string read_bytes;
    const auto watch = loop->watch(pipe.read_end.get(), {.readable = true}, [&](Readiness readiness) {
        CHECK(readiness == Readiness{.readable = true});
        char byte = 0;
        REQUIRE(read(pipe.read_end.get(), &byte, 1) == 1);
        read_bytes += byte;
        if (read_bytes.size() == 3) loop->stop();
    });
    pipe.put("abc");
    CHECK(read_bytes.empty());  // only ever from run()
    CHECK(run(*loop));
    CHECK(read_bytes == "abc");
}

TEST_CASE("a watch is told which of its interests is ready") {
    const auto loop = make_loop();
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const UniqueFd near(ends[0]);
    const UniqueFd far(ends[1]);
    std::vector<Readiness> seen;
    const auto watch = loop->watch(near.get(), {true, true}, [&](Readiness readiness) {
        seen.push_back(readiness);
        if (seen.size() == 1) REQUIRE(write(far.get(), "x", 1) == 1);
        if (seen.size() == 2) loop->stop();
    });
    REQUIRE(run(*loop));
    CHECK(seen[0] == Readiness{.writable = true});
    CHECK(seen[1] == Readiness{true, true});
}

TEST_CASE("a watch changes its interest, and with none it pauses") {
    const auto loop = make_loop();
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const UniqueFd near(ends[0]);
    const UniqueFd far(ends[1]);
    REQUIRE(write(far.get(), "x", 1) == 1);
    std::vector<Readiness> seen;
    std::unique_ptr<Watch> watch;
    watch = loop->watch(near.get(), {.readable = true}, [&](Readiness readiness) {
        seen.push_back(readiness);
        if (seen.size() == 1) watch->update({.writable = true});
        if (seen.size() == 2) watch->update({});  // in its own callback
    });
    run_for(*loop, 20ms);
    CHECK(seen == std::vector<Readiness>{{.readable = true}, {.writable = true}});
    watch->update({.readable = true});
    watch->update({.readable = true});
    watch->update({});
    run_for(*loop, 5ms);
    CHECK(seen.size() == 2);
}

TEST_CASE("a watch ends with its object, also in its own or another's callback") {
    const auto loop = make_loop();
    Pipe first_pipe;
    Pipe second_pipe;
    first_pipe.put("x");
    second_pipe.put("x");
    int calls = 0;
    std::unique_ptr<Watch> first;
    std::unique_ptr<Watch> second;
    const auto end_both = [&, captured = std::string(100, 'x')](Readiness) {
        first.reset();
        second.reset();
        calls += static_cast<int>(captured.size());  // what the callback captured is still there
    };
    first = loop->watch(first_pipe.read_end.get(), {.readable = true}, end_both);
    second = loop->watch(second_pipe.read_end.get(), {.readable = true}, end_both);
    run_for(*loop, 20ms);
    CHECK(calls == 100);
}

TEST_CASE("hang-up and error are reported as what is watched for") {
    const auto loop = make_loop();
    Pipe pipe;
    Readiness seen;
    const auto see = [&](Readiness readiness) {
        seen = readiness;
        loop->stop();
    };
    SECTION("the writer is gone") {
        pipe.write_end.reset();
        const auto watch = loop->watch(pipe.read_end.get(), {.readable = true}, see);
        CHECK(run(*loop));
        CHECK(seen == Readiness{.readable = true});
    }
    SECTION("the reader is gone") {
        pipe.read_end.reset();
        const auto watch = loop->watch(pipe.write_end.get(), {.writable = true}, see);
        CHECK(run(*loop));
        CHECK(seen == Readiness{.writable = true});
    }
}

TEST_CASE("what never blocks is always ready") {
    const auto loop = make_loop();
    const std::string path = GENERATE(as<std::string>{}, "/dev/null", "/proc/self/exe");
    const UniqueFd fd(open(path.c_str(), (path == "/dev/null" ? O_RDWR : O_RDONLY) | O_CLOEXEC));
    REQUIRE(fd);
    std::vector<Readiness> seen;
    std::unique_ptr<Watch> watch;
    watch = loop->watch(fd.get(), {true, true}, [&](Readiness readiness) {
        seen.push_back(readiness);
        if (seen.size() == 2) watch->update({.readable = true});
        if (seen.size() == 3) watch.reset();
    });
    Pipe pipe;
    pipe.put("x");
    int others = 0;
    const auto other = loop->watch(pipe.read_end.get(), {.readable = true}, [&](Readiness) { ++others; });
    CHECK(seen.empty());
    run_for(*loop, 20ms);
    CHECK(seen == std::vector<Readiness>{{true, true}, {true, true}, {.readable = true}});
    CHECK(others > 0);
}

TEST_CASE("timers fire once, in order of their deadlines and never early") {
    const auto loop = make_loop();
    std::string order;
    const auto timer = [&](char name, Duration after) {
        auto made = loop->timer([&order, name, &loop, deadline = loop->now() + after] {
            CHECK(loop->now() >= deadline);
            order += name;
        });
        made->arm(after);
        return made;
    };
    const auto third = timer('c', 15ms);
    const auto first = timer('a', -1s);  // the past is at once
    const auto second = timer('b', 5ms);
    CHECK(order.empty());
    run_for(*loop, 30ms);
    CHECK(order == "abc");
}

TEST_CASE("a timer counts from when it is armed, also after a slow callback") {
    const auto loop = make_loop();
    Time deadline;
    Time fired;
    const auto second = loop->timer([&] {
        fired = loop->now();
        loop->stop();
    });
    const auto between = loop->timer([] {});  // wakes the loop before the second is due
    const auto first = loop->timer([&] {
        std::this_thread::sleep_for(20ms);
        between->arm(1ms);
        deadline = loop->now() + 10ms;
        second->arm(10ms);
    });
    first->arm(0s);
    REQUIRE(run(*loop));
    CHECK(fired >= deadline);
}

TEST_CASE("a timer can be armed anew, disarmed and destroyed, also in its own callback") {
    const auto loop = make_loop();
    int calls = 0;
    std::unique_ptr<Timer> timer;

    SECTION("armed anew in its own callback") {
        timer = loop->timer([&] {
            if (++calls < 3) timer->arm(1ms);
        });
        timer->arm(1ms);
        run_for(*loop, 40ms);
        CHECK(calls == 3);
    }
    SECTION("a later arm replaces the earlier") {
        timer = loop->timer([&] { ++calls; });
        timer->arm(1ms);
        timer->arm(20ms);
        run_for(*loop, 10ms);
        CHECK(calls == 0);
        run_for(*loop, 20ms);
        CHECK(calls == 1);
    }
    SECTION("disarmed by another that is due at the same moment") {
        const auto other = loop->timer([&] { timer->disarm(); });
        timer = loop->timer([&] { ++calls; });
        timer->arm(2ms);
        other->arm(1ms);
        std::this_thread::sleep_for(5ms);
        run_for(*loop, 5ms);
        CHECK(calls == 0);
    }
    SECTION("destroyed in its own callback") {
        timer = loop->timer([&, captured = std::string(100, 'x')] {
            timer.reset();
            calls += static_cast<int>(captured.size());
        });
        timer->arm(0s);
        run_for(*loop, 10ms);
        CHECK(calls == 100);
    }
    SECTION("never armed") {
        timer = loop->timer([&] { ++calls; });
        run_for(*loop, 5ms);
        CHECK(calls == 0);
    }
}

TEST_CASE("a signal is called back from the loop, and its disposition from before comes back") {
    const auto loop = make_loop();
    std::signal(SIGUSR2, SIG_IGN);
    int calls = 0;
    std::unique_ptr<SignalWatch> watch = loop->signal(SIGUSR2, [&] {
        if (++calls < 2) {
            raise(SIGUSR2);
            return;
        }
        watch.reset();  // in its own callback
        loop->stop();
    });
    raise(SIGUSR2);
    CHECK(calls == 0);
    CHECK(run(*loop));
    CHECK(calls == 2);
    raise(SIGUSR2);
    CHECK(calls == 2);
    CHECK(std::signal(SIGUSR2, SIG_DFL) == SIG_IGN);
}

TEST_CASE("the loop leaves no descriptor to other programs, and none behind") {
    const std::set<std::string> before = open_descriptors();
    {
        const auto loop = make_loop();
        const auto watch = loop->signal(SIGUSR1, [] {});
        int own = 0;
        for (const std::string& name : open_descriptors()) {
            const int flags = fcntl(std::stoi(name), F_GETFD);
            if (before.contains(name) || flags < 0) continue;  // the latter: the descriptor of the listing itself
            ++own;
            CAPTURE(name);
            CHECK((flags & FD_CLOEXEC) != 0);
        }
        CHECK(own >= 2);
    }
    CHECK(open_descriptors() == before);
}
