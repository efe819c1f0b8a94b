// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/trusted_path.hpp"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "base/forked.hpp"
#include "catch.hpp"

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

namespace {

// The advice on what others can do with a path, or nothing.
std::string mended_by(const std::string& path) {
    const auto exposure = exposure_of(path);
    if (!exposure.to_writing) return {};
    CHECK(exposure.to_writing->code == ExitCode::no_permission);
    CHECK(contains(exposure.to_writing->tried, "cannot trust " + path));
    CHECK(contains(exposure.to_writing->why, "others than root"));
    return exposure.to_writing->advice;
}

}  // namespace

TEST_CASE("what others may change on the way to a file or at its end is told with the command that mends it") {
    SKIP_UNLESS_OWNERS_CAN_BE_SET();
    const RootsDirectory directory;
    const std::string file = directory / "keys/sub/file";
    REQUIRE(mended_by(file).empty());
    CHECK(mended_by(directory / "keys/sub/missing").empty());
    const std::string spoilt = directory / GENERATE("", "keys", "keys/sub", "keys/sub/file");
    const std::string name = spoilt.ends_with('/') ? spoilt.substr(0, spoilt.size() - 1) : spoilt;
    REQUIRE(chmod(name.c_str(), 0757) == 0);
    CHECK(mended_by(file) == "chmod go-w " + name);
    REQUIRE(chown(name.c_str(), 0, somebody_else) == 0);
    REQUIRE(chmod(name.c_str(), 0770) == 0);
    CHECK(mended_by(file) == "chmod go-w " + name);
    REQUIRE(chmod(name.c_str(), 0750) == 0);
    CHECK(mended_by(file).empty());
    REQUIRE(chown(name.c_str(), somebody_else, 0) == 0);
    CHECK(mended_by(file) == "chown root " + name);
    REQUIRE(chmod(name.c_str(), 0777) == 0);
    CHECK(mended_by(file) == "chown root " + name + " && chmod go-w " + name);
    REQUIRE(chown(name.c_str(), 0, 0) == 0);  // as the command does
    REQUIRE(chmod(name.c_str(), 0755) == 0);
    CHECK(mended_by(file).empty());
}

TEST_CASE("a group that is root's may write, unless an access control list names somebody") {
    SKIP_UNLESS_OWNERS_CAN_BE_SET();
    const RootsDirectory directory;
    const std::string file = directory / "keys/sub/file";
    REQUIRE(chmod(file.c_str(), 0660) == 0);
    CHECK(mended_by(file).empty());
    // acl(5), in the kernel's form: a version, then tag, permissions and id of each entry.
    const auto list = std::string("\2\0\0\0", 4) + std::string("\1\0\6\0\377\377\377\377", 8) +
                      std::string("\2\0\6\0\350\3\0\0", 8) + std::string("\4\0\0\0\377\377\377\377", 8) +
                      std::string("\20\0\6\0\377\377\377\377", 8) + std::string("\40\0\0\0\377\377\377\377", 8);
    if (setxattr(file.c_str(), "system.posix_acl_access", list.data(), list.size(), 0) != 0) {
        WARN("SKIPPED: no access control lists on /run");
        return;
    }
    CHECK(mended_by(file) == "chmod go-w " + file);
}

TEST_CASE("a directory in which all may make files is fine on the way, as far as what is there is root's") {
    SKIP_UNLESS_OWNERS_CAN_BE_SET();
    const RootsDirectory directory;
    REQUIRE(chmod((directory / "keys").c_str(), 01777) == 0);
    CHECK(mended_by(directory / "keys/sub/file").empty());
    CHECK(mended_by(directory / "keys") == "chmod go-w " + directory / "keys");  // for what is read from it
    REQUIRE(lchown((directory / "keys/sub").c_str(), somebody_else, 0) == 0);
    CHECK(mended_by(directory / "keys/sub/file") == "chown root " + directory / "keys/sub");
    REQUIRE(symlink((directory / "keys/sub/file").c_str(), (directory / "keys/link").c_str()) == 0);
    REQUIRE(lchown((directory / "keys/sub").c_str(), 0, 0) == 0);
    CHECK(mended_by(directory / "keys/link").empty());
    REQUIRE(lchown((directory / "keys/link").c_str(), somebody_else, 0) == 0);
    CHECK(mended_by(directory / "keys/link") == "chown -h root " + directory / "keys/link");
}

