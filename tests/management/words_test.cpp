// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/words.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace bootkey;
using management::Words;
using Texts = std::vector<std::string>;

namespace {

Words room_for_words() {
    auto made = Words::create(1024);
    REQUIRE(made);
    return std::move(*made);
}

Texts texts(const Words& words) {
    Texts all;
    for (std::size_t i = 0; i < words.size(); ++i) all.emplace_back(words[i]);
    return all;
}

}  // namespace

TEST_CASE("words are those that OpenVPN reads") {
    struct Case {
        std::string line;
        Texts words;
    };
    const auto [line, expected] = GENERATE(values<Case>({
        {"", {}},
        {" \t ", {}},
        {"state", {"state"}},
        {"  state \t on\tall ", {"state", "on", "all"}},
        {"# comment", {}},
        {"; comment", {}},
        {"hold # on", {"hold"}},
        {"hold ;on", {"hold"}},
        {"hold on#off", {"hold", "on#off"}},
        {R"(password "Private Key" foo)", {"password", "Private Key", "foo"}},
        {R"(password "Private Key" "foo\"bar")", {"password", "Private Key", "foo\"bar"}},
        {R"(password Private\ Key a\\b)", {"password", "Private Key", "a\\b"}},
        {"a\\\tb", {"a\tb"}},
        {R"(username 'Auth' 'a\"b "c"')", {"username", "Auth", R"(a\"b "c")"}},
        {R"("")", {""}},
        {R"('' "" x)", {"", "", "x"}},
        {R"(a"b"c d'e')", {"a\"b\"c", "d'e'"}},
        {R"("hold"on)", {"hold", "on"}},
        {R"("a b"'c d'e)", {"a b", "c d", "e"}},
        {"log 'x\\'y", {"log", "x\\", "y"}},
        {"p\xc3\xa4ss\xff", {"p\xc3\xa4ss\xff"}},
        {std::string(256, 'x') + " y", {std::string(256, 'x'), "y"}},
        {"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 \"18",
         {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"}},
    }));
    auto words = room_for_words();
    CHECK(words.parse(line).empty());
    CHECK(texts(words) == expected);
    CHECK(words[expected.size()].empty());
}

TEST_CASE("a line that OpenVPN cannot read is refused with its error") {
    struct Case {
        std::string line;
        std::string error;
    };
    const auto [line, error] = GENERATE(values<Case>({
        {"\"foo", "Options error: No closing quotation (\") in MANAGEMENT:0"},
        {"help \"x", "Options error: No closing quotation (\") in MANAGEMENT:0"},
        {"help \"x\\", "Options error: No closing quotation (\") in MANAGEMENT:0"},
        {"help \"", "Options error: No closing quotation (\") in MANAGEMENT:0"},
        {"'foo", "Options error: No closing single quotation (') in MANAGEMENT:0"},
        {"foo\\", "Options error: Residual parse state (2) in MANAGEMENT:0"},
        {"foo\\x",
         "Options error: Bad backslash ('\\') usage in MANAGEMENT:0: only \\\\, \\\", \\SPACE and \\TAB have a "
         "meaning"},
        {"\"\\'\"",
         "Options error: Bad backslash ('\\') usage in MANAGEMENT:0: only \\\\, \\\", \\SPACE and \\TAB have a "
         "meaning"},
        {"password Disk " + std::string(257, 'x'),
         "Options error: Parameter at MANAGEMENT:0 is too long (256 chars max)"},
        {"'" + std::string(257, 'x') + "'", "Options error: Parameter at MANAGEMENT:0 is too long (256 chars max)"},
    }));
    auto words = room_for_words();
    CHECK(words.parse("the line before").empty());
    CHECK(words.parse(line) == error);
    CHECK(words.empty());
}

TEST_CASE("words are wiped") {
    auto words = room_for_words();
    CHECK(words.parse("password Disk hunter2").empty());
    const auto memory = words[0];
    words.clear();
    CHECK(words.empty());
    CHECK(std::string(memory.data(), 19) == std::string(19, '\0'));
}
