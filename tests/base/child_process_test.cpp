// SPDX-License-Identifier: GPL-3.0-or-later
//
// Real children: programs every Debian system has. What a child is like is seen from its own output, or in /proc while
// it waits.
#include "bootkey/base/child_process.hpp"

#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <string>

#include "base/forked.hpp"
#include "base/pipe.hpp"
#include "base/temporary_directory.hpp"
#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/file.hpp"
#include "catch.hpp"
#include "fakes/fake_loop.hpp"

using namespace bootkey::base;
using namespace std::chrono_literals;
using bootkey::base::testing::forked;
using bootkey::base::testing::Pipe;
using bootkey::base::testing::read_to_end;
using bootkey::base::testing::TemporaryDirectory;
using bootkey::fakes::FakeLoop;

namespace {

Command shell(const std::string& script) {
    Command command;
    command.program = "/bin/sh";
    command.arguments = {"sh", "-c", script};
    command.environment = {"PATH=/usr/bin:/bin"};
    return command;
}

// What `command` writes to its standard output.
std::string output_of(Command command) {
    Pipe output;
    command.standard_output = output.write_end.get();
    const auto report = run_and_wait(command, 10s);
    REQUIRE(report);
    CHECK(report->text() == "exit status 0");
    output.write_end.reset();
    return read_to_end(output.read_end.get());
}

// A cat that has started up for certain and now waits for its input: to be looked at in /proc.
class WaitingCat {
public:
    explicit WaitingCat(Command command = {}) {
        command.program = "/bin/cat";
        command.arguments = {"cat"};
        command.standard_input = input_.read_end.get();
        command.standard_output = output_.write_end.get();
        auto started = ChildProcess::start(loop_, command, [](ExitReport) {});
        REQUIRE(started);
        child_ = *std::move(started);
        input_.put("ready");
        REQUIRE(read_to_end(output_.read_end.get(), 5) == "ready");
    }
    [[nodiscard]] pid_t pid() const { return child_->pid(); }

    // Number and target of its open descriptors.
    [[nodiscard]] std::map<int, std::string> descriptors() const {
        std::map<int, std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid()) + "/fd"))
            found[std::stoi(entry.path().filename())] = std::filesystem::read_symlink(entry.path());
        return found;
    }
    // The value of `field` in its /proc/PID/status.
    [[nodiscard]] std::string status(const std::string& field) const {
        const auto text = read_file("/proc/" + std::to_string(pid()) + "/status", 100'000);
        REQUIRE(text);
        const auto start = text->find("\n" + field + ":\t");
        REQUIRE(start != std::string::npos);
        const auto value = start + field.size() + 3;
        return text->substr(value, text->find('\n', value) - value);
    }

private:
    FakeLoop loop_;
    Pipe input_;
    Pipe output_;
    std::unique_ptr<ChildProcess> child_;
};

ExitReport report_of(const Command& command) {
    const auto report = run_and_wait(command, 10s);
    REQUIRE(report);
    return *report;
}

bool is_child(pid_t pid) {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

}  // namespace

TEST_CASE("a child has exactly the arguments, environment and directory it is given") {
    Command command = shell("printf '%s,' \"$0\" \"$@\"");
    command.arguments = {"name", "-c", "printf '%s,' \"$0\" \"$@\"", "first", "", "last one"};
    CHECK(output_of(command) == "first,,last one,");

    command.program = "/usr/bin/env";
    command.arguments = {"env"};
    command.environment = {"B=2", "A=1 and more", "EMPTY="};
    CHECK(output_of(command) == "B=2\nA=1 and more\nEMPTY=\n");
    command.environment = {};
    CHECK(output_of(command).empty());

    command = shell("pwd -P");
    command.directory = "/proc";
    CHECK(output_of(command) == "/proc\n");
}

