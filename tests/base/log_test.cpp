// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/log.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/pipe.hpp"
#include "base/temporary_directory.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "catch.hpp"

using namespace bootkey::base;
namespace base_testing = bootkey::base::testing;
using bootkey::base::testing::Pipe;
using bootkey::base::testing::read_to_end;

TEST_CASE("a log shows what its level allows, with flag and verbosity") {
    struct Row {
        int level;
        std::string shown;
    };
    const Row row = GENERATE(values<Row>({{0, "F0"},
                                          {1, "F0 N1 W1"},
                                          {3, "F0 N1 W1 I3"},
                                          {8, "F0 N1 W1 I3"},
                                          {9, "F0 N1 W1 I3 D9"},
                                          {15, "F0 N1 W1 I3 D9"}}));
    Log log(row.level);
    std::string shown;
    log.add_sink([&](const LogEntry& entry) {
        if (!shown.empty()) shown += ' ';
        shown += static_cast<char>(entry.flag) + std::to_string(entry.verbosity);
        CHECK(entry.text == "said");
    });
    log.fatal("said");
    log.error("said");
    log.warning("said");
    log.info(3, "said");
    log.debug("said");
    CHECK(shown == row.shown);
    CHECK(log.shows(row.level));
    CHECK_FALSE(log.shows(row.level + 1));
}

TEST_CASE("a log hands each message to all its sinks in order, and its level can change") {
    Log log(0);
    std::string heard;
    log.add_sink([&](const LogEntry&) { heard += 'a'; });
    log.add_sink([&](const LogEntry&) { heard += 'b'; });
    log.warning("too quiet");
    CHECK(heard.empty());
    log.set_level(1);
    log.warning("loud enough");
    CHECK(heard == "ab");
}

TEST_CASE("a log file in memory keeps its beginning and its end, and says how much is left out") {
    char path[] = "/dev/shm/bootkey-test-XXXXXX";
    const UniqueFd created(mkstemp(path));
    REQUIRE(created);
    struct statfs system {};
    REQUIRE(fstatfs(created.get(), &system) == 0);
    const bool in_memory = system.f_type == TMPFS_MAGIC;
    const UniqueFd fd(open(path, O_WRONLY | O_APPEND | O_CLOEXEC));
    unlink(path);
    if (!in_memory) {
        WARN("skipped: /dev/shm is no tmpfs");
        return;
    }
    Log log(2);
    log.add_sink(descriptor_sink(fd.get(), Clock::now(), log));
    constexpr int lines = 100'000;
    struct stat status {};
    off_t largest = 0;
    for (int i = 0; i < lines; ++i) {
        log.info(2, "line " + std::to_string(i) + " of many that a neighbour has this machine write");
        if (i % 100 != 0) continue;
        REQUIRE(fstat(fd.get(), &status) == 0);
        largest = std::max(largest, status.st_size);
    }
    CHECK(largest <= 1024 * 1024);
    CHECK(largest > 1000 * 1024);
    REQUIRE(fstat(fd.get(), &status) == 0);
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    REQUIRE(pread(created.get(), text.data(), text.size(), 0) == status.st_size);
    CHECK(text.starts_with("bootkey: line 0 of"));
    CHECK(text.find("line " + std::to_string(lines - 1) + " of") != text.npos);
    // Every line is there, or counted.
    const auto mark = text.find("bootkey: of the log ");
    REQUIRE(mark != text.npos);
    CHECK(text.find("bootkey: of the log ", mark + 1) == text.npos);
    const long left_out = std::stol(text.substr(mark + 20));
    CHECK(left_out + std::ranges::count(text, '\n') - 1 == lines);
    CHECK(text.find("\n\n") == text.npos);
}

