// SPDX-License-Identifier: GPL-3.0-or-later
//
// Network hooks: real programs (shell scripts) in a directory of the test's own.
#include "bootkey/network/network_hooks.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "bootkey/base/process_stat.hpp"
#include "catch.hpp"
#include "sandbox_fixture.hpp"

using namespace bootkey;
using namespace bootkey::network;
using namespace bootkey::network::fixture;
using namespace std::chrono_literals;

namespace {

struct HooksFixture {
    TemporaryDirectory directory;
    std::string hooks = directory / "hooks";
    std::string out = directory / "out";
    RememberingLog log;
    std::unique_ptr<base::EventLoop> loop = expect(base::EventLoop::create());
    // A delay that no test waits for, unless it sets another.
    HookSettings settings{hooks, "eth0,wg0", "0.2", "192.0.2.1:4711", false, 60s, 60s};
    std::unique_ptr<NetworkHooks> runner;
    int proceeded = 0;
    std::vector<std::string> reserved;
    int done = 0;
    base::Time before{};

    HooksFixture() { std::filesystem::create_directory(hooks); }

    std::string path(const std::string& name) const { return hooks + '/' + name; }
    void add(const std::string& name, const std::string& script, mode_t mode = 0755) {
        write_text(path(name), "#!/bin/sh\n" + script + "\n");
        chmod(path(name).c_str(), mode);
    }
    // A hook that writes its name and argument into the file `out`.
    void add_noting(const std::string& name, const std::string& more = "") {
        add(name, "echo " + name + " $1 >> " + out + "\n" + more);
    }
    void start() {
        runner = std::make_unique<NetworkHooks>(*loop, log.log, settings);
        before = loop->now();
        runner->start([this](const std::vector<std::string>& names) {
            ++proceeded;
            reserved = names;
        });
    }
    void stop(base::Duration budget) {
        before = loop->now();
        runner->stop(budget, [this] { ++done; });
    }
    bool wait(const std::function<bool()>& condition, base::Duration limit = 20s) {
        return run_until(*loop, condition, limit);
    }
    bool wait_to_proceed() {
        return wait([this] { return proceeded > 0; });
    }
    base::Duration elapsed() const { return loop->now() - before; }
    std::string noted() const { return content_of(out); }
};

std::vector<std::string> sorted_lines(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    std::sort(lines.begin(), lines.end());
    return lines;
}

// Whether the process with the number in `text` runs. A zombie does not; when it is reaped is up to process 1.
bool runs(const std::string& text) {
    const auto stat = base::parse_process_stat(content_of("/proc/" + text.substr(0, text.find('\n')) + "/stat"));
    return stat && stat->running;
}

}  // namespace

TEST_CASE("names of hooks") {
    for (const char* name : {"bridge", "10-vlan.sh", "A_b-C.9", "x", "..."}) CHECK(is_hook_name(name));
    for (const char* name : {"", "vlan~", "#vlan#", "a b", "a/b", "vlän", "vlan\n", "a+b", "a:b", "a=b"})
        CHECK_FALSE(is_hook_name(name));
}

TEST_CASE("only regular executable files with such names are hooks") {
    HooksFixture f;
    f.add("b", "");
    f.add("a", "");
    f.add("B", "");
    f.add("10", "");
    f.add("9", "");
    f.add("not-executable", "", 0644);
    f.add("backup~", "");
    f.add("others-only", "", 0701);
    std::filesystem::create_directory(f.path("directory"));
    std::filesystem::create_symlink("a", f.path("link"));
    std::filesystem::create_symlink("missing", f.path("broken"));
    std::filesystem::create_symlink("directory", f.path("link-to-directory"));
    REQUIRE(mkfifo(f.path("fifo").c_str(), 0755) == 0);
    CHECK(find_hooks(f.hooks, false, f.log.log) ==
          std::vector<std::string>{"10", "9", "B", "a", "b", "link", "others-only"});
    CHECK(f.log.text.empty());
}

TEST_CASE("a missing directory is nothing to speak of, a file in its place is") {
    HooksFixture f;
    base::Log quiet(8);
    std::string text;
    quiet.add_sink([&text](const base::LogEntry& entry) { text += entry.text; });
    CHECK(find_hooks(f.directory / "missing", true, quiet).empty());
    CHECK(text.empty());
    write_text(f.directory / "file", "");
    CHECK(find_hooks(f.directory / "file", true, quiet).empty());
    CHECK(text.find("cannot look for network hooks in") == 0);
}