TEST_CASE("a child has the standard descriptors it is given, /dev/null in their place, and no others") {
    // Left open on purpose, as whoever starts the program may do.
    const UniqueFd stray(open("/dev/zero", O_RDONLY));  // NOLINT: without O_CLOEXEC
    const UniqueFd far(fcntl(stray.get(), F_DUPFD, 900));
    REQUIRE(far);
    const WaitingCat cat;
    const auto descriptors = cat.descriptors();
    CAPTURE(descriptors);
    CHECK(descriptors.size() == 3);
    CHECK(descriptors.at(0).starts_with("pipe:"));
    CHECK(descriptors.at(1).starts_with("pipe:"));
    CHECK(descriptors.at(2) == "/dev/null");
}

TEST_CASE("a child inherits the descriptors named for it under the same numbers") {
    const UniqueFd named(open("/dev/zero", O_RDONLY | O_CLOEXEC));
    const UniqueFd far(fcntl(named.get(), F_DUPFD_CLOEXEC, 900));
    Command command;
    command.inherited = {named.get(), far.get()};
    const auto descriptors = WaitingCat(command).descriptors();
    CAPTURE(descriptors);
    CHECK(descriptors.size() == 5);
    CHECK(descriptors.at(named.get()) == "/dev/zero");
    CHECK(descriptors.at(far.get()) == "/dev/zero");
    CHECK((fcntl(named.get(), F_GETFD) & FD_CLOEXEC) != 0);  // ours are as they were
}

TEST_CASE("a child gets a listening socket as descriptor 3, whatever it is here") {
    const int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    const UniqueFd socket(fcntl(zero, F_DUPFD_CLOEXEC, GENERATE(3, 900)));
    close(zero);
    Command command;
    command.descriptor_3 = socket.get();
    const auto descriptors = WaitingCat(command).descriptors();
    CAPTURE(descriptors);
    CHECK(descriptors.size() == 4);
    CHECK(descriptors.at(3) == "/dev/zero");
    CHECK((fcntl(socket.get(), F_GETFD) & FD_CLOEXEC) != 0);

    // The place is taken from the report of failures only after that has moved away.
    const int seen = forked([&] {
        close_range(1, 899, 0);  // the next three descriptors, of which the third reports, are 1, 2 and 3
        Command missing{.program = "/nonexistent"};
        missing.descriptor_3 = fcntl(0, F_DUPFD_CLOEXEC, 900);
        const auto refused = run_and_wait(missing, 10s);
        return !refused && refused.error().why == "No such file or directory" ? 10 : 1;
    });
    CHECK(seen == 10);
}

TEST_CASE("standard descriptors may be any, also each other") {
    // Output and error are one pipe; input is a file.
    Pipe pipe;
    Command command = shell("cat; echo out; echo error >&2");
    const TemporaryDirectory directory;
    REQUIRE(write_file(directory / "input", bytes_of("input\n"), 0600, true));
    const UniqueFd input(open((directory / "input").c_str(), O_RDONLY | O_CLOEXEC));
    command.standard_input = input.get();
    command.standard_output = command.standard_error = pipe.write_end.get();
    CHECK(report_of(command).success());
    pipe.write_end.reset();
    CHECK(read_to_end(pipe.read_end.get()) == "input\nout\nerror\n");
}

TEST_CASE("children start and report also where our own standard descriptors are closed or crossed") {
    const int seen = forked([] {
        for (const int fd : {0, 1, 2}) close(fd);
        const auto ended = run_and_wait(shell("exit 7"), 10s);
        if (!ended || ended->value != 7 || ended->signalled) return 1;
        const auto missing = run_and_wait(Command{.program = "/nonexistent", .arguments = {"x"}}, 10s);
        return !missing && missing.error().why == "No such file or directory" ? 10 : 2;
    });
    CHECK(seen == 10);

    const int crossed = forked([] {
        Pipe pipe;
        if (dup2(pipe.write_end.get(), 0) < 0) return 1;  // descriptor 0 is the writing end
        Command command = shell("echo through >&2");
        command.standard_input = 1;
        command.standard_output = 2;
        command.standard_error = 0;
        const auto ended = run_and_wait(command, 10s);
        pipe.write_end.reset();
        close(0);
        return ended && ended->success() && read_to_end(pipe.read_end.get()) == "through\n" ? 10 : 2;
    });
    CHECK(crossed == 10);
}

