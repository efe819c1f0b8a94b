// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/text.hpp"

#include <limits>

#include "catch.hpp"

using namespace bootkey::base;
using namespace std::string_literals;

namespace {

constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

}  // namespace

TEST_CASE("trim takes white space off both ends only") {
    const auto [text, trimmed] = GENERATE(table<std::string, std::string>({
        {"", ""},
        {" \t\r\n", ""},
        {"a", "a"},
        {"  a b\t", "a b"},
        {"\r\na\n", "a"},
        {"\va\f", "\va\f"},
        {"\0 a"s, "\0 a"s},
    }));
    CHECK(trim(text) == trimmed);
}

TEST_CASE("split keeps empty parts") {
    using Parts = std::vector<std::string_view>;
    CHECK(split("", ',') == Parts{""});
    CHECK(split("a", ',') == Parts{"a"});
    CHECK(split("a,b", ',') == Parts{"a", "b"});
    CHECK(split(",a,,b,", ',') == Parts{"", "a", "", "b", ""});
    CHECK(split("a,b", ';') == Parts{"a,b"});
}

TEST_CASE("a word for the shell is in quotes where it needs them") {
    CHECK(shell_word("/etc/keys/a-b_c.txt") == "/etc/keys/a-b_c.txt");
    CHECK(shell_word("") == "''");
    CHECK(shell_word("/my keys/$x") == "'/my keys/$x'");
    CHECK(shell_word("it's") == "'it'\\''s'");
    CHECK(shell_word("a\nb") == "'a\\x0ab'");
}

TEST_CASE("numbers are all digits and within their limits") {
    struct Row {
        std::string text;
        std::uint64_t least, most;
        std::optional<std::uint64_t> number;
    };
    const Row row = GENERATE(values<Row>({
        {"0", 0, 10, 0},
        {"10", 0, 10, 10},
        {"11", 0, 10, {}},
        {"0", 1, 10, {}},
        {"1", 1, 10, 1},
        {"007", 0, 10, 7},
        {"18446744073709551615", 0, largest, largest},
        {"18446744073709551616", 0, largest, {}},
        {"99999999999999999999999999", 0, largest, {}},
        {"", 0, 10, {}},
        {"-1", 0, largest, {}},
        {"+1", 0, largest, {}},
        {" 1", 0, largest, {}},
        {"1 ", 0, largest, {}},
        {"1\n", 0, largest, {}},
        {"0x1", 0, largest, {}},
        {"1.0", 0, largest, {}},
        {"1e3", 0, largest, {}},
        {"1\0"s, 0, largest, {}},
    }));
    CAPTURE(row.text, row.least, row.most);
    CHECK(parse_number(row.text, row.least, row.most) == row.number);
}

TEST_CASE("seconds are plain decimals up to a limit") {
    struct Row {
        std::string text;
        std::optional<double> seconds;
    };
    const Row row = GENERATE(values<Row>({
        {"0", 0.0},
        {"10", 10.0},
        {"2.5", 2.5},
        {".5", 0.5},
        {"5.", 5.0},
        {"00.250", 0.25},
        {"100", 100.0},
        {"100.1", {}},
        {"1e1", {}},
        {"-1", {}},
        {"+1", {}},
        {"inf", {}},
        {"nan", {}},
        {"0x10", {}},
        {"1,5", {}},
        {"1.2.3", {}},
        {"", {}},
        {".", {}},
        {" 1", {}},
        {"1 ", {}},
        {"1s", {}},
        {"1\0"s, {}},
        {std::string(5000, '9'), {}},
    }));
    CAPTURE(row.text);
    CHECK(parse_seconds(row.text, 100) == row.seconds);
}

