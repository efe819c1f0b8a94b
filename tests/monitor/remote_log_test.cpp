// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/remote_log.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "catch.hpp"
#include "fakes/fake_loop.hpp"

using namespace bootkey;
using namespace bootkey::monitor;
using namespace std::chrono_literals;

namespace {

struct LogScene {
    fakes::FakeLoop loop;
    base::Log log{3};
    std::vector<std::string> lines;
    RemoteLog remote{loop, log, "worker", RemoteLog::Repeats::counted};

    LogScene() {
        log.add_sink([this](const base::LogEntry& entry) { lines.push_back(entry.text); });
    }
};

}  // namespace

TEST_CASE("lines of another process are shown as they are, at their level") {
    LogScene scene;
    scene.remote.say(LogLine{3, base::LogFlag::info, "server \\x1b[2J: gr\u00fc\u00dfe"});
    scene.remote.say(LogLine{4, base::LogFlag::info, "details"});
    CHECK(scene.lines == std::vector<std::string>{"server \\x1b[2J: gr\u00fc\u00dfe"});
}

TEST_CASE("nothing in them does more than be seen") {
    LogScene scene;
    for (const char* text : {"a\nbootkey: b", "\x1b[2J", "\r", "\xff",
                             "\xc2\x9b"
                             "31m",
                             "\xe2\x80\xae"
                             "txt"})
        scene.remote.say(0, base::LogFlag::info, text);
    CHECK(scene.lines == std::vector<std::string>{"a\\x0abootkey: b", "\\x1b[2J", "\\x0d", "\\xff", "\\xc2\\x9b31m",
                                                  "\\xe2\\x80\\xaetxt"});
    scene.remote.say(0, base::LogFlag::info, std::string(4096, 'x'));
    CHECK(scene.lines.back() == std::string(RemoteLog::longest_line, 'x') + "...");
}

TEST_CASE("what is repeated is shown ever less often, with how often it has come") {
    LogScene scene;
    for (int i = 0; i < 100; ++i) {
        scene.remote.say(2, base::LogFlag::info, "again");
        scene.remote.say(0, base::LogFlag::info, "asked for");
        if (i % 10 == 0) scene.remote.say(1, base::LogFlag::warning, "something else");
    }
    std::vector<std::string> repeated;
    for (const std::string& line : scene.lines)
        if (line.starts_with("again")) repeated.push_back(line);
    CHECK(repeated == std::vector<std::string>{"again", "again (2 times by now)", "again (4 times by now)",
                                               "again (8 times by now)", "again (16 times by now)",
                                               "again (32 times by now)", "again (64 times by now)"});
    CHECK(std::ranges::count(scene.lines, "asked for") == 100);
    // Others in between, so many that it is forgotten.
    for (int i = 0; i < 1000; ++i) scene.remote.say(2, base::LogFlag::info, std::to_string(i));
    scene.remote.say(2, base::LogFlag::info, "again");
    CHECK(scene.lines.back() == "again");
}

TEST_CASE("there are no more of them than a console bears, and it is said that some are left out") {
    LogScene scene;
    const std::string line(1000, 'x');
    for (int i = 0; i < 10'000; ++i) scene.remote.say(0, base::LogFlag::info, line);
    CHECK(scene.lines.size() < 1000);
    CHECK(scene.lines.back() == "the worker writes too much into the log; lines are left out");
    const std::size_t shown = scene.lines.size() - 1;
    scene.remote.say(9, base::LogFlag::debug, line);  // is not shown anyway
    scene.loop.advance(3s);
    scene.remote.say(0, base::LogFlag::info, "too early");
    CHECK(scene.lines.size() == shown + 1);
    scene.loop.advance(2s);
    scene.remote.say(0, base::LogFlag::info, "later");
    CHECK(scene.lines.size() == shown + 3);
    CHECK(scene.lines[shown + 1] == std::to_string(10'001 - shown) + " lines of the worker were left out");
    CHECK(scene.lines[shown + 2] == "later");
}