TEST_CASE("a child starts with default signals, whatever ours are") {
    const int seen = forked([] {
        for (const int number : {SIGINT, SIGPIPE, SIGUSR1, SIGRTMIN}) std::signal(number, SIG_IGN);
        std::signal(SIGUSR2, [](int) {});
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, nullptr);
        Pipe output;
        Command command{.program = "/bin/cat", .arguments = {"cat", "/proc/self/status"}};
        command.standard_output = output.write_end.get();
        const auto ended = run_and_wait(command, 10s);
        output.write_end.reset();
        const std::string status = read_to_end(output.read_end.get());
        sigset_t now;
        sigprocmask(SIG_BLOCK, nullptr, &now);
        if (!ended || !sigismember(&now, SIGTERM)) return 1;  // our own mask is as it was
        for (const std::string field : {"SigBlk", "SigIgn", "SigCgt"})
            if (status.find(field + ":\t0000000000000000\n") == std::string::npos) return 2;
        return 10;
    });
    CHECK(seen == 10);
}

TEST_CASE("a signal for a child that has just been forked is not taken for ours") {
    const int seen = forked([] {
        auto loop = EventLoop::create();
        int calls = 0;
        const auto watch = (*loop)->signal(SIGUSR2, [&] { ++calls; });
        pthread_atfork(nullptr, nullptr, [] { raise(SIGUSR2); });  // as a terminal's signal to the group could come
        const auto ended = run_and_wait(shell("exit 0"), 10s);
        const auto end = (*loop)->timer([&] { (*loop)->stop(); });
        end->arm(5ms);
        (*loop)->run();
        return ended && ended->signalled && ended->value == SIGUSR2 && calls == 0 ? 10 : 1;
    });
    CHECK(seen == 10);
}

TEST_CASE("the end of children is seen also where SIGCHLD was ignored at start") {
    const int seen = forked([] {
        std::signal(SIGCHLD, SIG_IGN);
        const auto ended = run_and_wait(shell("exit 3"), 10s);
        return ended && ended->text() == "exit status 3" ? 10 : 1;
    });
    CHECK(seen == 10);
}

TEST_CASE("a child leads a process group of its own if asked to") {
    const WaitingCat ordinary;
    CHECK(getpgid(ordinary.pid()) == getpgid(0));
    Command command;
    command.own_process_group = true;
    const WaitingCat leader(command);
    CHECK(getpgid(leader.pid()) == leader.pid());
}

TEST_CASE("a child dies with its parent if asked to") {
    Pipe output;
    Pipe input;  // held open by us, so that only a signal ends the child
    const int seen = forked([&] {
        FakeLoop loop;
        Command command{.program = "/bin/cat", .arguments = {"cat"}};
        command.standard_input = input.read_end.get();
        command.standard_output = output.write_end.get();
        command.die_with_parent = true;
        auto child = ChildProcess::start(loop, command, [](ExitReport) {});
        if (!child) return 1;
        static_cast<void>(child.value().release());  // no destructor: this process just ends
        return 10;
    });
    REQUIRE(seen == 10);
    output.write_end.reset();
    pollfd wait{output.read_end.get(), POLLIN, 0};
    CHECK(poll(&wait, 1, 5000) == 1);  // hang-up: the child is gone
    CHECK((wait.revents & POLLHUP) != 0);
}

TEST_CASE("a child becomes root only where that is permitted") {
    Command command = shell("id -ru; id -u; id -rg; id -g");
    command.as_root = true;
    if (geteuid() != 0) {
        WARN("skipped in part: becoming root needs a root user to start from");
        const auto refused = run_and_wait(command, 10s);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().why == "Operation not permitted");
        return;
    }
    const int seen = forked([&] {
        if (setresgid(65534, 0, 0) != 0 || setresuid(65534, 0, 0) != 0) return 1;  // as a set-user-ID program starts
        Pipe output;
        command.standard_output = output.write_end.get();
        const auto ended = run_and_wait(command, 10s);
        output.write_end.reset();
        if (!ended || read_to_end(output.read_end.get()) != "0\n0\n0\n0\n") return 2;
        command.standard_output = -1;
        if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) return 3;
        const auto refused = run_and_wait(command, 10s);
        return !refused && refused.error().why == "Operation not permitted" ? 10 : 4;
    });
    CHECK(seen == 10);
}

