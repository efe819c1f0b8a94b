// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/waiting_askpass.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/temporary_directory.hpp"
#include "catch.hpp"
#include "console/reader.hpp"

using namespace bootkey;
using namespace bootkey::console;
using console::testing::make_fifo;
using console::testing::Reader;

TEST_CASE("the environment of askpass tells device and tries") {
    struct Row {
        std::string environment;
        const char* device;
        unsigned tried, tries;
    };
    const auto nul = [](std::string text) {
        std::ranges::replace(text, '|', '\0');
        return text;
    };
    const auto row = GENERATE_COPY(values<Row>({
        {nul("CRYPTTAB_NAME=root|CRYPTTAB_TRIED=1|CRYPTTAB_OPTION_tries=5|"), "root", 1, 5},
        {nul("PATH=/bin|CRYPTTAB_TRIED=0|CRYPTTAB_NAME=a b=c|HOME=/|"), "a b=c", 0, 3},
        {nul("CRYPTTAB_NAME=root"), "root", 0, 3},
        {nul("CRYPTTAB_NAME=root|CRYPTTAB_OPTION_tries=0|"), "root", 0, 0},
        {nul("CRYPTTAB_NAME=root|CRYPTTAB_TRIED=x|CRYPTTAB_OPTION_tries=-1|"), "root", 0, 3},
        {nul("CRYPTTAB_NAME=root|CRYPTTAB_TRIED=99999999999|"), "root", 0, 3},
        {nul("CRYPTTAB_NAMES=no|CRYPTTAB_NAME=yes|CRYPTTAB_NAME=second|"), "yes", 0, 3},
        {nul("CRYPTTAB_NAME=|CRYPTTAB_TRIED=2|"), "", 77, 0},
        {nul("CRYPTTAB_TRIED=2|"), "", 77, 0},
        {nul("|||=|CRYPTTAB_NAME|"), "", 77, 0},
        {"", "", 77, 0},
    }));
    CAPTURE(row.environment);
    const Prompt prompt = prompt_of(77, row.environment);
    CHECK(prompt.process == 77);
    CHECK(prompt.device == row.device);
    CHECK(prompt.tried == row.tried);
    CHECK(prompt.tries == row.tries);
}

TEST_CASE("askpass under a keyscript asks for the disk's password only if that is known of the keyscript") {
    struct Row {
        const char* keyscript;
        bool is_foreign;
    };
    const auto row = GENERATE(values<Row>({
        {"/lib/cryptsetup/askpass", false},
        {"/usr/lib/cryptsetup/askpass", false},
        {"/lib/cryptsetup/scripts/decrypt_keyctl", false},
        {"/usr/lib/cryptsetup/scripts/decrypt_keyctl", false},
        {"/lib/bootkey/keyscript", false},
        {"/usr/lib/bootkey/keyscript", false},
        {"/lib/cryptsetup/scripts/decrypt_gnupg", true},
        {"/lib/cryptsetup/scripts/decrypt_gnupg-sc", true},
        {"/lib/cryptsetup/scripts/decrypt_opensc", true},
        {"/lib/cryptsetup/scripts/decrypt_ssl", true},
        {"/lib/cryptsetup/scripts/decrypt_derived", true},
        {"/lib/cryptsetup/scripts/passdev", true},
        {"/etc/decrypt_keyctl", true},
        {"decrypt_keyctl", true},
        {"/usr/local/sbin/mine", true},
    }));
    CAPTURE(row.keyscript);
    const std::string keyscript = std::string("CRYPTTAB_OPTION_keyscript=") + row.keyscript;
    using namespace std::string_literals;
    const Prompt prompt = prompt_of(77, keyscript + "\0CRYPTTAB_NAME=root\0"s);
    CHECK(prompt.foreign_keyscript == (row.is_foreign ? row.keyscript : ""));
    CHECK(prompt.device == "root");
    CHECK(prompt_of(77, keyscript + "\0"s).foreign_keyscript.empty());  // cryptroot has not started that
}

