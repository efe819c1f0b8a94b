// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/ask_twice.hpp"

#include "catch.hpp"
#include "modes/person.hpp"

using namespace bootkey;

TEST_CASE("a secret is taken if it was typed the same twice, and never shown") {
    struct Row {
        std::vector<std::string> typed;
        int expected;
    };
    const int refused = static_cast<int>(base::ExitCode::usage);
    const Row rows[] = {
        {{"secret\n", "secret\n"}, 0},
        {{" secret \n", " secret \n"}, 1},  // blanks count
        {{"secret\n", "Secret\n"}, refused},
        {{"secret\n", "secret2\n"}, refused},
        {{"secret\n", "\n"}, refused},
        {{"\n"}, refused},
        {{"secret\n", "\x04"}, static_cast<int>(base::ExitCode::unavailable)},
    };
    for (const Row& row : rows) {
        const auto session = modes::testing::typing(row.typed, [] {
            const auto secret = modes::ask_twice("Password");
            if (!secret) return static_cast<int>(secret.error().code);
            const auto bytes = secret->bytes();
            return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == "secret" ? 0 : 1;
        });
        CHECK(session.status == row.expected);
        CHECK(session.screen.find("ecret") == std::string::npos);
    }
}
