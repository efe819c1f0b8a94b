// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/trusted_path.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

using namespace bootkey::base;

namespace {

constexpr uid_t somebody_else = 65534;

// A directory of root's that only root can write to, on all the way to it; in /run, since /tmp is everybody's.
class RootsDirectory {
public:
    RootsDirectory() {
        std::string pattern = "/run/bootkey-test.XXXXXX";
        if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        path_ = pattern;
        std::filesystem::create_directories(path_ + "/keys/sub");
        std::ofstream(path_ + "/keys/sub/file") << "content";
    }
    ~RootsDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    RootsDirectory(const RootsDirectory&) = delete;
    RootsDirectory& operator=(const RootsDirectory&) = delete;

    [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

#define SKIP_UNLESS_OWNERS_CAN_BE_SET()                  \
    if (geteuid() != 0) {                                \
        WARN("SKIPPED: needs root, to own directories"); \
        return;                                          \
    }

TEST_CASE("what only root can change is root's alone") {
    struct Row {
        uid_t user;
        gid_t group;
        mode_t mode;
        bool alone;
    };
    const auto row = GENERATE(values<Row>({{0, 0, 0755, true},
                                           {0, 0, 0775, true},
                                           {0, somebody_else, 0755, true},
                                           {0, somebody_else, 0775, false},
                                           {0, 0, 01777, false},
                                           {0, 0, 0702, false},
                                           {somebody_else, 0, 0500, false}}));
    CAPTURE(row.user, row.group, row.mode);
    struct stat status {};
    status.st_uid = row.user;
    status.st_gid = row.group;
    status.st_mode = row.mode;
    CHECK(is_roots_alone(status) == row.alone);
}

TEST_CASE("a way that is root's alone is trusted, whatever is at its end") {
    SKIP_UNLESS_OWNERS_CAN_BE_SET();
    const RootsDirectory directory;
    const Links links = GENERATE(Links::refused, Links::followed);
    CHECK(check_trusted_path("/", links));
    CHECK(check_trusted_path(directory / "keys/sub/file", links));
    CHECK(check_trusted_path(directory / "keys//./sub/../sub/file", links));
    CHECK(check_trusted_path(directory / "keys/sub/missing", links));
    CHECK(check_trusted_path(directory / "missing/file", links));
    CHECK(check_trusted_path(directory / "keys/sub/file/below-a-file", links));
    REQUIRE(chown((directory / "keys/sub/file").c_str(), somebody_else, somebody_else) == 0);
    CHECK(check_trusted_path(directory / "keys/sub/file", links));
}

TEST_CASE("a directory on the way that others can change makes it untrusted") {
    SKIP_UNLESS_OWNERS_CAN_BE_SET();
    const RootsDirectory directory;
    const Links links = GENERATE(Links::refused, Links::followed);
    const std::string spoilt = directory / GENERATE("keys", "keys/sub");
    const auto spoil = GENERATE(
        +[](const char* path) { return chown(path, somebody_else, 0); },
        +[](const char* path) { return chmod(path, 01777); },
        +[](const char* path) { return chown(path, 0, somebody_else) == 0 ? chmod(path, 0770) : -1; });
    REQUIRE(spoil(spoilt.c_str()) == 0);
    for (const char* name : {"keys/sub/file", "keys/sub/missing"}) {
        const auto checked = check_trusted_path(directory / name, links);
        REQUIRE_FALSE(checked);
        CHECK(checked.error().code == ExitCode::no_permission);
        CHECK(contains(checked.error().tried, directory / name));
        CHECK(contains(checked.error().tried, spoilt));
    }
}

TEST_CASE("symbolic links are refused, or followed along trusted ways") {
    SKIP_UNLESS_OWNERS_CAN_BE_SET();
    const RootsDirectory directory;
    const auto link = [&](const std::string& target, const char* name) {
        REQUIRE(symlink(target.c_str(), (directory / name).c_str()) == 0);
        return directory / name;
    };
    for (const std::string& path :
         {link("keys/sub/file", "relative"), link(directory / "keys", "absolute") + "/sub/file",
          link("../keys/sub", "keys/up") + "/file", link("missing", "dangling")}) {
        CAPTURE(path);
        CHECK(check_trusted_path(path, Links::followed));
        const auto refused = check_trusted_path(path, Links::refused);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == ExitCode::no_permission);
        CHECK(contains(refused.error().message(), "symbolic link"));
    }
}

TEST_CASE("a symbolic link that leads through somebody else's directory is refused") {
    SKIP_UNLESS_OWNERS_CAN_BE_SET();
    const RootsDirectory directory;
    REQUIRE(symlink((directory / "keys/sub/back").c_str(), (directory / "out").c_str()) == 0);
    REQUIRE(symlink((directory / "keys").c_str(), (directory / "keys/sub/back").c_str()) == 0);
    REQUIRE(check_trusted_path(directory / "out/sub/file", Links::followed));
    REQUIRE(chown((directory / "keys/sub").c_str(), somebody_else, somebody_else) == 0);
    const auto checked = check_trusted_path(directory / "out", Links::followed);
    REQUIRE_FALSE(checked);
    CHECK(contains(checked.error().tried, directory / "keys/sub"));
}

TEST_CASE("symbolic links that lead round in a circle end the walk") {
    SKIP_UNLESS_OWNERS_CAN_BE_SET();
    const RootsDirectory directory;
    REQUIRE(symlink("two", (directory / "one").c_str()) == 0);
    REQUIRE(symlink("one", (directory / "two").c_str()) == 0);
    const auto checked = check_trusted_path(directory / "one/file", Links::followed);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == ExitCode::os_error);
}