TEST_CASE("only a FIFO of ours that nobody else may read or write is written to") {
    const base::testing::TemporaryDirectory directory;
    const std::string path = directory / "fifo";
    const auto nothing = find_fifo(path);
    REQUIRE(nothing);
    CHECK_FALSE(nothing->has_value());
    CHECK_FALSE(find_fifo(directory / "no/directory")->has_value());
    make_fifo(path);
    REQUIRE(find_fifo(path));
    CHECK(find_fifo(path)->has_value());
    SECTION("others may write") {
        REQUIRE(chmod(path.c_str(), 0606) == 0);
        CHECK(find_fifo(path).error().code == base::ExitCode::no_permission);
    }
    SECTION("others may read") {
        for (const mode_t mode : {0604U, 0640U}) {
            REQUIRE(chmod(path.c_str(), mode) == 0);
            CHECK(find_fifo(path).error().code == base::ExitCode::no_permission);
        }
    }
    SECTION("a link") {
        const std::string link = directory / "link";
        std::filesystem::create_symlink(path, link);
        CHECK(find_fifo(link).error().code == base::ExitCode::no_permission);
    }
    SECTION("a file") {
        std::ofstream(directory / "file") << "content";
        CHECK(find_fifo(directory / "file").error().code == base::ExitCode::no_permission);
    }
}

TEST_CASE("askpass is found by the FIFO that it reads") {
    const base::testing::TemporaryDirectory directory;
    const std::string path = directory / "fifo";
    make_fifo(path);
    const struct stat fifo = **find_fifo(path);
    const std::string us = "/proc/self/exe";
    CHECK(find_askpass(fifo, us).empty());
    const Reader askpass(path);
    make_fifo(directory / "other");
    const Reader elsewhere(directory / "other");
    const auto found = find_askpass(fifo, us);
    REQUIRE(found.size() == 1);
    CHECK(found[0].prompt.process == askpass.pid());
    CHECK(found[0].pidfd);
    CHECK(reads(askpass.pid(), fifo));
    CHECK_FALSE(reads(elsewhere.pid(), fifo));
}

TEST_CASE("whatever calls itself askpass, but is another program or another user's, is none") {
    const base::testing::TemporaryDirectory directory;
    const std::string path = directory / "fifo";
    make_fifo(path);
    const struct stat fifo = **find_fifo(path);
    const Reader called_so(path, "askpass");
    CHECK(find_askpass(fifo, "/bin/true").empty());
    CHECK(find_askpass(fifo, directory / "missing").empty());
    CHECK(find_askpass(fifo, "/proc/self/exe").size() == 1);
    if (geteuid() != 0) {
        WARN("skipped: needs root to become another user");
        return;
    }
    const Reader of_another_user(path, "askpass", O_RDONLY, 65534);
    const auto found = find_askpass(fifo, "/proc/self/exe");
    REQUIRE(found.size() == 1);
    CHECK(found[0].prompt.process == called_so.pid());
}

TEST_CASE("somebody else who may write to the FIFO is noticed") {
    const base::testing::TemporaryDirectory directory;
    const std::string path = directory / "fifo";
    make_fifo(path);
    const struct stat fifo = **find_fifo(path);
    const Reader askpass(path);
    const base::UniqueFd our_own(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    REQUIRE(our_own);
    CHECK_FALSE(others_write(fifo));
    const Reader writer(path, "cat", O_WRONLY);
    CHECK(others_write(fifo));
}

TEST_CASE("the children of a process are found") {
    const base::testing::TemporaryDirectory directory;
    make_fifo(directory / "fifo");
    const Reader child(directory / "fifo", "a) R 1 (b");
    const auto children = children_of(getpid());
    CHECK(std::ranges::find(children, child.pid()) != children.end());
    CHECK(children_of(child.pid()).empty());
}
