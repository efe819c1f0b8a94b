// SPDX-License-Identifier: GPL-3.0-or-later
//
// Each case runs in a child that has a pseudo-terminal of its own as controlling terminal.
#include "bootkey/console/terminal.hpp"

#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "bootkey/base/unique_fd.hpp"
#include "catch.hpp"

using namespace bootkey;

namespace {

struct Session {
    base::UniqueFd terminal;  // the person's side
    pid_t child = -1;
};

// A child that asks "Password: " and exits 0 if it read `expected`.
Session ask(const std::string& expected) {
    int master = -1;
    const pid_t child = forkpty(&master, nullptr, nullptr, nullptr);
    REQUIRE(child >= 0);
    if (child == 0) {
        const auto password = console::read_password("Password: ");
        if (!password) _exit(2);
        const auto bytes = password->bytes();
        const bool same = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == expected;
        _exit(same ? 0 : 1);
    }
    return {base::UniqueFd(master), child};
}

std::string read_until(const Session& session, const std::string& text) {
    std::string seen;
    char buffer[256];
    while (seen.find(text) == std::string::npos) {
        const ssize_t count = read(session.terminal.get(), buffer, sizeof buffer);
        if (count <= 0) break;
        seen.append(buffer, static_cast<std::size_t>(count));
    }
    return seen;
}

int wait_status(const Session& session) {
    int status = 0;
    REQUIRE(waitpid(session.child, &status, 0) == session.child);
    return status;
}

bool echoes(const Session& session) {
    termios settings{};
    REQUIRE(tcgetattr(session.terminal.get(), &settings) == 0);
    return (settings.c_lflag & ECHO) != 0;
}

void type(const Session& session, const std::string& text) {
    REQUIRE(write(session.terminal.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

}  // namespace

TEST_CASE("a typed password is read without echo, edited as terminals do, and the echo comes back") {
    const Session session = ask("hunter2");
    CHECK(read_until(session, "Password: ").find("Password: ") != std::string::npos);
    CHECK_FALSE(echoes(session));
    type(session,
         "huntx\x7f"
         "er2\n");
    const std::string rest = read_until(session, "\n");
    CHECK(rest.find("hunt") == std::string::npos);
    CHECK(wait_status(session) == 0);
    CHECK(echoes(session));
}

TEST_CASE("a signal while a password is typed ends the program with the echo back") {
    const int number = GENERATE(SIGTERM, SIGHUP);
    const Session session = ask("never");
    read_until(session, "Password: ");
    REQUIRE(kill(session.child, number) == 0);
    const int status = wait_status(session);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == number);
    CHECK(echoes(session));
}

TEST_CASE("the interrupt key ends the program with the echo back") {
    const Session session = ask("never");
    read_until(session, "Password: ");
    type(session, "\x03");
    const int status = wait_status(session);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGINT);
    CHECK(echoes(session));
}

TEST_CASE("end of input is an error, no empty password") {
    const Session session = ask("never");
    read_until(session, "Password: ");
    type(session, "\x04");
    const int status = wait_status(session);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 2);
}
