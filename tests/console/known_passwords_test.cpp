// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/known_passwords.hpp"

#include <string>

#include "bootkey/base/file.hpp"
#include "catch.hpp"
#include "console/secrets.hpp"

using namespace bootkey;
using namespace bootkey::console;

namespace {

std::uint64_t number_of(KnownPasswords& known, const std::string& password) {
    const auto number = known.number_of(base::bytes_of(password));
    REQUIRE(number);
    return *number;
}

std::string digest_of(const base::Secret& key, std::initializer_list<std::string_view> parts) {
    std::vector<std::span<const std::byte>> spans;
    for (const std::string_view part : parts) spans.push_back(base::bytes_of(part));
    auto digest = base::Secret::with_capacity(digest_size);
    REQUIRE(digest);
    REQUIRE(append_digest(*digest, key, spans));
    REQUIRE(digest->size() == digest_size);
    return {reinterpret_cast<const char*>(digest->bytes().data()), digest->size()};
}

}  // namespace

TEST_CASE("the same password has the same number, and another one another") {
    auto known = KnownPasswords::create();
    REQUIRE(known);
    const auto first = number_of(*known, "first");
    const auto long_one = number_of(*known, testing::awkward_password(65536));
    CHECK(number_of(*known, "second") != first);
    CHECK(number_of(*known, "first\n") != first);
    CHECK(number_of(*known, std::string("first\0", 6)) != first);
    CHECK(number_of(*known, "") != first);
    CHECK(number_of(*known, "first") == first);
    CHECK(number_of(*known, testing::awkward_password(65536)) == long_one);
}

TEST_CASE("so many passwords are told apart, and then the oldest is forgotten") {
    auto known = KnownPasswords::create();
    REQUIRE(known);
    for (std::size_t i = 0; i < KnownPasswords::most; ++i) CHECK(number_of(*known, std::to_string(i)) == i);
    CHECK(number_of(*known, "0") == 0);
    CHECK(number_of(*known, "one more") == KnownPasswords::most);
    CHECK(number_of(*known, "1") == 1);
    CHECK(number_of(*known, "0") == KnownPasswords::most + 1);
}

TEST_CASE("a digest depends on the key and on where its parts end") {
    const auto key = make_digest_key();
    const auto other = make_digest_key();
    REQUIRE(key);
    REQUIRE(other);
    CHECK(digest_of(*key, {"ab", "c"}) == digest_of(*key, {"ab", "c"}));
    CHECK(digest_of(*key, {"ab", "c"}) != digest_of(*key, {"a", "bc"}));
    CHECK(digest_of(*key, {"abc"}) != digest_of(*key, {"abc", ""}));
    CHECK(digest_of(*key, {"abc"}) != digest_of(*other, {"abc"}));
    auto full = testing::secret("full");
    const std::span<const std::byte> none[] = {{}};
    CHECK_FALSE(append_digest(full, *key, none));
}
