// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/key_files.hpp"

#include <filesystem>
#include <fstream>
#include <vector>

#include "base/temporary_directory.hpp"
#include "catch.hpp"

using namespace bootkey;
using openpgp::find_key_files;
using openpgp::KeyFiles;

namespace {

const std::vector<std::string> openpgp_pair = {"pubkey.txt", "seckey.txt"};
const std::vector<std::string> tls_pair = {"tls-pubkey.pem", "tls-privkey.pem"};

void make(const std::string& directory, const std::vector<std::string>& names) {
    std::filesystem::create_directories(directory);
    for (const std::string& name : names) std::ofstream(directory + "/" + name) << "key";
}

std::vector<std::string> paths(const KeyFiles& files) {
    return {files.pubkey, files.seckey, files.tls_pubkey, files.tls_privkey};
}

}  // namespace

TEST_CASE("the first key directory with an OpenPGP pair counts, with the TLS pair in it") {
    const base::testing::TemporaryDirectory root;
    const std::vector<std::string> directories = {root / "missing", root / "half", root / "first", root / "second"};
    make(root / "half", {"pubkey.txt", "tls-pubkey.pem"});
    make(root / "first", openpgp_pair);
    make(root / "second", openpgp_pair);
    make(root / "second", tls_pair);

    SECTION("without a TLS pair, not that of another directory") {
        const auto found = find_key_files({}, directories);
        REQUIRE(found);
        CHECK(paths(*found) == std::vector<std::string>{root / "first/pubkey.txt", root / "first/seckey.txt", "", ""});
    }
    SECTION("with its TLS pair") {
        make(root / "first", tls_pair);
        const auto found = find_key_files({}, directories);
        REQUIRE(found);
        CHECK(paths(*found) == std::vector<std::string>{root / "first/pubkey.txt", root / "first/seckey.txt",
                                                        root / "first/tls-pubkey.pem", root / "first/tls-privkey.pem"});
    }
}

TEST_CASE("named key files are taken as they are, with the TLS pair beside the secret key") {
    const base::testing::TemporaryDirectory root;
    const std::vector<std::string> directories = {root / "keys"};
    make(root / "keys", openpgp_pair);
    make(root / "keys", tls_pair);
    make(root / "mine", tls_pair);
    const std::string beside[] = {root / "mine/tls-pubkey.pem", root / "mine/tls-privkey.pem"};
    const std::string in_keys[] = {root / "keys/tls-pubkey.pem", root / "keys/tls-privkey.pem"};

    struct Row {
        KeyFiles named;
        std::vector<std::string> expected;
    };
    const Row rows[] = {
        {{"/a", "/b", "", ""}, {"/a", "/b", "", ""}},
        {{"a", "b", "", ""}, {"a", "b", "", ""}},  // relative: beside means here
        {{"/a", "/b", "/c", "/d"}, {"/a", "/b", "/c", "/d"}},
        {{"/a", root / "mine/secret", "", ""}, {"/a", root / "mine/secret", beside[0], beside[1]}},
        {{"/a", root / "mine/secret", "/c", "/d"}, {"/a", root / "mine/secret", "/c", "/d"}},
        {{"/a", "", "", ""}, {"/a", root / "keys/seckey.txt", in_keys[0], in_keys[1]}},
        {{"", root / "mine/secret", "", ""}, {root / "keys/pubkey.txt", root / "mine/secret", beside[0], beside[1]}},
        {{"", "", "/c", "/d"}, {root / "keys/pubkey.txt", root / "keys/seckey.txt", "/c", "/d"}},
    };
    for (const Row& row : rows) {
        const auto found = find_key_files(row.named, directories);
        REQUIRE(found);
        CHECK(paths(*found) == row.expected);
    }
}

TEST_CASE("missing keys and halves of TLS pairs are errors that say what to do") {
    const base::testing::TemporaryDirectory root;
    make(root / "keys", openpgp_pair);
    make(root / "public", openpgp_pair);
    make(root / "public", {"tls-pubkey.pem"});
    make(root / "private", openpgp_pair);
    make(root / "private", {"tls-privkey.pem"});

    struct Row {
        KeyFiles named;
        std::string directory;
        std::string said;
    };
    const Row rows[] = {
        {{}, "none", "--generate-keys"},
        {{"/a", "", "", ""}, "none", "none of"},
        {{}, "public", "tls-privkey.pem"},
        {{}, "private", "tls-pubkey.pem"},
        {{"", "", "/c", ""}, "keys", "--tls-privkey"},
        {{"", "", "", "/d"}, "keys", "--tls-pubkey"},
        {{"/a", "/b", "/c", ""}, "keys", "--tls-privkey"},
    };
    for (const Row& row : rows) {
        const std::vector<std::string> directories = {root / row.directory};
        const auto found = find_key_files(row.named, directories);
        REQUIRE_FALSE(found);
        CHECK(found.error().code == base::ExitCode::no_input);
        CHECK_THAT(found.error().message(), Catch::Contains(row.said));
    }
}