TEST_CASE("a program that cannot be started says why") {
    const TemporaryDirectory directory;
    REQUIRE(write_file(directory / "not-executable", bytes_of("#!/bin/sh\n"), 0644, true));
    REQUIRE(write_file(directory / "no-program", bytes_of("just text\n"), 0755, true));
    REQUIRE(write_file(directory / "no-interpreter", bytes_of("#!/nonexistent/sh\n"), 0755, true));
    struct Row {
        Command command;
        std::string why;
    };
    const std::vector<Row> rows = {
        {{.program = directory / "missing"}, "No such file or directory; check that it is installed"},
        {{.program = directory / "not-executable"}, "Permission denied"},
        {{.program = directory / "no-program"}, "Exec format error"},
        {{.program = directory / "no-interpreter"}, "No such file or directory; check that it is installed"},
        {{.program = directory / "."}, "Permission denied"},
        {{.program = "/bin/true", .directory = "/dev/null"}, "Not a directory"},
        {{.program = "/bin/true", .standard_input = 1023}, "Bad file descriptor"},
        {{.program = "/bin/true", .inherited = {1023}}, "Bad file descriptor"},
        {{.program = "/bin/true", .descriptor_3 = 1023}, "Bad file descriptor"},
        {{.program = "/bin/true", .arguments = {"true", std::string(4'000'000, 'x')}}, "Argument list too long"},
    };
    FakeLoop loop;
    for (const Row& row : rows) {
        const auto child = ChildProcess::start(loop, row.command, [](ExitReport) { FAIL("never started"); });
        REQUIRE_FALSE(child);
        CHECK(child.error().message() == "cannot start " + row.command.program + ": " + row.why);
        CHECK(run_and_wait(row.command, 10s).error().message() == child.error().message());
    }
    CHECK(loop.watch_count() == 0);
    CHECK(waitpid(-1, nullptr, WNOHANG) == -1);  // nothing is left to reap
    CHECK(errno == ECHILD);
}

TEST_CASE("how a child ends is reported once, from the loop") {
    struct Row {
        std::string script;
        std::string text;
        bool success;
    };
    const Row row = GENERATE(values<Row>({
        {"exit 0", "exit status 0", true},
        {"exit 3", "exit status 3", false},
        {"exit 255", "exit status 255", false},
        {"kill -9 $$", "signal 9 (Killed)", false},
        {"kill -TERM $$", "signal 15 (Terminated)", false},
    }));
    auto loop = EventLoop::create();
    REQUIRE(loop);
    int calls = 0;
    std::unique_ptr<ChildProcess> child;
    auto started = ChildProcess::start(**loop, shell(row.script), [&](ExitReport report) {
        ++calls;
        CHECK(report.text() == row.text);
        CHECK(report.success() == row.success);
        CHECK_FALSE(child->running());
        child->kill(SIGTERM);  // nothing
        (*loop)->stop();
    });
    REQUIRE(started);
    child = *std::move(started);
    const pid_t pid = child->pid();
    const auto guard = (*loop)->timer([&] { (*loop)->stop(); });
    guard->arm(10s);
    (*loop)->run();
    CHECK(calls == 1);
    CHECK_FALSE(is_child(pid));
    guard->arm(5ms);
    (*loop)->run();
    CHECK(calls == 1);
}

TEST_CASE("a child may be destroyed by the callback that reports its end") {
    auto loop = EventLoop::create();
    REQUIRE(loop);
    std::unique_ptr<ChildProcess> child;
    std::string seen;
    auto started =
        ChildProcess::start(**loop, shell("exit 4"), [&, captured = std::string(100, 'x')](ExitReport report) {
            child.reset();
            seen = report.text() + captured.substr(99);
            (*loop)->stop();
        });
    REQUIRE(started);
    child = *std::move(started);
    const auto guard = (*loop)->timer([&] { (*loop)->stop(); });
    guard->arm(10s);
    (*loop)->run();
    CHECK(seen == "exit status 4x");
}

