// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/generate_keys.hpp"

#include <filesystem>

#include "base/temporary_directory.hpp"
#include "catch.hpp"
#include "modes/person.hpp"

using namespace bootkey;

namespace {

// What is said at the default verbosity.
struct Talk {
    base::Log log{1};
    std::string said;
    Talk() {
        log.add_sink([this](const base::LogEntry& entry) { said += entry.text + "\n"; });
    }
};

}  // namespace

TEST_CASE("whoever makes keys is told where they are and what to do next") {
    const base::testing::TemporaryDirectory root;
    Talk talk;
    options::Options options;
    options.key_directory = root / "keys";
    REQUIRE(modes::generate_keys(options, talk.log));
    CHECK(std::filesystem::exists(root / "keys/seckey.txt"));
    CHECK_THAT(talk.said, Catch::Contains(root / "keys") && Catch::Contains("fingerprint: ") &&
                              Catch::Contains("--enroll=script") &&
                              Catch::Contains("--seckey=" + (root / "keys/seckey.txt")) &&
                              !Catch::Contains("tls-pubkey"));

    const auto again = modes::generate_keys(options, talk.log);
    REQUIRE_FALSE(again);
    CHECK(again.error().code == base::ExitCode::cannot_create);
    CHECK_THAT(again.error().message(), Catch::Contains("--force"));

    options.force = options.tls_key = true;
    REQUIRE(modes::generate_keys(options, talk.log));
    CHECK_THAT(talk.said, Catch::Contains("tls-pubkey.pem") && !Catch::Contains("kept"));
    options.tls_key = false;
    REQUIRE(modes::generate_keys(options, talk.log));
    CHECK_THAT(talk.said, Catch::Contains("kept"));
}

TEST_CASE("a passphrase needs a TLS pair, and to be typed twice") {
    const base::testing::TemporaryDirectory root;
    options::Options options;
    options.key_directory = root / "keys";
    options.passphrase = true;
    Talk talk;
    const auto refused = modes::generate_keys(options, talk.log);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == base::ExitCode::usage);
    CHECK_THAT(refused.error().message(), Catch::Contains("--tls-key"));

    options.tls_key = true;
    const auto session = modes::testing::typing({"one\n", "two\n"}, [&] {
        const auto made = modes::generate_keys(options, talk.log);
        return made ? 0 : static_cast<int>(made.error().code);
    });
    CHECK(session.status == static_cast<int>(base::ExitCode::usage));
    CHECK(root.names().empty());
}
