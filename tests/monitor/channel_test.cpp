// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/channel.hpp"

#include <sys/socket.h>

#include <string>
#include <vector>

#include "bootkey/base/event_loop.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::monitor;
using namespace std::chrono_literals;

namespace {

/// One end as a Channel, the other by hand.
struct ChannelScene {
    std::unique_ptr<base::EventLoop> loop = std::move(*base::EventLoop::create());
    base::UniqueFd other;
    std::vector<std::string> received;
    int closed = 0;
    std::unique_ptr<Channel> channel;

    ChannelScene() {
        auto ends = Channel::make_ends();
        REQUIRE(ends);
        other = std::move(ends->second);
        channel = std::make_unique<Channel>(
            *loop, std::move(ends->first),
            Channel::Listener{.received =
                                  [this](const base::Secret& message) {
                                      received.emplace_back(reinterpret_cast<const char*>(message.bytes().data()),
                                                            message.size());
                                  },
                              .closed = [this] { ++closed; }});
    }
    void say(const std::string& bytes) const { REQUIRE(send(other.get(), bytes.data(), bytes.size(), 0) >= 0); }
    void run(base::Duration duration = 20ms) const {
        const auto stop = loop->timer([this] { loop->stop(); });
        stop->arm(duration);
        loop->run();
    }
    /// What has arrived at the other end, decoded.
    [[nodiscard]] std::vector<Rejected> heard() const {
        std::vector<Rejected> messages;
        std::vector<std::byte> buffer(longest_message);
        for (ssize_t size; (size = recv(other.get(), buffer.data(), buffer.size(), 0)) > 0;)
            messages.push_back(
                std::get<Rejected>(*decode<ToWorker>(std::span(buffer).first(static_cast<std::size_t>(size)))));
        return messages;
    }
};

}  // namespace

TEST_CASE("messages arrive whole and in order") {
    ChannelScene scene;
    for (const char* text : {"one", "two", "three"}) scene.say(text);
    scene.run();
    CHECK(scene.received == std::vector<std::string>{"one", "two", "three"});
    CHECK(scene.closed == 0);
}

TEST_CASE("an end that goes away is told once, after all that it said") {
    ChannelScene scene;
    scene.say("last words");
    scene.other.reset();
    scene.run();
    CHECK(scene.received == std::vector<std::string>{"last words"});
    CHECK(scene.closed == 1);
    scene.channel->send(ToWorker(TryNow{}));
    scene.run();
    CHECK(scene.closed == 1);
}

TEST_CASE("an empty message and one that is too long end the connection") {
    for (const std::size_t size : {std::size_t{0}, longest_message + 1}) {
        ChannelScene scene;
        scene.say(std::string(size, 'x'));
        scene.say("more");
        scene.run();
        CHECK(scene.received.empty());
        CHECK(scene.closed == 1);
    }
}

TEST_CASE("what the other end does not take yet is queued and sent when it does") {
    ChannelScene scene;
    constexpr servers::AttemptId count = 400;
    for (servers::AttemptId number = 0; number < count; ++number)
        scene.channel->send(ToWorker(Rejected{number, std::string(4096, 'x')}));
    CHECK(scene.channel->is_behind());
    std::vector<Rejected> heard;
    for (int turn = 0; turn < 100 && heard.size() < count; ++turn) {
        for (Rejected& message : scene.heard()) heard.push_back(std::move(message));
        scene.run(1ms);
    }
    REQUIRE(heard.size() == count);
    for (servers::AttemptId number = 0; number < count; ++number) CHECK(heard[number].attempt == number);
    CHECK_FALSE(scene.channel->is_behind());
    CHECK(scene.closed == 0);
}

TEST_CASE("an end that takes nothing is as good as gone, and makes nobody wait") {
    ChannelScene scene;
    for (servers::AttemptId number = 0; number < 2 * Channel::most_queued; ++number)
        scene.channel->send(ToWorker(Rejected{number, std::string(4096, 'x')}));
    CHECK(scene.closed == 0);  // told from the loop, not from a call
    scene.run();
    CHECK(scene.closed == 1);
    CHECK_FALSE(scene.heard().empty());
    char byte;
    CHECK(recv(scene.other.get(), &byte, 1, 0) == 0);  // it is told, too
}

TEST_CASE("a channel may be destroyed by what it tells") {
    for (const bool by_message : {true, false}) {
        ChannelScene scene;
        auto ends = Channel::make_ends();
        REQUIRE(ends);
        std::unique_ptr<Channel> channel;
        int calls = 0;
        const auto destroy = [&] {
            ++calls;
            channel.reset();
        };
        channel = std::make_unique<Channel>(
            *scene.loop, std::move(ends->first),
            Channel::Listener{.received = [&](const base::Secret&) { destroy(); }, .closed = [&] { destroy(); }});
        if (by_message) REQUIRE(send(ends->second.get(), "ab", 2, 0) == 2);
        if (by_message) REQUIRE(send(ends->second.get(), "ab", 2, 0) == 2);
        ends->second.reset();
        scene.run();
        CHECK(calls == 1);
    }
}
