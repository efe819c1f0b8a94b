// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/timeline/text_chart.hpp"

#include <algorithm>

#include "bootkey/base/text.hpp"
#include "catch.hpp"
#include "timeline/example_timeline.hpp"

using namespace bootkey;
using namespace bootkey::timeline;
using namespace bootkey::timeline::tests;

namespace {

std::string drawn(const TextStyle& style) {
    return "\n" + text_chart(chart_of(example_timeline()), style);
}

// Characters, not bytes.
std::size_t width(std::string_view line) {
    return static_cast<std::size_t>(std::ranges::count_if(line, [](char byte) { return (byte & '\xc0') != '\x80'; }));
}

}  // namespace

TEST_CASE("a chart in UTF-8") {
    CHECK(drawn({.columns = 80, .utf8 = true}) == R"(
bootkey 1.2.3 had the password after 60.0 ms, from Mandos on cellar
  begun 1.0 s after the kernel
  everything was put back 5.0 ms after the password was out

                   0 ms               20 ms              40 ms
                   ┼──────────────────┼──────────────────┼─────────────────────
  hook bridge      ≡≡≡≡×                                                     ≡≡
► eth0                  ░░░░░░░░░░░░░░░░░░░▒───────────────────────────────────
  eth1                  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
  Mandos on attic                            ▄×
► Mandos on cellar                             ▄▄▌▌▌▌▌▌▌▌······▓████████████
                                                                   password ▲

  ≡ network hook   ░ link comes up   ▒ address gets usable
  ─ interface usable   ▄ connecting   ▌ TLS handshake
  · waiting for an answer   ▓ receiving   █ decrypting   × failed
  ► the way to the password

The way to the password: beginning, hooks 6.0 ms, link comes up 19.0 ms,
  address gets usable 1.0 ms, finding the server 4.0 ms, connecting 1.0 ms, TLS
  handshake 9.0 ms, waiting for an answer 6.0 ms, receiving 1.0 ms, decrypting
  12.0 ms, writing 1.0 ms.

hook bridge: start: exit status 3
eth1: no carrier
Mandos on attic: 192.0.2.7:4712 over eth0: Connection refused
Mandos on cellar: [fe80::1]:4711 over eth0: the password
)");
}

TEST_CASE("a chart in ASCII") {
    CHECK(drawn({.columns = 80, .utf8 = false}) == R"(
bootkey 1.2.3 had the password after 60.0 ms, from Mandos on cellar
  begun 1.0 s after the kernel
  everything was put back 5.0 ms after the password was out

                   0 ms               20 ms              40 ms
                   +------------------+------------------+---------------------
  hook bridge      hhhhx                                                     hh
> eth0                  llllllllllllllllllla-----------------------------------
  eth1                  lllllllllllllllllllllllllllllllllllllllllllllllllllllll
  Mandos on attic                            cx
> Mandos on cellar                             ccttttttttwwwwwwrdddddddddddd
                                                                   password ^

  h network hook   l link comes up   a address gets usable
  - interface usable   c connecting   t TLS handshake
  w waiting for an answer   r receiving   d decrypting   x failed
  > the way to the password

The way to the password: beginning, hooks 6.0 ms, link comes up 19.0 ms,
  address gets usable 1.0 ms, finding the server 4.0 ms, connecting 1.0 ms, TLS
  handshake 9.0 ms, waiting for an answer 6.0 ms, receiving 1.0 ms, decrypting
  12.0 ms, writing 1.0 ms.

hook bridge: start: exit status 3
eth1: no carrier
Mandos on attic: 192.0.2.7:4712 over eth0: Connection refused
Mandos on cellar: [fe80::1]:4711 over eth0: the password
)");
}

TEST_CASE("no line of a chart is longer than the terminal is wide") {
    Timeline run = example_timeline();
    run.attempts[0].server = "a server with quite a long name, and no end to it " + std::string(100, 'x');
    run.attempts[0].failure = "it said no, and " + std::string(300, 'y') + " again";
    const Chart chart = chart_of(run);
    for (std::size_t columns = 40; columns <= 200; ++columns)
        for (const bool utf8 : {false, true}) {
            const std::string text = text_chart(chart, {.columns = columns, .utf8 = utf8});
            for (const std::string_view line : base::split(text, '\n')) {
                CAPTURE(columns, line);
                CHECK(width(line) <= columns);
            }
        }
}

TEST_CASE("a chart for a terminal that is very narrow or very wide has a width that can be read") {
    CHECK(drawn({.columns = 0}) == drawn({.columns = 40}));
    CHECK(drawn({.columns = 10'000}) == drawn({.columns = 200}));
}

TEST_CASE("colours change nothing but colours") {
    std::string coloured = drawn({.columns = 80, .utf8 = true, .colour = true});
    CHECK(coloured.find("\x1b[32m") != std::string::npos);
    for (auto begin = coloured.find('\x1b'); begin != std::string::npos; begin = coloured.find('\x1b'))
        coloured.erase(begin, coloured.find('m', begin) + 1 - begin);
    std::string plain = drawn({.columns = 80, .utf8 = true});
    CHECK(coloured == plain);
}

TEST_CASE("a chart in ASCII is ASCII, whatever the names") {
    Timeline run = example_timeline();
    run.attempts[0].server = "Mändös";
    for (const char byte : text_chart(chart_of(run), {})) CHECK((byte & '\x80') == 0);
}

TEST_CASE("a run without anything to show is a headline and an axis") {
    const std::string text = text_chart(chart_of(failed_timeline()), {});
    CHECK(text.find("with status 69, without a password: no gpg\n") != std::string::npos);
    CHECK(text.find("100 ms") != std::string::npos);
}

TEST_CASE("the environment says what the terminal can show") {
    const auto style = [](std::vector<const char*> variables) {
        variables.push_back(nullptr);
        return text_style(variables.data());
    };
    CHECK_FALSE(style({}).utf8);
    CHECK(style({"LANG=de_DE.UTF-8"}).utf8);
    CHECK(style({"LANG=C", "LC_CTYPE=C.utf8@euro"}).utf8);
    CHECK_FALSE(style({"LC_ALL=C", "LC_CTYPE=C.UTF-8", "LANG=C.UTF-8"}).utf8);
    CHECK(style({"LC_ALL=", "LANG=C.UTF-8"}).utf8);
    CHECK_FALSE(style({"XLANG=C.UTF-8"}).utf8);
    CHECK(style({"TERM=linux"}).colour);
    CHECK(style({"TERM=linux", "NO_COLOR="}).colour);
    CHECK_FALSE(style({"TERM=linux", "NO_COLOR=1"}).colour);
    CHECK_FALSE(style({"TERM=dumb"}).colour);
    CHECK_FALSE(style({}).colour);
}
