// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/control/columns.hpp"

#include "catch.hpp"

using namespace bootkey::control;

namespace {

constexpr const char* japan = "\xe6\x97\xa5\xe6\x9c\xac";  // two wide characters
constexpr const char* cafe = "cafe\xcc\x81";               // an accent that combines

}  // namespace

TEST_CASE("wide characters take two columns, combining ones none") {
    CHECK(columns_of("") == 0);
    CHECK(columns_of("abc") == 3);
    CHECK(columns_of("h\xc3\xb6st") == 4);
    CHECK(columns_of(japan) == 4);
    CHECK(columns_of(cafe) == 4);
    CHECK(columns_of("\xff\xfe") == 2);
    CHECK(columns_of("\xe6\x97") == 2);  // cut in the middle
}

TEST_CASE("what is cut takes no more columns than there are, and has no part of a character") {
    CHECK(cut_to("abcdef", 6) == "abcdef");
    CHECK(cut_to("abcdef", 5) == "abcd~");
    CHECK(cut_to("abcdef", 1) == "~");
    CHECK(cut_to("abcdef", 0).empty());
    CHECK(cut_to(japan, 4) == japan);
    CHECK(cut_to(japan, 3) == "\xe6\x97\xa5~");
    CHECK(cut_to(japan, 2) == "~");
    CHECK(cut_to(std::string(cafe) + "s", 4) == "caf~");
    CHECK(cut_to(std::string(cafe) + "s", 5) == std::string(cafe) + "s");
    CHECK(padded_to("ab", 4) == "ab  ");
    CHECK(padded_to(japan, 5) == std::string(japan) + " ");
    CHECK(padded_to(japan, 3) == "\xe6\x97\xa5~");
    CHECK(padded_to(japan, 2) == "~ ");
}

TEST_CASE("pieces are the text when they are joined") {
    CHECK(in_pieces("", 5).empty());
    CHECK(in_pieces("a bc d", 2) == std::vector<std::string>{"a ", "bc", " d"});
    CHECK(in_pieces(japan, 3) == std::vector<std::string>{"\xe6\x97\xa5", "\xe6\x9c\xac"});
    CHECK(in_pieces(japan, 0).size() == 2);
}

TEST_CASE("lines are broken at blanks, and nothing is lost") {
    CHECK(wrapped("", 5) == std::vector<std::string>{""});
    CHECK(wrapped("one two three", 7) == std::vector<std::string>{"one two", "three"});
    CHECK(wrapped("one two three", 100) == std::vector<std::string>{"one two three"});
    CHECK(wrapped("abcdefgh ij", 3) == std::vector<std::string>{"abc", "def", "gh", "ij"});
    CHECK(wrapped(japan, 1) == std::vector<std::string>{"\xe6\x97\xa5", "\xe6\x9c\xac"});
    CHECK(wrapped("ab", 0) == std::vector<std::string>{"a", "b"});
}