TEST_CASE("a signal is sent to the child, or to its whole group") {
    FakeLoop loop;
    Pipe output;
    // The shell ignores SIGTERM; its child, which holds the output as well, does not.
    Command command =
        shell("(trap 'echo got; exit' TERM; echo ready; while :; do sleep 0.01; done) & trap '' TERM; wait");
    command.standard_output = output.write_end.get();
    command.own_process_group = true;
    auto child = ChildProcess::start(loop, command, [](ExitReport) {});
    REQUIRE(child);
    REQUIRE(read_to_end(output.read_end.get(), 6) == "ready\n");
    child.value()->kill(SIGTERM);
    CHECK(read_to_end(output.read_end.get(), 4) == "got\n");
}

TEST_CASE("destroying a running child kills and reaps it, and its group") {
    FakeLoop loop;
    Pipe output;
    Command command = shell("trap '' TERM INT HUP; sleep 100 & echo ready; wait; sleep 100");
    command.standard_output = output.write_end.get();
    command.own_process_group = true;
    bool called = false;
    auto child = ChildProcess::start(loop, command, [&](ExitReport) { called = true; });
    REQUIRE(child);
    output.write_end.reset();
    REQUIRE(read_to_end(output.read_end.get(), 6) == "ready\n");
    const pid_t pid = child.value()->pid();
    CHECK(is_child(pid));
    child.value().reset();
    CHECK_FALSE(is_child(pid));
    CHECK(read_to_end(output.read_end.get()).empty());  // its background process, which held the output too, is gone
    CHECK_FALSE(called);
    CHECK(loop.watch_count() == 0);
}

TEST_CASE("destroying a child that has left its group ends it all the same") {
    if (access("/usr/bin/perl", X_OK) != 0) {
        WARN("SKIPPED: needs perl");
        return;
    }
    FakeLoop loop;
    Pipe output;
    Command command{.program = "/usr/bin/perl",
                    .arguments = {"perl", "-e", "setpgrp(0, getpgrp(getppid)); syswrite(STDOUT, 'left'); sleep 100"}};
    command.standard_output = output.write_end.get();
    command.own_process_group = true;
    auto child = ChildProcess::start(loop, command, [](ExitReport) {});
    REQUIRE(child);
    REQUIRE(read_to_end(output.read_end.get(), 4) == "left");
    const pid_t pid = child.value()->pid();
    REQUIRE(getpgid(pid) == getpgid(0));
    child.value().reset();
    CHECK_FALSE(is_child(pid));
}

TEST_CASE("run_and_wait reports an end within the limit") {
    CHECK(report_of(shell("exit 5")).text() == "exit status 5");
    CHECK(report_of(shell("kill -KILL $$")).text() == "signal 9 (Killed)");
    CHECK(run_and_wait(shell("exit 5"), 24h * 365)->value == 5);
}

TEST_CASE("run_and_wait kills what passes the limit, with its group") {
    Pipe output;
    Command command = shell("sleep 100 & echo ready; wait");
    command.standard_output = output.write_end.get();
    command.own_process_group = true;
    const Time start = Clock::now();
    const auto report = run_and_wait(command, 50ms);
    REQUIRE_FALSE(report);
    CHECK(Clock::now() - start >= 50ms);
    CHECK(report.error().message() ==
          "waiting for /bin/sh: it did not end within 0.1 seconds and was killed; find out what it waits for");
    output.write_end.reset();
    const std::string said = read_to_end(output.read_end.get());  // to its end: nobody holds the output any more
    CHECK((said.empty() || said == "ready\n"));
    CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("starting children leaks no descriptor") {
    const int before = UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)).get();
    FakeLoop loop;
    CHECK(report_of(shell("exit 0")).success());
    CHECK_FALSE(run_and_wait(Command{.program = "/nonexistent"}, 1s));
    {
        const auto child = ChildProcess::start(loop, shell("exec sleep 100"), [](ExitReport) {});
    }
    CHECK(UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)).get() == before);
}