TEST_CASE("a way is looked at where symbolic links and dots lead, and from the working directory") {
    SKIP_UNLESS_OWNERS_CAN_BE_SET();
    const RootsDirectory directory;
    REQUIRE(symlink("keys/sub/../sub/./file", (directory / "link").c_str()) == 0);
    REQUIRE(symlink("link", (directory / "two").c_str()) == 0);
    REQUIRE(mended_by(directory / "two").empty());
    REQUIRE(chmod((directory / "keys/sub/file").c_str(), 0666) == 0);
    CHECK(mended_by(directory / "two") == "chmod go-w " + directory / "keys/sub/file");
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(directory / "keys");
    CHECK(mended_by("sub/file") == "chmod go-w " + directory / "keys/sub/file");
    CHECK(mended_by("../two") == "chmod go-w " + directory / "keys/sub/file");
    std::filesystem::current_path(before);
}

TEST_CASE("a secret that others may read is told, unless a directory is closed to them") {
    SKIP_UNLESS_OWNERS_CAN_BE_SET();
    const RootsDirectory directory;
    const std::string file = directory / "keys/sub/file";
    REQUIRE(chmod((directory / "").c_str(), 0755) == 0);
    for (const mode_t mode : {0644U, 0604U}) {
        REQUIRE(chmod(file.c_str(), mode) == 0);
        const auto exposure = exposure_of(file);
        CHECK_FALSE(exposure.to_writing);
        REQUIRE(exposure.to_reading);
        CHECK(exposure.to_reading->advice == "chmod go= " + file);
    }
    REQUIRE(chmod(file.c_str(), 0640) == 0);
    CHECK_FALSE(exposure_of(file).to_reading);  // root's group
    REQUIRE(chown(file.c_str(), 0, somebody_else) == 0);
    CHECK(exposure_of(file).to_reading);
    REQUIRE(chmod((directory / "keys").c_str(), 0700) == 0);
    CHECK_FALSE(exposure_of(file).to_reading);
}

TEST_CASE("the files of Mandos's own user are fine where Mandos's hooks put them, and nowhere else") {
    SKIP_UNLESS_OWNERS_CAN_BE_SET();
    const int status = bootkey::base::testing::forked([] {
        // A root directory of this process's own.
        const RootsDirectory root;
        const auto make = [](const std::string& path) {
            std::filesystem::create_directories(std::filesystem::path(path).parent_path());
            std::ofstream(path) << "key";
        };
        make(root / "conf/conf.d/mandos/seckey.txt");
        make(root / "etc/mandos/keys/seckey.txt");
        make(root / "etc/keys/seckey.txt");
        make(root / "conf/conf.d/mandos-too/seckey.txt");
        std::ofstream(root / "etc/passwd") << "root:x:0:0::/:/bin/sh\n_mandos:x:117:118::/:/bin/false\n";
        if (chroot((root / "").c_str()) != 0 || chdir("/") != 0 || chmod("/", 0755) != 0) return 99;
        const auto safe = [](const char* path, uid_t user, gid_t group) {
            if (chown(path, user, group) != 0 || chmod(path, 0660) != 0) return false;
            return !exposure_of(path).to_writing;
        };
        int place = 0;
        for (const char* path : {"/conf/conf.d/mandos/seckey.txt", "/etc/mandos/keys/seckey.txt"})
            for (const uid_t user : {0U, 117U, somebody_else})
                for (const gid_t group : {0U, 118U, somebody_else}) {
                    ++place;
                    if (!safe(path, user, group)) return place;
                }
        if (chown("/conf/conf.d/mandos", 117, 118) != 0 || exposure_of("/conf/conf.d/mandos/seckey.txt").to_writing)
            return 90;
        if (safe("/conf/conf.d/mandos/seckey.txt", 1000, 0) || safe("/conf/conf.d/mandos/seckey.txt", 0, 1000))
            return 91;
        if (safe("/etc/keys/seckey.txt", 117, 0) || safe("/etc/keys/seckey.txt", somebody_else, 0)) return 92;
        if (safe("/conf/conf.d/mandos-too/seckey.txt", 117, 118)) return 93;
        return 0;
    });
    CHECK(status == 0);
}

TEST_CASE("who runs the program without being root may change the files") {
    SKIP_UNLESS_OWNERS_CAN_BE_SET();
    const RootsDirectory directory;
    const std::string file = directory / "keys/sub/file";
    REQUIRE(chmod((directory / "").c_str(), 0755) == 0);
    REQUIRE(chown(file.c_str(), 1000, 1000) == 0);
    CHECK_FALSE(mended_by(file).empty());
    const auto seen_by = [&](uid_t user) {
        return bootkey::base::testing::forked([&] {
            if (setresgid(user, user, user) != 0 || setresuid(user, user, user) != 0) return 99;
            return exposure_of(file).to_writing ? 1 : 0;
        });
    };
    CHECK(seen_by(1000) == 0);
    CHECK(seen_by(1001) == 1);
}
