// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/settings.hpp"

#include <fstream>

#include "base/temporary_directory.hpp"
#include "management/secrets.hpp"

using namespace bootkey;
using management::read_password;
using management::testing::text_of;

namespace {

struct PasswordFile {
    base::testing::TemporaryDirectory directory;
    std::string path = directory / "password";

    explicit PasswordFile(const std::string& content) { std::ofstream(path) << content; }
};

}  // namespace

TEST_CASE("the password is the first line of its file") {
    const auto [content, password] = GENERATE(values<std::pair<std::string, std::string>>({
        {"geheim", "geheim"},
        {"geheim\n", "geheim"},
        {"geheim\r\nuser\n", "geheim"},
        {" with blanks\tand TAB \n\n", " with blanks\tand TAB "},
        {"p\xc3\xa4ss\xff\n", "p\xc3\xa4ss\xff"},
        {std::string(1024, 'x') + "\n", std::string(1024, 'x')},
    }));
    const PasswordFile file(content);
    const auto read = read_password(file.path);
    REQUIRE(read);
    CHECK(text_of(*read) == password);
}

TEST_CASE("a password that nobody can type is refused") {
    const auto [content, why] = GENERATE(values<std::pair<std::string, std::string>>({
        {"", "its first line is empty"},
        {"\ngeheim\n", "its first line is empty"},
        {"\r\n", "its first line is empty"},
        {std::string(1025, 'x'), "its first line has more than 1024 bytes"},
        {"a\x1b[A\n", "its first line has control characters"},
        {std::string("a\0b\n", 4), "its first line has control characters"},
        {"a\rb\n", "its first line has control characters"},
    }));
    const PasswordFile file(content);
    const auto read = read_password(file.path);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == base::ExitCode::usage);
    CHECK(read.error().message() == "cannot use the password file " + file.path + ": " + why +
                                        "; its first line must be a password that can be typed");
    CHECK(read_password(file.path + "x").error().code == base::ExitCode::usage);
}
