// SPDX-License-Identifier: GPL-3.0-or-later
//
// AvahiPoll as Avahi uses it: with watches that are freed while they are dispatched, and wall clock times.
#include "bootkey/discovery/avahi_poll.hpp"

#include <avahi-common/timeval.h>
#include <avahi-common/watch.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstring>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "discovery/two_machines.hpp"

using namespace bootkey;
using namespace bootkey::discovery;
using namespace bootkey::discovery::test;
using namespace std::chrono_literals;

namespace {

struct Pipe {
    base::UniqueFd reading, writing;
    Pipe() {
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        reading.reset(ends[0]);
        writing.reset(ends[1]);
    }
};

struct Calls {
    const AvahiPoll* api;
    int count = 0;
    bool free_itself = false;
    AvahiWatchEvent event{};
    AvahiWatchEvent asked{};
};

void on_watch(AvahiWatch* watch, int, AvahiWatchEvent event, void* userdata) {
    auto& calls = *static_cast<Calls*>(userdata);
    ++calls.count;
    calls.event = event;
    calls.asked = calls.api->watch_get_events(watch);
    if (calls.free_itself) calls.api->watch_free(watch);
}

void on_timeout(AvahiTimeout* timeout, void* userdata) {
    auto& calls = *static_cast<Calls*>(userdata);
    ++calls.count;
    if (calls.free_itself) calls.api->timeout_free(timeout);
}

timeval from_now(long milliseconds) {
    timeval when{};
    avahi_elapse_time(&when, static_cast<unsigned>(milliseconds), 0);
    return when;
}

}  // namespace

TEST_CASE("a watch tells what happened, follows updates and may be freed from inside its callback") {
    auto loop = std::move(*base::EventLoop::create());
    const AvahiPollAdapter adapter(*loop);
    const AvahiPoll* api = adapter.api();
    Pipe pipe;
    Calls reading{api}, writing{api};
    AvahiWatch* reader = api->watch_new(api, pipe.reading.get(), AVAHI_WATCH_IN, on_watch, &reading);
    AvahiWatch* writer = api->watch_new(api, pipe.writing.get(), AVAHI_WATCH_OUT, on_watch, &writing);
    writing.free_itself = true;
    REQUIRE(run_until(
        *loop, [&] { return writing.count > 0; }, 1s));
    run_for(*loop, 10ms);
    CHECK(writing.count == 1);
    CHECK(writing.event == AVAHI_WATCH_OUT);
    CHECK(writing.asked == AVAHI_WATCH_OUT);
    CHECK(reading.count == 0);
    static_cast<void>(writer);

    REQUIRE(::write(pipe.writing.get(), "x", 1) == 1);
    REQUIRE(run_until(
        *loop, [&] { return reading.count > 0; }, 1s));
    CHECK(reading.event == AVAHI_WATCH_IN);
    api->watch_update(reader, static_cast<AvahiWatchEvent>(0));
    const int before = reading.count;
    run_for(*loop, 10ms);
    CHECK(reading.count == before);
    api->watch_update(reader, AVAHI_WATCH_IN);
    CHECK(run_until(
        *loop, [&] { return reading.count > before; }, 1s));
    api->watch_free(reader);
}

TEST_CASE("timeouts are of the wall clock, end once, and may be freed from inside") {
    auto loop = std::move(*base::EventLoop::create());
    const AvahiPollAdapter adapter(*loop);
    const AvahiPoll* api = adapter.api();
    Calls calls{api};
    const auto start = loop->now();
    timeval when = from_now(50);
    AvahiTimeout* timeout = api->timeout_new(api, &when, on_timeout, &calls);
    REQUIRE(run_until(
        *loop, [&] { return calls.count > 0; }, 1s));
    CHECK(base::to_seconds(loop->now() - start) == Approx(0.05).margin(0.04));
    run_for(*loop, 100ms);
    CHECK(calls.count == 1);

    when = from_now(0);
    when.tv_sec -= 3600;  // long ago: now
    api->timeout_update(timeout, &when);
    REQUIRE(run_until(
        *loop, [&] { return calls.count == 2; }, 1s));

    for (const timeval& never : {timeval{from_now(0).tv_sec + 60, 0}, timeval{std::numeric_limits<time_t>::max(), 0}}) {
        api->timeout_update(timeout, &never);
        run_for(*loop, 20ms);
        CHECK(calls.count == 2);
    }
    when = from_now(10);
    api->timeout_update(timeout, &when);
    api->timeout_update(timeout, nullptr);
    run_for(*loop, 30ms);
    CHECK(calls.count == 2);

    calls.free_itself = true;
    when = {std::numeric_limits<time_t>::min(), 0};
    api->timeout_update(timeout, &when);
    CHECK(run_until(
        *loop, [&] { return calls.count == 3; }, 1s));
}

TEST_CASE("datagrams that are not admitted never reach Avahi") {
    auto loop = std::move(*base::EventLoop::create());
    std::vector<std::string> seen;
    const AvahiPollAdapter adapter(*loop, [&](std::span<const std::byte> datagram, const Arrival& arrival) {
        CHECK((arrival.source && arrival.source->is_loopback()));
        seen.emplace_back(reinterpret_cast<const char*>(datagram.data()), datagram.size());
        return !seen.back().empty() && seen.back()[0] == '+';
    });
    const AvahiPoll* api = adapter.api();

    const base::UniqueFd receiver(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    const base::UniqueFd sender(::socket(AF_INET, SOCK_DGRAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(receiver.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::getsockname(receiver.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    REQUIRE(::connect(sender.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);

    struct Reader {
        std::vector<std::string> read;
    } reader;
    AvahiWatch* watch = api->watch_new(
        api, receiver.get(), AVAHI_WATCH_IN,
        [](AvahiWatch*, int fd, AvahiWatchEvent, void* userdata) {
            char buffer[100];
            const ssize_t length = ::recv(fd, buffer, sizeof buffer, 0);
            if (length >= 0)
                static_cast<Reader*>(userdata)->read.emplace_back(buffer, static_cast<std::size_t>(length));
        },
        &reader);
    const std::string too_long(9001, '+');
    for (const std::string& text :
         {std::string("+1"), std::string("-2"), std::string(), too_long, std::string("-3"), std::string("+4")})
        REQUIRE(::send(sender.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    REQUIRE(run_until(
        *loop, [&] { return reader.read.size() >= 2; }, 1s));
    CHECK(reader.read == std::vector<std::string>{"+1", "+4"});
    CHECK(seen == std::vector<std::string>{"+1", "-2", "", "-3", "+4"});  // what is too long is not even shown
    api->watch_free(watch);
}