TEST_CASE("printable text is well-formed UTF-8 without control characters") {
    struct Row {
        std::string text;
        bool printable;
        std::string shown;
    };
    const Row row = GENERATE(values<Row>({
        {"", true, ""},
        {"plain ~", true, "plain ~"},
        {"Tür", true, "Tür"},
        {"\u00a0", true, "\u00a0"},
        {"\u20ac", true, "\u20ac"},
        {"\U0001f511", true, "\U0001f511"},
        {"\xed\x9f\xbf", true, "\xed\x9f\xbf"},          // U+D7FF, the last before the surrogates
        {"\xee\x80\x80", true, "\xee\x80\x80"},          // U+E000, the first after them
        {"\xf4\x8f\xbf\xbf", true, "\xf4\x8f\xbf\xbf"},  // U+10FFFF, the last
        {"back\\slash", true, "back\\x5cslash"},
        {"a\nb", false, "a\\x0ab"},
        {"\x1b[31m", false, "\\x1b[31m"},
        {"\x7f", false, "\\x7f"},
        {"a\0b"s, false, "a\\x00b"},
        {"\xc2\x80", false, "\\xc2\\x80"},  // C1 controls
        {"\xc2\x9f", false, "\\xc2\\x9f"},
        {"\x80", false, "\\x80"},           // a continuation alone
        {"\xc0\xaf", false, "\\xc0\\xaf"},  // overlong forms
        {"\xc1\xbf", false, "\\xc1\\xbf"},
        {"\xe0\x80\xaf", false, "\\xe0\\x80\\xaf"},
        {"\xe0\x9f\xbf", false, "\\xe0\\x9f\\xbf"},
        {"\xf0\x8f\xbf\xbf", false, "\\xf0\\x8f\\xbf\\xbf"},
        {"\xed\xa0\x80", false, "\\xed\\xa0\\x80"},  // surrogates
        {"\xed\xbf\xbf", false, "\\xed\\xbf\\xbf"},
        {"\xf4\x90\x80\x80", false, "\\xf4\\x90\\x80\\x80"},  // beyond U+10FFFF
        {"\xf8\x88\x80\x80\x80", false, "\\xf8\\x88\\x80\\x80\\x80"},
        {"\xfe", false, "\\xfe"},
        {"\xff", false, "\\xff"},
        {"\xc3", false, "\\xc3"},  // truncated
        {"\xe2\x82", false, "\\xe2\\x82"},
        {"\xf0\x9f\x94", false, "\\xf0\\x9f\\x94"},
        {"\xe2\x82z", false, "\\xe2\\x82z"},  // what follows is not swallowed
        {"\xc3\xc3\xbc", false, "\\xc3\u00fc"},
    }));
    CAPTURE(row.shown);
    CHECK(is_printable_utf8(row.text) == row.printable);
    CHECK(escaped(row.text) == row.shown);
    CHECK(is_printable_utf8(escaped(row.text)));
    CHECK(printable(escaped(row.text), 1000) == escaped(row.text));
}

TEST_CASE("escaped text shows what is invisible or would turn the text around it") {
    const auto row = GENERATE(values<std::pair<const char*, const char*>>({
        {"a\u202eb", "a\\xe2\\x80\\xaeb"},
        {"\u061c", "\\xd8\\x9c"},
        {"\u200b\u200f", "\\xe2\\x80\\x8b\\xe2\\x80\\x8f"},
        {"\u2028", "\\xe2\\x80\\xa8"},
        {"\u2066", "\\xe2\\x81\\xa6"},
        {"\ufeff", "\\xef\\xbb\\xbf"},
        {"\u200a\u2010\u2027\u202f", "\u200a\u2010\u2027\u202f"},  // their neighbours stay
    }));
    CHECK(escaped(row.first) == row.second);
}

TEST_CASE("escaped text is printable for every pair of bytes") {
    for (unsigned first = 0; first < 256; ++first) {
        for (unsigned second = 0; second < 256; ++second) {
            const std::string text{static_cast<char>(first), static_cast<char>(second)};
            if (!is_printable_utf8(escaped(text))) FAIL("bytes " << first << " " << second);
        }
    }
}

TEST_CASE("escaped text is cut between characters") {
    struct Row {
        std::string text;
        std::size_t most;
        std::string shown;
    };
    const Row row = GENERATE(values<Row>({
        {"abc", 3, "abc"},
        {"abcd", 3, "abc..."},
        {"a", 0, "..."},
        {"", 0, ""},
        {"ab\u20ac", 5, "ab\u20ac"},
        {"ab\u20ac", 4, "ab..."},
        {"ab\u20ac", 3, "ab..."},
        {"ab\xe2\x82", 3, "ab\\xe2..."},
        {"\n\n\n", 2, "\\x0a\\x0a..."},
    }));
    CAPTURE(row.text, row.most);
    CHECK(escaped(row.text, row.most) == row.shown);
    CHECK(escaped(std::string(1000, 'x')) == std::string(256, 'x') + "...");
}

TEST_CASE("hexadecimal digits") {
    const unsigned char bytes[] = {0x00, 0x0f, 0xa5, 0xff};
    CHECK(hex(bytes, sizeof bytes) == "000fa5ff");
    CHECK(hex(bytes, sizeof bytes, true) == "000FA5FF");
    CHECK(hex(bytes, 0).empty());
    CHECK(hex(nullptr, 0).empty());
}

TEST_CASE("format makes texts of any length") {
    CHECK(format("%d %s", 7, "dwarfs") == "7 dwarfs");
    CHECK(format("%s", "").empty());
    CHECK(format("%5000d", 1).size() == 5000);
}
