// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/line_splitter.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "bootkey/base/file.hpp"
#include "catch.hpp"

using namespace bootkey;
using management::LineSplitter;
using Found = LineSplitter::Found;
using Lines = std::vector<std::string>;

namespace {

LineSplitter splitter() {
    auto made = LineSplitter::create();
    REQUIRE(made);
    return std::move(*made);
}

// The lines of `bytes`, handed over in pieces of `piece` bytes; "TOO LONG" in the place of one that is refused.
Lines lines_of(LineSplitter& splitter, std::string_view bytes, std::size_t piece) {
    Lines lines;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
        auto rest = base::bytes_of(bytes.substr(0, piece));
        while (!rest.empty()) {
            const auto taken = splitter.take(rest);
            REQUIRE(taken.used > 0);
            rest = rest.subspan(taken.used);
            if (taken.found == Found::line) lines.emplace_back(splitter.text());
            if (taken.found == Found::too_long) {
                CHECK(splitter.text().empty());
                lines.emplace_back("TOO LONG");
            }
        }
    }
    return lines;
}

}  // namespace

TEST_CASE("a line is the same in whatever pieces it comes") {
    const std::size_t piece = GENERATE(1, 2, 3, 5, 1000);
    struct Case {
        std::string bytes;
        Lines lines;
    };
    const auto [bytes, lines] = GENERATE(values<Case>({
        {"", {}},
        {"state", {}},
        {"state\n", {"state"}},
        {"state\r\nhold\r\n", {"state", "hold"}},
        {"\n\r\n\n", {"", "", ""}},
        {"a\rb\n", {"ab"}},
        {std::string("a\0b\x01\x1b\x7f"
                     "c\td\n",
                     10),
         {"abc\td"}},
        {"p\xc3\xa4ss \xff\x80\n", {"p\xc3\xa4ss \xff\x80"}},
        {std::string(1024, 'x') + "\n", {std::string(1024, 'x')}},
        {std::string(1025, 'x') + "\nhold\n", {"TOO LONG", "hold"}},
        {std::string(1024, 'x') + "\r\n" + std::string(5000, 'y') + "\nhold\n",
         {std::string(1024, 'x'), "TOO LONG", "hold"}},
        {std::string(9000, '\0') + "hold\n", {"hold"}},
    }));
    auto lines_splitter = splitter();
    CHECK(lines_of(lines_splitter, bytes, piece) == lines);
}

TEST_CASE("thousands of lines in one packet come in order") {
    std::string bytes;
    Lines expected;
    for (int i = 0; i < 5000; ++i) {
        expected.push_back("log " + std::to_string(i));
        bytes += expected.back() + "\n";
    }
    auto lines_splitter = splitter();
    CHECK(lines_of(lines_splitter, bytes, bytes.size()) == expected);
}

TEST_CASE("a line is gone when the next one begins") {
    auto lines_splitter = splitter();
    CHECK(lines_of(lines_splitter, "password Disk hunter2\n", 100) == Lines{"password Disk hunter2"});
    const auto* const memory = lines_splitter.text().data();
    CHECK(lines_splitter.take(base::bytes_of("x")).found == Found::nothing);
    CHECK(lines_splitter.text().empty());
    CHECK(std::string(memory, 21) == "x" + std::string(20, '\0'));
    CHECK(lines_of(lines_splitter, " y\n", 100) == Lines{"x y"});
    lines_splitter.wipe();
    CHECK(lines_splitter.text().empty());
    CHECK(std::string(memory, 21) == std::string(21, '\0'));
}
