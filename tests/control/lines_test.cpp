// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/control/lines.hpp"

#include "catch.hpp"

using namespace bootkey::control;
using Kind = ControlLine::Kind;

namespace {

// All lines of `pieces`, as "r:", "n:" or "p:" and the text.
std::vector<std::string> lines_of(const std::vector<std::string>& pieces) {
    std::vector<std::string> found;
    ControlLines lines;
    for (const std::string& piece : pieces)
        for (const ControlLine& line : lines.take(piece)) {
            const char* kind = line.kind == Kind::reply ? "r:" : line.kind == Kind::notification ? "n:" : "p:";
            found.push_back(kind + line.text);
        }
    return found;
}

}  // namespace

TEST_CASE("what a management interface sends is cut into lines, however it arrives") {
    using Lines = std::vector<std::string>;
    CHECK(lines_of({">INFO:x\r\nSUCCESS: hold=0\r\n"}) == Lines{"n:>INFO:x", "r:SUCCESS: hold=0"});
    CHECK(lines_of({"SUCC", "ESS: a\r", "\nEN", "D\r\n"}) == Lines{"r:SUCCESS: a", "r:END"});
    CHECK(lines_of({"without CR\n", "\r\n"}) == Lines{"r:without CR", "r:"});
    CHECK(lines_of({"no end yet"}).empty());
    CHECK(lines_of({"ENTER PASS", "WORD:"}) == Lines{"p:ENTER PASSWORD:"});
    CHECK(lines_of({"ENTER PASSWORD:", "ENTER PASSWORD:", "SUCCESS: password is correct\r\n"}) ==
          Lines{"p:ENTER PASSWORD:", "p:ENTER PASSWORD:", "r:SUCCESS: password is correct"});
    CHECK(lines_of({"ERROR: bad password\r\nENTER PASSWORD:"}) == Lines{"r:ERROR: bad password", "p:ENTER PASSWORD:"});
    CHECK(lines_of({"ENTER PASSWORD: no prompt\r\n"}) == Lines{"r:ENTER PASSWORD: no prompt"});
}

TEST_CASE("a line without end takes no more memory than a long one") {
    ControlLines lines;
    for (int i = 0; i < 100; ++i) CHECK(lines.take(std::string(1000, 'x')).empty());
    const auto taken = lines.take("\r\nEND\r\n");
    REQUIRE(taken.size() == 2);
    CHECK(taken[0].text == std::string(ControlLines::longest, 'x'));
    CHECK(taken[1].text == "END");
}

TEST_CASE("the line that ends a reply is known") {
    for (const char* line : {"END", "SUCCESS: x", "ERROR: x"}) CHECK(ends_reply(line));
    for (const char* line : {"", "END ", "1,END", "OpenVPN STATISTICS", " SUCCESS: x"}) CHECK_FALSE(ends_reply(line));
    CHECK(is_refusal("ERROR: x"));
    CHECK_FALSE(is_refusal("SUCCESS: ERROR: x"));
}

TEST_CASE("what goes to a terminal cannot do anything there, and TABs stay") {
    CHECK(shown("a\tb\t\tc") == "a\tb\t\tc");
    CHECK(shown("\t") == "\t");
    CHECK(shown("") == "");
    CHECK(shown("\x1b[2J\tx\xff\x9b") == "\\x1b[2J\tx\\xff\\x9b");
    CHECK(shown("C:\\") == "C:\\");
}
