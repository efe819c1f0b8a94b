// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether it is well-formed XML is seen by a parser, in tests/netns/timeline_test.py.
#include "bootkey/timeline/svg_chart.hpp"

#include "catch.hpp"
#include "timeline/example_timeline.hpp"

using namespace bootkey;
using namespace bootkey::timeline;
using namespace bootkey::timeline::tests;

namespace {

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t found = 0;
    for (auto place = text.find(what); place != std::string::npos; place = text.find(what, place + 1)) ++found;
    return found;
}

}  // namespace

TEST_CASE("the picture has every row, every bar with its times, and the way to the password") {
    const std::string picture = svg_chart(chart_of(example_timeline()));
    for (const char* label : {">hook bridge<", ">► eth0<", ">eth1<", ">Mandos on attic<", ">► Mandos on cellar<"})
        CHECK(count(picture, label) == 1);
    CHECK(count(picture, "<title>") == 1 + 2 + 4 + 1 + 5);  // the picture; hooks, interfaces, attempts
    CHECK(count(picture, "<title>TLS handshake: 9.0 ms, from 31.0 ms to 40.0 ms</title>") == 1);
    CHECK(count(picture, "class=\"cross\"") == 2);
    CHECK(count(picture, "class=\"way\"") == 1);
    CHECK(count(picture, "class=\"password\"") == 1);
    CHECK(count(picture, "prefers-color-scheme: dark") == 1);
    CHECK(count(picture, "The way to the password: ") == 1);
}

TEST_CASE("a run without a password is drawn without a way to it") {
    const std::string picture = svg_chart(chart_of(failed_timeline()));
    CHECK(count(picture, "class=\"way\"") == 0);
    CHECK(count(picture, "class=\"password\"") == 0);
    CHECK(count(picture, "The way to the password: ") == 0);
    CHECK(count(picture, "no gpg") == 2);  // the title and the headline
}

TEST_CASE("hostile names are text in the picture, and nothing else") {
    Timeline run = example_timeline();
    run.attempts[0].server = R"(<script>"x"&'y'</script>)";
    run.attempts[0].failure = "]]><b/>\x01\xef\xbf\xbf";
    const std::string picture = svg_chart(chart_of(run));
    CHECK(count(picture, "<script") == 0);
    CHECK(count(picture, "<b/>") == 0);
    CHECK(count(picture, "&lt;script&gt;&quot;x&quot;&amp;") == 1);
    CHECK(count(picture, "]]&gt;&lt;b/&gt;\\x01?") == 1);
}

TEST_CASE("text as XML wants it") {
    CHECK(xml_escaped("plain höst") == "plain höst");
    CHECK(xml_escaped("<&>\"'") == "&lt;&amp;&gt;&quot;&#39;");
    CHECK(xml_escaped(std::string("\0\x1b\xff", 3)) == "\\x00\\x1b\\xff");
    CHECK(xml_escaped("a\xef\xbf\xbe\xef\xbf\xbf") == "a??");
}