TEST_CASE("a log file on a disk is not shortened") {
    const base_testing::TemporaryDirectory directory;
    const std::string path = directory / "log";
    const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(fd);
    struct statfs system {};
    REQUIRE(fstatfs(fd.get(), &system) == 0);
    if (system.f_type == TMPFS_MAGIC) return;
    Log log(2);
    log.add_sink(descriptor_sink(fd.get(), Clock::now(), log));
    for (int i = 0; i < 20; ++i) log.info(2, std::string(100'000, 'x'));
    struct stat status {};
    REQUIRE(fstat(fd.get(), &status) == 0);
    CHECK(status.st_size > 2'000'000);
}

TEST_CASE("log entries carry the time at which they were said") {
    Log log;
    Time heard;
    log.add_sink([&](const LogEntry& entry) { heard = entry.time; });
    const Time before = Clock::now();
    log.warning("now");
    CHECK(heard >= before);
    CHECK(heard <= Clock::now());
}

TEST_CASE("the descriptor sink writes a line a message") {
    Pipe pipe;
    Log log(1);
    log.add_sink(descriptor_sink(pipe.write_end.get(), Clock::now(), log));

    SECTION("plain at low levels") {
        log.warning("the door is open");
        log.error("the key is missing");
        pipe.write_end.reset();
        CHECK(read_to_end(pipe.read_end.get()) == "bootkey: warning: the door is open\nbootkey: the key is missing\n");
    }
    SECTION("with milliseconds from level 3 on") {
        log.set_level(3);
        log.info(3, "discovery begins");
        pipe.write_end.reset();
        const std::string text = read_to_end(pipe.read_end.get());
        CAPTURE(text);
        double milliseconds = -1;
        char after[40] = "";
        REQUIRE(std::sscanf(text.c_str(), "bootkey: [%lf ms]%39[^\n]", &milliseconds, after) == 2);
        CHECK(milliseconds >= 0);
        CHECK(milliseconds < 60'000);
        CHECK(after == std::string(" discovery begins"));
        CHECK(text.ends_with('\n'));
    }
}

TEST_CASE("a descriptor sink that nobody can be written to is no failure") {
    Log log(1);
    constexpr int closed = 1'000'000;
    log.add_sink(descriptor_sink(closed, Clock::now(), log));
    std::string heard;
    log.add_sink([&](const LogEntry& entry) { heard = entry.text; });
    log.warning("still said");
    CHECK(heard == "still said");
}

TEST_CASE("a reader that has stopped does not stop the descriptor sink, and is told what it has missed") {
    const Pipe pipe;
    const int capacity = fcntl(pipe.write_end.get(), F_GETPIPE_SZ);
    REQUIRE(capacity > 0);
    const std::string before(static_cast<std::size_t>(capacity), 'x');
    pipe.put(before);
    Log log(1);
    log.add_sink(descriptor_sink(pipe.write_end.get(), Clock::now(), log));

    const Time start = Clock::now();
    for (int i = 0; i < 100; ++i) log.warning("nobody takes this");
    CHECK(Clock::now() - start < std::chrono::seconds(5));  // not a hundred times the second it waits once
    CHECK(read_to_end(pipe.read_end.get(), before.size()) == before);

    log.error("taken again");
    log.error("and again");
    const std::string expected =
        "bootkey: 100 lines are missing here: nobody took them\nbootkey: taken again\nbootkey: and again\n";
    CHECK(read_to_end(pipe.read_end.get(), expected.size()) == expected);
}

TEST_CASE("of messages of one category only so many in a row are shown, and how many are left out") {
    Log log(2);
    std::vector<std::string> lines;
    log.add_sink([&](const bootkey::base::LogEntry& entry) { lines.push_back(entry.text); });
    log.set_mute(2);
    for (const char* text : {"server a: 1", "server a: 2", "server a: 3", "server a: 4", "interface eth0 up",
                             "interface eth1 up", "interface eth2 up"})
        log.info(1, text);
    log.warning("interface eth3 down");
    for (int count = 0; count < 3; ++count) log.error("interface eth4 down");
    CHECK(lines == std::vector<std::string>{
                       "server a: 1", "server a: 2", "messages like the last one that are not shown: 2",
                       "interface eth0 up", "interface eth1 up", "messages like the last one that are not shown: 1",
                       "interface eth3 down", "interface eth4 down", "interface eth4 down", "interface eth4 down"});
}
