// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/control/line_editor.hpp"

#include <string>

#include "catch.hpp"

using namespace bootkey::control;

namespace {

using Event = LineEditor::Event;

LineEditor editor(std::size_t longest = 100) {
    auto made = LineEditor::create(longest);
    REQUIRE(made);
    return *std::move(made);
}

// The event of the last byte.
Event typed(LineEditor& editor, std::string_view bytes) {
    Event event = Event::nothing;
    for (const char byte : bytes) {
        *editor.place() = static_cast<std::byte>(byte);
        event = editor.take();
    }
    return event;
}

}  // namespace

TEST_CASE("keys add to the line, remove from it, and end it") {
    struct Row {
        const char* keys;
        const char* text;
        Event event;
    };
    for (const Row& row : {
             Row{"hold on", "hold on", Event::added},
             Row{"a\tb", "a\tb", Event::added},
             Row{"\xc3\xa4\xc3\xb6\x7f", "\xc3\xa4", Event::removed},  // the whole character
             Row{"\xe6\x97\xa5x\b\b", "", Event::removed},
             Row{"\x7f", "", Event::nothing},
             Row{"\x80\x80\x7f", "", Event::removed},  // no UTF-8 at all
             Row{"hold  release \x17", "hold  ", Event::removed},
             Row{"hold\x17", "", Event::removed},
             Row{"  \x17", "", Event::removed},
             Row{"hold on\x15off", "off", Event::added},
             Row{"hold\x03", "hold", Event::cancelled},
             Row{"hold\x04", "hold", Event::nothing},
             Row{"h\x7f\x04", "", Event::ended},
             Row{"hold\r", "hold", Event::entered},
             Row{"hold\n", "hold", Event::entered},
             Row{"ho\x1b[A\x1b[1;5Cld\x1bOB", "hold", Event::nothing},  // cursor keys
             Row{"ho\x1bxld", "hold", Event::added},                    // Alt-x
             Row{"ho\x01\x1ald", "hold", Event::added},
         }) {
        CAPTURE(row.keys);
        LineEditor line = editor();
        CHECK(typed(line, row.keys) == row.event);
        CHECK(line.text() == row.text);
    }
}

TEST_CASE("a line that is too long says so until it is cleared") {
    LineEditor line = editor(3);
    CHECK(typed(line, "abcd") == Event::nothing);
    CHECK(line.text() == "abc");
    CHECK(line.too_long());
    CHECK(typed(line, "\x7f") == Event::removed);
    CHECK(line.too_long());  // nobody knows what is missing
    CHECK(typed(line, "\n") == Event::entered);
    line.clear();
    CHECK_FALSE(line.too_long());
    CHECK(line.text().empty());
    CHECK(typed(line, "xyz\n") == Event::entered);
    CHECK(line.text() == "xyz");
}

TEST_CASE("what is removed from a line is wiped") {
    LineEditor line = editor();
    typed(line, "secret");
    const std::byte* const begin = line.line().bytes().data();
    typed(line, "\x7f\x7f\x7f\x7f\x7f\x7f");
    for (int i = 0; i < 6; ++i) CHECK((begin[i] == std::byte{} || begin[i] == std::byte{0x7f}));
}
