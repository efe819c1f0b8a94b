// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/supervised_process.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "bootkey/base/event_loop.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::monitor;
using namespace std::chrono_literals;

namespace {

void say(const base::UniqueFd& channel, const std::string& text) {
    if (send(channel.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) _exit(99);
}

/// Waits, in the other process, until the channel is closed.
void wait_for_close(const base::UniqueFd& channel) {
    char byte;
    for (ssize_t size = -1; size != 0; size = recv(channel.get(), &byte, 1, 0))
        if (size < 0) usleep(1000);
}

struct SupervisionScene {
    std::unique_ptr<base::EventLoop> loop = std::move(*base::EventLoop::create());
    base::Log log;
    std::vector<std::string> lines, received, said;
    int starts = 0, losses = 0;
    bool again = true, sensible = true;
    std::unique_ptr<SupervisedProcess> process;

    explicit SupervisionScene(std::function<int(base::UniqueFd)> body, std::function<void()> ask = {}) {
        log.add_sink([this](const base::LogEntry& entry) { lines.push_back(entry.text); });
        process = std::make_unique<SupervisedProcess>(
            *loop, log,
            SupervisedProcess::Role{.name = "helper",
                                    .body = std::move(body),
                                    .said = [this](std::string_view line) { said.emplace_back(line); },
                                    .started = [this] { ++starts; },
                                    .ask = std::move(ask),
                                    .ask_pause = 20ms,
                                    .received =
                                        [this](const base::Secret& message) {
                                            received.emplace_back(reinterpret_cast<const char*>(message.bytes().data()),
                                                                  message.size());
                                            return sensible;
                                        },
                                    .lost =
                                        [this] {
                                            ++losses;
                                            return again;
                                        }});
        REQUIRE(process->start());
    }
    template <typename Condition>
    bool run_until(Condition condition, base::Duration limit = 5s) {
        const auto deadline = loop->now() + limit;
        while (!condition() && loop->now() < deadline) {
            const auto stop = loop->timer([this] { loop->stop(); });
            stop->arm(5ms);
            loop->run();
        }
        return condition();
    }
};

}  // namespace

TEST_CASE("a process that ends by itself is heard to the last word and started again") {
    SupervisionScene scene([](const base::UniqueFd& channel) {
        say(channel, "last words");
        return 3;
    });
    REQUIRE(scene.run_until([&] { return scene.starts >= 3; }));
    CHECK(scene.losses >= 2);
    CHECK(scene.received.size() >= 2);
    CHECK(scene.received[0] == "last words");
    CHECK(scene.lines[0] == "the helper ended with exit status 3; it is started again in 0.1 s");
    CHECK(scene.lines[1] == "the helper ended with exit status 3; it is started again in 0.2 s");
}

TEST_CASE("a process that crashes is not started again if that is not wanted") {
    SupervisionScene scene([](const base::UniqueFd&) -> int {
        (void)raise(SIGKILL);
        return 0;
    });
    scene.again = false;
    REQUIRE(scene.run_until([&] { return scene.losses == 1; }));
    CHECK_THAT(scene.lines[0], Catch::Contains("signal 9 (Killed)"));
    CHECK_FALSE(scene.run_until([&] { return scene.starts > 1; }, 300ms));
}

TEST_CASE("a process whose body throws ends, and nothing of the parent's with it") {
    SupervisionScene scene([](const base::UniqueFd&) -> int { throw std::runtime_error("thrown in a test"); });
    scene.again = false;
    REQUIRE(scene.run_until([&] { return scene.losses == 1; }));
    CHECK_THAT(scene.lines[0], Catch::Contains("exit status 71"));
}

TEST_CASE("a process that says what it may not say is killed") {
    SupervisionScene scene([](const base::UniqueFd& channel) {
        say(channel, "nonsense");
        wait_for_close(channel);
        return 0;
    });
    scene.sensible = false;
    scene.again = false;
    REQUIRE(scene.run_until([&] { return scene.losses == 1; }));
    CHECK(scene.received == std::vector<std::string>{"nonsense"});
}

TEST_CASE("a process that says much that it may not say is told of once") {
    SupervisionScene scene([](const base::UniqueFd& channel) {
        for (int i = 0; i < 50; ++i) say(channel, "nonsense");
        wait_for_close(channel);
        return 0;
    });
    scene.sensible = false;
    scene.again = false;
    REQUIRE(scene.run_until([&] { return scene.losses == 1; }));
    CHECK(scene.received.size() == 1);
    CHECK(scene.lines.size() == 2);
}

TEST_CASE("a process that does not answer any more is killed and started again") {
    int asked = 0;
    SupervisionScene scene(
        [](const base::UniqueFd&) {
            for (;;) pause();
            return 0;
        },
        [&] { ++asked; });
    REQUIRE(scene.run_until([&] { return scene.starts == 2; }));
    CHECK(asked >= SupervisedProcess::most_unanswered);
    CHECK(scene.lines.at(0) == "the helper has not answered for 0.06 s; it is killed");
}

TEST_CASE("a process that answers is left alone") {
    int asked = 0;
    SupervisionScene* all = nullptr;
    SupervisionScene scene(
        [](const base::UniqueFd& channel) {
            wait_for_close(channel);
            return 0;
        },
        [&] {
            ++asked;
            CHECK(all->process->heard());
            CHECK_FALSE(all->process->heard());  // a sign of life that nobody has asked for
        });
    all = &scene;
    REQUIRE(scene.run_until([&] { return asked > 3 * SupervisedProcess::most_unanswered; }));
    CHECK(scene.losses == 0);
}

TEST_CASE(
    "what a process writes to standard error arrives line by line, and is not what the monitor's is connected to") {
    SupervisionScene scene([](const base::UniqueFd& channel) {
        dprintf(STDERR_FILENO, "one\ntwo\n\nlast words");
        struct stat status {};
        const bool write_only = (fcntl(STDERR_FILENO, F_GETFL) & O_ACCMODE) == O_WRONLY;
        say(channel, fstat(STDERR_FILENO, &status) == 0 && S_ISFIFO(status.st_mode) && write_only ? "pipe" : "no pipe");
        return 0;
    });
    scene.again = false;
    REQUIRE(scene.run_until([&] { return scene.losses == 1; }));
    CHECK(scene.said == std::vector<std::string>{"one", "two", "", "last words"});
    CHECK(scene.received == std::vector<std::string>{"pipe"});
}

TEST_CASE("a long line on standard error arrives in pieces, whole") {
    SupervisionScene scene([](const base::UniqueFd&) {
        const std::string text(100'000, 'x');
        for (std::size_t sent = 0; sent < text.size();) {
            const ssize_t count = write(STDERR_FILENO, text.data() + sent, text.size() - sent);
            if (count < 0) return 1;
            sent += static_cast<std::size_t>(count);
        }
        return 0;
    });
    scene.again = false;
    REQUIRE(scene.run_until([&] { return scene.losses == 1; }));
    std::size_t size = 0;
    for (const std::string& piece : scene.said) {
        CHECK(piece.size() <= 2048);
        size += piece.size();
    }
    CHECK(size == 100'000);
    CHECK_THAT(scene.lines[0], Catch::Contains("exit status 0"));
}

TEST_CASE("a process that closes its channel is killed") {
    SupervisionScene scene([](base::UniqueFd channel) {
        channel.reset();
        sleep(60);
        return 0;
    });
    scene.again = false;
    CHECK(scene.run_until([&] { return scene.losses == 1; }));
}

TEST_CASE("a process ends in order when its channel is closed") {
    SupervisionScene scene([](const base::UniqueFd& channel) {
        say(channel, "ready");
        wait_for_close(channel);
        return 0;
    });
    REQUIRE(scene.run_until([&] { return !scene.received.empty(); }));
    bool ended = false;
    scene.process->end(5s, [&] { ended = true; });
    CHECK_FALSE(ended);
    CHECK(scene.run_until([&] { return ended; }));
    CHECK(scene.losses == 0);
    CHECK(scene.lines.empty());
}

TEST_CASE("a process that does not end in order is killed") {
    SupervisionScene scene([](const base::UniqueFd& channel) {
        say(channel, "ready");
        for (;;) pause();
        return 0;
    });
    REQUIRE(scene.run_until([&] { return !scene.received.empty(); }));
    bool ended = false;
    scene.process->end(100ms, [&] { ended = true; });
    CHECK(scene.run_until([&] { return ended; }));
}

TEST_CASE("a process that cannot do its work is ended and started again, three times at most") {
    SupervisionScene scene([](const base::UniqueFd& channel) {
        say(channel, "no memory");
        wait_for_close(channel);
        return 0;
    });
    for (int retry = 1; retry <= SupervisedProcess::most_retries; ++retry) {
        const auto count = static_cast<std::size_t>(retry);
        REQUIRE(scene.run_until([&] { return scene.received.size() == count; }));
        CHECK(scene.process->retry());
        REQUIRE(scene.run_until([&] { return scene.lines.size() == count; }));
        CHECK_THAT(scene.lines.back(),
                   Catch::StartsWith("the helper ended with exit status 0; it is started again in"));
    }
    REQUIRE(scene.run_until([&] { return scene.starts == 1 + SupervisedProcess::most_retries; }));
    CHECK_FALSE(scene.process->retry());
    CHECK_FALSE(scene.run_until([&] { return scene.losses > SupervisedProcess::most_retries; }, 100ms));
}

TEST_CASE("a process that waits to be started again can be ended") {
    SupervisionScene scene([](const base::UniqueFd&) { return 1; });
    REQUIRE(scene.run_until([&] { return scene.losses == 1; }));
    bool ended = false;
    scene.process->end(5s, [&] { ended = true; });
    CHECK(scene.run_until([&] { return ended; }));
    CHECK_FALSE(scene.run_until([&] { return scene.starts > 1; }, 300ms));
}

TEST_CASE("the pauses between starts are doubled up to ten seconds") {
    CHECK(SupervisedProcess::restart_pause(1) == 100ms);
    CHECK(SupervisedProcess::restart_pause(2) == 200ms);
    CHECK(SupervisedProcess::restart_pause(7) == 6400ms);
    CHECK(SupervisedProcess::restart_pause(8) == 10s);
    CHECK(SupervisedProcess::restart_pause(1000) == 10s);
}
