// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/temporary_gpg_home.hpp"

#include <filesystem>
#include <vector>

#include "catch.hpp"

using namespace bootkey;
using openpgp::find_ram_directory;
using openpgp::TemporaryGpgHome;

TEST_CASE("a directory for secrets is one on a file system in RAM") {
    // /proc and /sys are on no disk either, but nothing can be made there.
    const std::vector<std::string> wrong = {"/proc", "/sys", "/does/not/exist"};
    const auto none = find_ram_directory(wrong);
    REQUIRE_FALSE(none);
    CHECK(none.error().code == base::ExitCode::unavailable);
    CHECK_THAT(none.error().message(), Catch::Contains("/proc") && Catch::Contains("tmpfs"));

    std::vector<std::string> right = wrong;
    right.push_back("/dev/shm");
    const auto found = find_ram_directory(right);
    REQUIRE(found);
    CHECK(*found == "/dev/shm");
}

TEST_CASE("a temporary GnuPG home is for the owner only, and gone with all that is in it") {
    std::string path;
    {
        const auto home = TemporaryGpgHome::create();
        if (!home) FAIL(home.error().message());
        path = (*home)->path();
        CHECK(std::filesystem::status(path).permissions() == std::filesystem::perms::owner_all);
        CHECK(std::filesystem::exists(path + "/gpg.conf"));
        std::filesystem::create_directories(path + "/private-keys-v1.d/more");
    }
    CHECK_FALSE(std::filesystem::exists(path));
}
