// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/askpass_watch.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "base/temporary_directory.hpp"
#include "bootkey/base/event_loop.hpp"
#include "catch.hpp"
#include "console/reader.hpp"

using namespace bootkey;
using console::AskpassWatch;
using console::testing::make_fifo;
using console::testing::Reader;
using namespace std::chrono_literals;

namespace {

struct Watched {
    base::testing::TemporaryDirectory directory;
    std::string path = directory / "fifo";
    std::unique_ptr<base::EventLoop> loop = std::move(*base::EventLoop::create());
    base::Log log;
    std::string said;
    std::vector<pid_t> waiting;
    std::unique_ptr<AskpassWatch> watch;

    Watched() {
        log.add_sink([this](const base::LogEntry& entry) { said += entry.text + "\n"; });
    }
    void start() {
        auto made = AskpassWatch::create(
            *loop, log, path,
            {.waits = [this](const console::Prompt& prompt) { waiting.push_back(static_cast<pid_t>(prompt.process)); },
             .gone = [this](console::ProcessNumber process) { std::erase(waiting, static_cast<pid_t>(process)); },
             .changed = [] {}},
            "/proc/self/exe");
        REQUIRE(made);
        watch = std::move(*made);
    }
    std::vector<pid_t> now() {
        const auto limit = loop->timer([this] { loop->stop(); });
        limit->arm(50ms);
        loop->run();
        return waiting;
    }
};

using Pids = std::vector<pid_t>;

}  // namespace

TEST_CASE("an askpass that waits already is told, and its end") {
    Watched watched;
    make_fifo(watched.path);
    Reader askpass(watched.path);
    watched.start();
    CHECK(watched.now() == Pids{askpass.pid()});
    askpass.end();
    CHECK(watched.now().empty());
}

TEST_CASE("an askpass that comes is told, whether its FIFO was there or not") {
    Watched watched;
    if (GENERATE(false, true)) make_fifo(watched.path);
    watched.start();
    CHECK(watched.now().empty());
    if (!std::filesystem::exists(watched.path)) make_fifo(watched.path);
    Reader first(watched.path);
    CHECK(watched.now() == Pids{first.pid()});
    first.end();
    CHECK(watched.now().empty());
    const Reader second(watched.path);
    CHECK(watched.now() == Pids{second.pid()});
    CHECK(watched.said.empty());
}

TEST_CASE("an askpass at a FIFO that was taken away does not wait any more") {
    Watched watched;
    make_fifo(watched.path);
    const Reader askpass(watched.path);
    watched.start();
    CHECK(watched.now() == Pids{askpass.pid()});
    std::filesystem::rename(watched.path, watched.directory / "elsewhere");
    CHECK(watched.now().empty());
    std::ofstream(watched.path) << "x";
    CHECK(watched.now().empty());
    CHECK(watched.said.find("it is not a FIFO") != std::string::npos);
    watched.said.clear();
    { const std::ifstream again(watched.path); }
    CHECK(watched.now().empty());
    CHECK(watched.said.empty());  // once is enough
    std::filesystem::rename(watched.directory / "elsewhere", watched.path);
    CHECK(watched.now() == Pids{askpass.pid()});
}