TEST_CASE("what others than root may write to is not run as root") {
    if (geteuid() != 0) {
        WARN("SKIPPED: needs root, to own files as root");
        return;
    }
    HooksFixture f;
    f.add("good", "");
    f.add("everybody", "", 0757);
    f.add("group", "", 0775);
    REQUIRE(chown(f.path("group").c_str(), 0, 4711) == 0);
    f.add("roots-group", "", 0775);
    f.add("foreign", "");
    REQUIRE(chown(f.path("foreign").c_str(), 4711, 0) == 0);
    CHECK(find_hooks(f.hooks, true, f.log.log) == std::vector<std::string>{"good", "roots-group"});
    CHECK(f.log.has("/everybody: others than root may write to it"));
    CHECK(f.log.has("/group: others"));
    CHECK(f.log.has("/foreign: others"));
    CHECK(find_hooks(f.hooks, false, f.log.log).size() == 5);
    chmod(f.hooks.c_str(), 0777);
    CHECK(find_hooks(f.hooks, true, f.log.log).empty());
}

TEST_CASE("interfaces that a hook is going to take are left to it until the start hooks have ended") {
    HooksFixture f;
    f.settings.delay = 300ms;
    f.add("bond", "[ $1 != ports ] || { echo eth0; echo 'no name'; echo eth1; exit; }\n[ $1 != start ] || sleep 1");
    f.add_noting("other");
    f.add("unknowing", "case $1 in start | stop) ;; *) echo ports >&2; exit 1 ;; esac");
    f.start();
    REQUIRE(f.wait_to_proceed());
    CHECK(f.reserved == std::vector<std::string>{"eth0", "eth1"});
    REQUIRE(f.wait([&] { return f.proceeded == 2; }));
    CHECK(f.reserved.empty());
    CHECK(f.noted() == "other start\n");  // whoever does not know the mode is not bothered with it
    CHECK_FALSE(f.log.has("failed"));
}

TEST_CASE("what hooks take is free again when they end before the delay, and a slow answer is not waited for") {
    HooksFixture f;
    f.add("quick", "[ $1 != ports ] || echo eth0");
    f.add("slow", "# knows ports\n[ $1 != ports ] || { echo eth1; sleep 60; }");
    f.start();
    REQUIRE(f.wait_to_proceed());
    CHECK(f.reserved.empty());
    CHECK(f.proceeded == 1);
    CHECK(f.elapsed() < 20s);
    CHECK(f.log.has("eth0, eth1"));
}

