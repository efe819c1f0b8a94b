// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/control/command.hpp"

#include "bootkey/base/file.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::control;

namespace {

base::Secret secret(const std::string& text) {
    auto made = base::Secret::with_capacity(text.size() + 1);
    REQUIRE(made);
    REQUIRE(made->append(base::bytes_of(text)));
    return *std::move(made);
}

std::string command(const std::vector<std::string>& words) {
    const auto line = command_from(words);
    return line ? *line : "refused: " + line.error().why;
}

// What password_command() makes, as text, which only a test may do.
std::string with_password(const std::string& type, const std::string& password) {
    const auto line = password_command(type, secret(password));
    if (!line) return "refused: " + line.error().why;
    return {reinterpret_cast<const char*>(line->bytes().data()), line->size()};
}

bool is_refused(const std::string& text) {
    return text.starts_with("refused: ");
}

}  // namespace

TEST_CASE("words become one command, quoted where the server would take them for more") {
    CHECK(command({"hold"}) == "hold");
    CHECK(command({"hold", "release"}) == "hold release");
    CHECK(command({"hold release"}) == "hold release");
    CHECK(command({"kill", "Mandos on x"}) == "kill \"Mandos on x\"");
    CHECK(command({"kill", "[fe80::1]:4711"}) == "kill [fe80::1]:4711");
    CHECK(command({"kill", ""}) == "kill \"\"");
    CHECK(command({"kill", "a\"b\\c"}) == "kill \"a\\\"b\\\\c\"");
    CHECK(command({"kill", "it's"}) == "kill \"it's\"");
    CHECK(command({"kill", "#1"}) == "kill \"#1\"");
    CHECK(command({"kill", "h\xc3\xb6st"}) == "kill h\xc3\xb6st");
    CHECK(command({"password", "Private Key"}) == "password \"Private Key\"");
    CHECK(command({"needok", "release-password", "ok"}) == "needok release-password ok");
}

TEST_CASE("what is no one command is refused") {
    CHECK(is_refused(command({""})));
    CHECK(is_refused(command({"  "})));
    CHECK(is_refused(command({"# hold"})));
    CHECK(is_refused(command({"hold\nsignal SIGTERM"})));
    CHECK(is_refused(command({"kill", "a\nsignal SIGTERM"})));
    CHECK(is_refused(command({"kill", "\x1b[2J"})));
    CHECK(is_refused(command({"kill", std::string(longest_word + 1, 'x')})));
    CHECK(command({"kill", std::string(longest_word, 'x')}) == "kill " + std::string(longest_word, 'x'));
    CHECK(is_refused(command({std::string(longest_command + 1, 'x')})));
}

TEST_CASE("a password is not taken from an argument") {
    CHECK(is_refused(command({"password", "Disk", "secret"})));
    CHECK(is_refused(command({"password Disk secret"})));
    CHECK(is_refused(command({" \"password\" 'Disk' secret"})));
    CHECK(command_from({"password", "Disk", "hush"}).error().message().find("hush") == std::string::npos);
}

TEST_CASE("a password that was left out is asked for") {
    struct Row {
        const char* line;
        std::optional<std::string> type;
    };
    const Row rows[] = {
        {"password", ""},
        {"password Disk", "Disk"},
        {"  password\tDisk ", "Disk"},
        {"password \"Private Key\"", "Private Key"},
        {"password 'Private Key'", "Private Key"},
        {"password Private\\ Key", "Private Key"},
        {"password \"a\\\"b\"", "a\"b"},
        {"password 'a\\b'", "a\\b"},
        {"password Private Key", std::nullopt},
        {"password Disk secret", std::nullopt},
        {"password Disk \"\"", std::nullopt},
        {"passwords", std::nullopt},
        {"username Auth", std::nullopt},
        {"", std::nullopt},
        {"\"\\", std::nullopt},
    };
    for (const Row& row : rows) {
        CAPTURE(row.line);
        CHECK(password_left_out(row.line) == row.type);
    }
}

TEST_CASE("a password goes between quotes, so that the server reads it as it is") {
    CHECK(with_password("Disk", "correct horse") == "password \"Disk\" \"correct horse\"\n");
    CHECK(with_password("Private Key", "\"\\'#; \t") == "password \"Private Key\" \"\\\"\\\\'#; \t\"\n");
    CHECK(with_password("a\"b", "x") == "password \"a\\\"b\" \"x\"\n");
    CHECK(with_password("Disk", "p\xc3\xa4ss") == "password \"Disk\" \"p\xc3\xa4ss\"\n");
    const std::string longest(longest_word, '"');
    CHECK(with_password("Disk", longest).size() == 19 + 2 * longest_word);
    CHECK(is_refused(with_password("Disk", longest + "x")));
    CHECK(is_refused(with_password("Disk", "a\nb")));
    CHECK(is_refused(with_password("Disk", std::string("a\0b", 3))));
    CHECK(is_refused(with_password("Disk", "\x7f")));
}

TEST_CASE("the password that a server needs is known by its notification") {
    CHECK(needed_password(">PASSWORD:Need 'Disk' password") == "Disk");
    CHECK(needed_password(">PASSWORD:Need 'Private Key' password") == "Private Key");
    CHECK_FALSE(needed_password(">PASSWORD:Need 'Auth' username/password"));
    CHECK_FALSE(needed_password(">PASSWORD:Verification Failed: 'Disk'"));
    CHECK_FALSE(needed_password(">PASSWORD:Need 'Disk"));
    CHECK_FALSE(needed_password("SUCCESS: hold=0"));
}

TEST_CASE("the end of the replies is known by one that is like no other") {
    LastReply one;
    one.sent("log on all");
    for (const char* line : {"SUCCESS: real-time log notification set to ON", "1,I,SUCCESS: pid=1", "END", "ERROR: x"})
        CHECK_FALSE(one.take(line));
    CHECK(one.take("SUCCESS: pid=77"));
    LastReply alike;
    for (const char* line : {"pid", "  \"pid\" x", "pids"}) alike.sent(line);
    CHECK_FALSE(alike.take("SUCCESS: pid=77"));
    CHECK_FALSE(alike.take("SUCCESS: pid=77"));
    CHECK(alike.take("SUCCESS: pid=77"));
}
