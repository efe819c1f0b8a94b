// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/given_passwords.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/temporary_directory.hpp"
#include "catch.hpp"
#include "console/secrets.hpp"

using namespace bootkey;
using console::GivenPasswords;
using console::testing::secret;

namespace {

struct File {
    base::testing::TemporaryDirectory directory;
    std::string path = directory / "run/given";

    GivenPasswords open(const std::string& device, bool forget = false) const {
        auto given = GivenPasswords::open(path, device, forget);
        REQUIRE(given);
        return std::move(*given);
    }
    [[nodiscard]] bool has(const std::string& device, const std::string& password) const {
        const auto known = open(device).contains(secret(password));
        REQUIRE(known);
        return *known;
    }
    void add(const std::string& device, const std::string& password, const std::string& host = {}) const {
        REQUIRE(open(device).add(secret(password), host));
    }
};

}  // namespace

TEST_CASE("what a device was given is known to later runs, by root's eyes alone") {
    const File file;
    CHECK_FALSE(file.open("root").any());
    file.add("root", "first");
    file.add("root", "second");
    CHECK(file.has("root", "first"));
    CHECK(file.has("root", "second"));
    CHECK_FALSE(file.has("root", "third"));
    CHECK(file.open("root").any());
    struct stat status {};
    REQUIRE(stat(file.path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    REQUIRE(stat((file.directory / "run").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 01711);
    std::ifstream content(file.path);
    const std::string bytes{std::istreambuf_iterator<char>(content), {}};
    CHECK(bytes.find("first") == std::string::npos);
    CHECK(bytes.find("root") == std::string::npos);
}

TEST_CASE("devices are told apart, and one may be forgotten") {
    const File file;
    file.add("root", "password");
    CHECK_FALSE(file.open("swap").any());
    CHECK_FALSE(file.has("swap", "password"));
    file.add("swap", "password");
    CHECK_FALSE(file.open("root", true).any());
    REQUIRE(file.open("root", true).add(secret("new"), {}));
    CHECK_FALSE(file.has("root", "password"));
    CHECK(file.has("root", "new"));
    CHECK(file.has("swap", "password"));
}

TEST_CASE("the host that has sent a password is known to later runs, for that device") {
    const File file;
    file.add("root", "password", "fe80::1%2");
    CHECK(file.open("root").contains_host("fe80::1%2").value());
    CHECK_FALSE(file.open("root").contains_host("fe80::1%3").value());
    CHECK_FALSE(file.open("swap").contains_host("fe80::1%2").value());
    CHECK_FALSE(file.has("root", "fe80::1%2"));
    CHECK_FALSE(file.open("root", true).contains_host("fe80::1%2").value());
}

TEST_CASE("only so many are remembered, the last ones") {
    const File file;
    for (int i = 0; i < 134; ++i) file.add("root", std::to_string(i));
    CHECK(file.has("root", "133"));
    CHECK(file.has("root", "6"));
    CHECK_FALSE(file.has("root", "5"));
    CHECK(std::filesystem::file_size(file.path) == 32 + 128 * 64);
}

TEST_CASE("a file that is not as bootkey writes it counts as none") {
    const File file;
    file.add("root", "password");
    SECTION("others may read it") {
        REQUIRE(chmod(file.path.c_str(), 0640) == 0);
    }
    SECTION("it is cut off") {
        std::filesystem::resize_file(file.path, 50);
    }
    SECTION("it is empty") {
        std::filesystem::resize_file(file.path, 0);
    }
    SECTION("it is a link") {
        std::filesystem::rename(file.path, file.directory / "elsewhere");
        std::filesystem::create_symlink(file.directory / "elsewhere", file.path);
    }
    CHECK_FALSE(file.open("root").any());
    file.add("root", "another");
    CHECK(file.has("root", "another"));
    CHECK_FALSE(file.has("root", "password"));
}

TEST_CASE("what was given is forgotten with the file") {
    const File file;
    CHECK(console::forget_given_passwords(file.path));
    file.add("root", "password");
    CHECK(console::forget_given_passwords(file.path));
    CHECK_FALSE(std::filesystem::exists(file.path));
    CHECK_FALSE(file.has("root", "password"));
}
