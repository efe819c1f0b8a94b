// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/password_sink.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <string>

#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/file.hpp"
#include "catch.hpp"
#include "console/secrets.hpp"

using namespace bootkey;
using console::testing::awkward_password;
using console::testing::secret;
using namespace std::chrono_literals;

namespace {

// A pipe or socket pair of which we are the reader.
struct Channel {
    base::UniqueFd reader, writer;
};

Channel make_pipe() {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    return {base::UniqueFd(ends[0]), base::UniqueFd(ends[1])};
}

Channel make_socket_pair() {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    return {base::UniqueFd(ends[0]), base::UniqueFd(ends[1])};
}

struct Run {
    std::unique_ptr<base::EventLoop> loop = std::move(*base::EventLoop::create());
    std::optional<base::Result<void>> result;
    std::string received;
    bool ended = false;

    // Writes `text` through a sink; reads from `reader` (if any) only when the loop finds it readable.
    void write(base::UniqueFd output, const std::string& text, int reader) {
        console::PasswordSink sink(*loop, std::move(output), [] {});
        auto limit = loop->timer([&] { loop->stop(); });
        limit->arm(10s);
        std::unique_ptr<base::Watch> watch;
        if (reader >= 0)
            watch = loop->watch(reader, {.readable = true}, [&](base::Readiness) {
                char buffer[1000];
                const ssize_t count = read(reader, buffer, sizeof buffer);
                if (count > 0) received.append(buffer, static_cast<std::size_t>(count));
                if (count > 0) return;
                ended = true;
                loop->stop();
            });
        sink.write(secret(text), [&](base::Result<void> written) {
            result = std::move(written);
            if (reader < 0 || !*result) loop->stop();
        });
        loop->run();
    }
};

}  // namespace

TEST_CASE("a password goes through a pipe or socket byte for byte and ends with end of file") {
    const std::string text = GENERATE(std::string("x"), std::string("a\0b\n\xff", 5), awkward_password(65536));
    Channel channel = GENERATE(0, 1) == 0 ? make_pipe() : make_socket_pair();
    Run run;
    run.write(std::move(channel.writer), text, channel.reader.get());
    REQUIRE(run.result);
    CHECK(run.result->ok());
    CHECK(run.received == text);
    CHECK(run.ended);
}

TEST_CASE("a password goes into a regular file") {
    char path[] = "/tmp/bootkey-sink-XXXXXX";
    base::UniqueFd file(mkostemp(path, O_CLOEXEC));
    REQUIRE(file);
    Run run;
    run.write(std::move(file), "secret\n", -1);
    REQUIRE(run.result);
    CHECK(run.result->ok());
    const auto content = base::read_file(path, 100);
    unlink(path);
    REQUIRE(content);
    CHECK(*content == "secret\n");
}

TEST_CASE("a full output is an output error") {
    Run run;
    run.write(base::UniqueFd(open("/dev/full", O_WRONLY | O_CLOEXEC)), "secret", -1);
    REQUIRE(run.result);
    REQUIRE_FALSE(run.result->ok());
    CHECK(run.result->error().code == base::ExitCode::io_error);
    CHECK(run.result->error().message().find("No space left") != std::string::npos);
}

TEST_CASE("a reader that left is a temporary failure") {
    Channel channel = make_pipe();
    channel.reader.reset();
    std::signal(SIGPIPE, SIG_IGN);
    Run run;
    run.write(std::move(channel.writer), "secret", -1);
    REQUIRE(run.result);
    REQUIRE_FALSE(run.result->ok());
    CHECK(run.result->error().code == base::ExitCode::temporary);
}

TEST_CASE("a reader that does not read blocks neither timers nor signals") {
    Channel channel = make_pipe();
    Run run;
    int ticks = 0;
    std::unique_ptr<base::Timer> tick;
    tick = run.loop->timer([&] {
        if (++ticks == 3) return run.loop->stop();
        tick->arm(20ms);
    });
    tick->arm(20ms);
    run.write(std::move(channel.writer), awkward_password(1 << 20), -1);
    CHECK_FALSE(run.result);
    CHECK(ticks == 3);
}

TEST_CASE("the sink says when the reader leaves before there is a password") {
    Channel channel = make_pipe();
    auto loop = std::move(*base::EventLoop::create());
    bool gone = false;
    const console::PasswordSink sink(*loop, std::move(channel.writer), [&] {
        gone = true;
        loop->stop();
    });
    auto leave = loop->timer([&] { channel.reader.reset(); });
    leave->arm(10ms);
    auto limit = loop->timer([&] { loop->stop(); });
    limit->arm(10s);
    loop->run();
    CHECK(gone);
}

TEST_CASE("a sink that is stopped writes nothing more, and leaves its output open") {
    const auto loop = std::move(*base::EventLoop::create());
    Channel pipe = make_pipe();
    const int output = pipe.writer.get();
    console::PasswordSink sink(*loop, std::move(pipe.writer), [] {});
    bool told = false;
    sink.write(secret("xyz"), [&](const base::Result<void>&) { told = true; });
    sink.stop();
    const auto limit = loop->timer([&] { loop->stop(); });
    limit->arm(20ms);
    loop->run();
    CHECK_FALSE(told);
    CHECK(fcntl(output, F_GETFD) >= 0);
    char byte;
    REQUIRE(fcntl(pipe.reader.get(), F_SETFL, O_NONBLOCK) == 0);
    CHECK((read(pipe.reader.get(), &byte, 1) < 0 && errno == EAGAIN));
}