TEST_CASE("a hook gets exactly its variables, one argument, no input, and a process group of its own") {
    HooksFixture f;
    const bool connect_given = GENERATE(true, false);
    f.settings.verbose = !connect_given;
    if (!connect_given) {
        f.settings.connect_text.clear();
        f.settings.device.clear();
    }
    f.add("show", "tr '\\0' '\\n' < /proc/self/environ > " + f.out + "\n" +
                      "echo \"$#:$1:$(readlink /proc/self/fd/0)\" > " + f.out + ".rest\n" +
                      "cut -d' ' -f1,5 /proc/$$/stat > " + f.out + ".group");
    ::setenv("BOOTKEY_TEST_LEAK", "1", 1);
    f.start();
    CHECK(f.proceeded == 0);
    REQUIRE(f.wait_to_proceed());
    ::unsetenv("BOOTKEY_TEST_LEAK");
    std::vector<std::string> environment = sorted_lines(f.noted());
    std::erase_if(environment, [](const std::string& line) {
        return line.rfind("PWD=", 0) == 0 || line.rfind("_=", 0) == 0 || line.rfind("OLDPWD=", 0) == 0 ||
               line.rfind("SHLVL=", 0) == 0;  // the shell's own
    });
    std::vector<std::string> wanted = {"DELAY=0.2",
                                       std::string("DEVICE=") + (connect_given ? "eth0,wg0" : ""),
                                       "MANDOSNETHOOKDIR=" + f.hooks,
                                       "MODE=start",
                                       "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                       std::string("VERBOSITY=") + (connect_given ? "0" : "1")};
    if (connect_given) wanted.insert(wanted.begin(), "CONNECT=192.0.2.1:4711");
    CHECK(environment == wanted);
    CHECK(content_of(f.out + ".rest") == "1:start:/dev/null\n");
    const std::string group = content_of(f.out + ".group");
    CHECK(group.substr(0, group.find(' ')) + '\n' == group.substr(group.find(' ') + 1));
    f.stop(60s);
    REQUIRE(f.wait([&] { return f.done == 1; }));
    CHECK(f.noted().find("MODE=stop\n") != std::string::npos);
    CHECK(f.log.text.find("failed") == std::string::npos);
}

TEST_CASE("a hook's standard output goes to our standard error") {
    CHECK(in_child([] {
              HooksFixture f;
              f.add("speak", "echo to output; echo to error >&2");
              EXPECT(freopen((f.directory / "stderr").c_str(), "w", stderr) != nullptr);
              EXPECT(freopen((f.directory / "stdout").c_str(), "w", stdout) != nullptr);
              f.start();
              EXPECT(f.wait_to_proceed());
              EXPECT(content_of(f.directory / "stderr") == "to output\nto error\n");
              EXPECT(content_of(f.directory / "stdout").empty());
              // Without a standard error there is still a hook.
              close(STDERR_FILENO);
              f.add_noting("speak");
              f.proceeded = 0;
              f.start();
              EXPECT(f.wait_to_proceed());
              EXPECT(f.noted() == "speak start\n");
          }) == "");
}

TEST_CASE("hooks run in name order, one after the other, for start and for stop") {
    HooksFixture f;
    f.settings.delay = 5s;
    f.add_noting("c");
    f.add_noting("a", "sleep 0.1; echo a ends >> " + f.out);
    f.add_noting("b", "exit 3");
    f.start();
    REQUIRE(f.wait_to_proceed());
    CHECK(f.noted() == "a start\na ends\nb start\nc start\n");
    CHECK(f.log.has("network hook b (\"start\") failed: exit status 3"));
    CHECK(f.proceeded == 1);
    f.stop(60s);
    REQUIRE(f.wait([&] { return f.done == 1; }));
    CHECK(f.noted() == "a start\na ends\nb start\nc start\na stop\na ends\nb stop\nc stop\n");
    CHECK_FALSE(f.wait([&] { return f.done > 1 || f.proceeded > 1; }, 50ms));
}

TEST_CASE("a hook that takes longer than the delay no longer holds up anybody") {
    HooksFixture f;
    f.settings.delay = 200ms;
    f.add_noting("a", "until [ -e " + f.out + ".go ]; do sleep 0.05; done; echo a ends >> " + f.out);
    f.add_noting("b");
    f.start();
    REQUIRE(f.wait_to_proceed());
    CHECK(f.elapsed() >= 195ms);
    REQUIRE(f.wait([&] { return f.noted() == "a start\nb start\n"; }));
    write_text(f.out + ".go", "");
    REQUIRE(f.wait([&] { return f.noted().find("a ends") != std::string::npos; }));
    CHECK(f.noted() == "a start\nb start\na ends\n");
    CHECK(f.proceeded == 1);
}

TEST_CASE("several slow hooks together hold others up for the delay only, and all get their turn") {
    HooksFixture f;
    f.settings.delay = 200ms;
    for (const char* name : {"a", "b", "c"}) f.add_noting(name, "sleep 0.4");
    f.start();
    REQUIRE(f.wait_to_proceed());
    REQUIRE(f.wait([&] { return f.noted() == "a start\nb start\nc start\n"; }));
    CHECK(f.elapsed() >= 390ms);
    CHECK_FALSE(f.wait([&] { return f.proceeded > 1; }, 600ms));
}

TEST_CASE("after the time limit a hook is killed with its children") {
    HooksFixture f;
    f.settings.time_limit = 300ms;
    f.add_noting("a", "sleep 1000 &\necho $! > " + f.out + ".child\nsleep 1000");
    f.add_noting("b");
    f.start();
    REQUIRE(f.wait([&] { return f.log.has("network hook a (\"start\") still runs after 0.3 s: it is killed"); }));
    CHECK(f.elapsed() >= 295ms);
    CHECK(f.wait([&] { return !runs(content_of(f.out + ".child")); }));
    CHECK(f.wait([&] { return f.noted() == "a start\nb start\n"; }));
    CHECK(f.log.text.find("failed") == std::string::npos);  // said once is enough
}

TEST_CASE("no hooks: proceeds at once, but from the loop") {
    HooksFixture f;
    f.start();
    CHECK(f.proceeded == 0);
    REQUIRE(f.wait_to_proceed());
    f.stop(60s);
    CHECK(f.done == 0);
    REQUIRE(f.wait([&] { return f.done == 1; }));
}

TEST_CASE("a hook that cannot be executed is a warning, and the next one runs") {
    HooksFixture f;
    write_text(f.path("a"), "#!/no/such/interpreter\n");
    chmod(f.path("a").c_str(), 0755);
    f.add_noting("b");
    f.add("c", "kill -TERM $$");
    f.start();
    REQUIRE(f.wait_to_proceed());
    CHECK(f.log.has("network hook a (\"start\"): cannot start"));
    CHECK(f.noted() == "b start\n");
    CHECK(f.log.has("network hook c (\"start\") failed: signal 15"));
}

TEST_CASE("stopping kills start hooks that still run, and runs every stop hook") {
    HooksFixture f;
    f.settings.delay = 10s;
    f.add_noting("a", "[ $1 = stop ] || exec sleep 1000");
    f.add_noting("b");
    f.start();
    REQUIRE(f.wait([&] { return f.noted() == "a start\n"; }));
    f.stop(60s);
    REQUIRE(f.wait([&] { return f.done == 1; }));
    CHECK(f.elapsed() < 2s);
    CHECK(f.noted() == "a start\na stop\nb stop\n");
    CHECK(f.proceeded == 0);
}

TEST_CASE("stop hooks that hang get equal shares of the time there is") {
    HooksFixture f;
    f.settings.delay = 10s;
    f.add_noting("a", "[ $1 = start ] || exec sleep 1000");
    f.add_noting("b", "[ $1 = start ] || exec sleep 1000");
    f.add_noting("c");
    f.start();
    REQUIRE(f.wait_to_proceed());
    f.stop(900ms);
    REQUIRE(f.wait([&] { return f.done == 1; }));
    CHECK(f.elapsed() >= 890ms);
    CHECK(f.elapsed() < 2s);
    CHECK(f.noted() == "a start\nb start\nc start\na stop\nb stop\nc stop\n");
    CHECK(f.log.has("network hook a (\"stop\") is killed: bootkey ends"));
    CHECK(f.log.has("network hook b (\"stop\") is killed: bootkey ends"));
}

TEST_CASE("the runner may be destroyed from its own callbacks, and kills what runs") {
    HooksFixture f;
    f.settings.delay = 200ms;
    f.add_noting("a", "echo $$ > " + f.out + ".child; exec sleep 1000");
    f.runner = std::make_unique<NetworkHooks>(*f.loop, f.log.log, f.settings);
    f.runner->start([&f](const auto&) {
        ++f.proceeded;
        f.runner.reset();
    });
    REQUIRE(f.wait_to_proceed());
    CHECK_FALSE(runs(content_of(f.out + ".child")));

    f.add("a", "true");
    f.runner = std::make_unique<NetworkHooks>(*f.loop, f.log.log, f.settings);
    f.runner->stop(60s, [&f] {
        ++f.done;
        f.runner.reset();
    });
    REQUIRE(f.wait([&] { return f.done == 1; }));
}

TEST_CASE("each hook that ends is reported with its times, also one that is cut short") {
    HooksFixture fixture;
    fixture.settings.delay = 200ms;
    fixture.add("a-good", "true");
    fixture.add("b-bad", "exit 3");
    fixture.add("c-slow", "sleep 60");
    std::vector<HookReport> reports;
    fixture.settings.ended = [&reports](const HookReport& report) { reports.push_back(report); };
    fixture.start();
    REQUIRE(fixture.wait_to_proceed());
    REQUIRE(fixture.wait([&] { return reports.size() == 2; }));
    fixture.runner.reset();
    REQUIRE(reports.size() == 3);
    CHECK(reports[0].name == "a-good");
    CHECK(reports[0].mode == "start");
    CHECK(reports[0].failure.empty());
    CHECK(reports[0].begun >= fixture.before);
    CHECK(reports[0].ended > reports[0].begun);
    CHECK(reports[1].failure == "exit status 3");
    CHECK(reports[2].name == "c-slow");
    CHECK(reports[2].failure == "killed when bootkey went on");
}
