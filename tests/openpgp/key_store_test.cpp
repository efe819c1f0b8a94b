// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/key_store.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/temporary_directory.hpp"
#include "bootkey/base/file.hpp"
#include "catch.hpp"

using namespace bootkey;
using openpgp::KeyStore;

namespace {

std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

unsigned permissions(const std::string& path) {
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

void stage(KeyStore& store, const std::string& name, const std::string& text, mode_t file_mode = 0600) {
    const auto staged = store.stage(name, base::bytes_of(text), file_mode);
    REQUIRE(staged);
}

KeyStore opened(const std::string& path) {
    auto store = KeyStore::open(path);
    REQUIRE(store);
    return std::move(*store);
}

}  // namespace

TEST_CASE("a key store makes its directory for the owner only, and files with the modes asked for") {
    const base::testing::TemporaryDirectory root;
    const std::string end = GENERATE("", "/", "//");
    {
        KeyStore store = opened(root / ("etc/keys" + end));
        stage(store, "public", "p", 0644);
        stage(store, "secret", "s", 0600);
        CHECK_FALSE(store.has("public"));
        REQUIRE(store.commit(false));
        CHECK(store.has("public"));
    }
    CHECK(permissions(root / "etc/keys") == 0700);
    CHECK(permissions(root / "etc") == 0755);
    CHECK(permissions(root / "etc/keys/public") == 0644);
    CHECK(permissions(root / "etc/keys/secret") == 0600);
    CHECK(content(root / "etc/keys/secret") == "s");
    CHECK(std::distance(std::filesystem::directory_iterator(root / "etc/keys"), {}) == 2);
}

TEST_CASE("what a key store has not committed is gone with it") {
    const base::testing::TemporaryDirectory root;
    {
        KeyStore store = opened(root / "etc/keys/bootkey");
        stage(store, "secret", "s");
    }
    CHECK(root.names().empty());
    std::filesystem::create_directory(root / "there");
    {
        KeyStore store = opened(root / "there");
        stage(store, "secret", "s");
    }
    CHECK(root.names() == std::vector<std::string>{"there"});
    CHECK(std::filesystem::is_empty(root / "there"));
}

TEST_CASE("a key store puts all files in place or none") {
    const base::testing::TemporaryDirectory root;
    std::ofstream(root / "b") << "old b";
    SECTION("existing ones are an error") {
        {
            KeyStore store = opened(root / "");
            stage(store, "a", "new a");
            stage(store, "b", "new b");
            const auto committed = store.commit(false);
            REQUIRE_FALSE(committed);
            CHECK(committed.error().code == base::ExitCode::cannot_create);
        }
        CHECK(root.names() == std::vector<std::string>{"b"});
        CHECK(content(root / "b") == "old b");
    }
    SECTION("or replaced") {
        {
            KeyStore store = opened(root / "");
            stage(store, "a", "new a");
            stage(store, "b", "new b");
            REQUIRE(store.commit(true));
        }
        CHECK(root.names() == std::vector<std::string>{"a", "b"});
        CHECK(content(root / "b") == "new b");
    }
    SECTION("and put back where a later one fails") {
        std::filesystem::create_directory(root / "c");
        {
            KeyStore store = opened(root / "");
            stage(store, "a", "new a");
            stage(store, "b", "new b");
            stage(store, "c", "cannot replace a directory");
            const auto committed = store.commit(true);
            REQUIRE_FALSE(committed);
            CHECK_THAT(committed.error().message(), Catch::Contains("/c"));
        }
        CHECK(root.names() == std::vector<std::string>{"b", "c"});
        CHECK(content(root / "b") == "old b");
    }
    SECTION("whatever a killed program has left") {
        std::ofstream(root / ".b.new") << "half";
        std::ofstream(root / ".b.old") << "older";
        {
            KeyStore store = opened(root / "");
            stage(store, "b", "new b");
            REQUIRE(store.commit(true));
        }
        CHECK(root.names() == std::vector<std::string>{"b"});
        CHECK(content(root / "b") == "new b");
    }
}

TEST_CASE("a key store is one program's at a time") {
    const base::testing::TemporaryDirectory root;
    {
        const KeyStore store = opened(root / "keys");
        const auto second = KeyStore::open(root / "keys");
        REQUIRE_FALSE(second);
        CHECK(second.error().code == base::ExitCode::unavailable);
        CHECK(std::filesystem::exists(root / "keys"));
    }
    CHECK(root.names().empty());
}

TEST_CASE("a key store that cannot be opened says why and leaves nothing") {
    const base::testing::TemporaryDirectory root;
    std::ofstream(root / "file") << "in the way";
    for (const char* path : {"file", "file/keys", "new/../file"}) {
        const auto store = KeyStore::open(root / path);
        REQUIRE_FALSE(store);
        CHECK(store.error().code == base::ExitCode::cannot_create);
        CHECK(root.names() == std::vector<std::string>{"file"});
    }
}
