// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/fields.hpp"

#include <cstdint>
#include <string>

#include "catch.hpp"

using namespace bootkey;

TEST_CASE("a field has no separator, and nothing that a line must not have") {
    CHECK(management::field("server_closed", ',') == "server_closed");
    CHECK(management::field("a,b\tc", ',') == "a\\x2cb\\x09c");
    CHECK(management::field("a,b\tc", '\t') == "a,b\\x09c");
    CHECK(management::field("it's\r\n", '\'') == "it\\x27s\\x0d\\x0a");
    CHECK(management::field("\xff\xc3\xa4", ',') == "\\xff\xc3\xa4");
    CHECK(management::field(std::string(300, 'x'), ',') == std::string(256, 'x') + "...");
}

TEST_CASE("a field of text that was made fit before is not escaped again") {
    CHECK(management::field("a\\x1b,b", ',') == "a\\x5cx1b\\x2cb");
    CHECK(management::shown_field("a\\x1b,b", ',') == "a\\x1b\\x2cb");
    CHECK(management::shown_field("a\r\n>b", '\t') == "a\\x0d\\x0a>b");
    CHECK(management::shown_field(std::string(300, 'x'), ',') == std::string(256, 'x') + "...");
}

TEST_CASE("a client's word is shown as it was, but for what a line must not have") {
    CHECK(management::shown_word("z\\q") == "z\\q");
    CHECK(management::shown_word("it's \"it\"") == "it's \"it\"");
    CHECK(management::shown_word("a\tb\r\n\x1b\xff\xe2\x80\xae") == "a\\x09b\\x0d\\x0a\\x1b\\xff\\xe2\\x80\\xae");
}

TEST_CASE("the rest of a line is one line") {
    CHECK(management::rest_of_line("a, b\\x0d") == "a, b\\x0d");
    CHECK(management::rest_of_line("a\r\n>FATAL:b") == "a\\x0d\\x0a>FATAL:b");
    CHECK(management::rest_of_line(std::string(2000, 'x')) == std::string(1024, 'x') + "...");
    CHECK(management::rest_of_line(std::string(1000, '\n')).size() == 1024 + 3);
    const std::string before(1011, 'x');
    CHECK(management::rest_of_line("\n\n\n" + before + "\xc3\xa4xxxxxxxx") == "\\x0a\\x0a\\x0a" + before + "...");
}

TEST_CASE("a time without a date is no error") {
    CHECK(management::date_and_time(0) == "1970-01-01 00:00:00");
    CHECK(management::date_and_time(INT64_MAX) == "?");
    CHECK_FALSE(management::date_and_time(67768036191676799).empty());  // the last second that gmtime(3) knows
}
