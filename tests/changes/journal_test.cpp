// SPDX-License-Identifier: GPL-3.0-or-later
//
// The journal as a value: its text, who uses what, and what is to be undone in which order.
#include "bootkey/changes/journal.hpp"

#include <algorithm>
#include <random>

#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::changes;

namespace {

constexpr std::uint64_t here = 4026531840, elsewhere = 4026532000;
const Instance first{100, 1000}, second{200, 2000}, third{300, 3000};

base::IpAddress address(const char* text) {
    return base::IpAddress::parse(text).value();
}

Journal example() {
    Journal journal;
    journal.use(DadOff{3, 1}, here, first);
    journal.use(LinkUp{3, "eth0", 0, {address("192.0.2.1"), address("fe80::1")}}, here, first);
    journal.use(HostRoute{3, address("2001:db8::1")}, here, first);
    journal.use(ConsoleLowered{7}, 0, first);
    journal.use(DirectoryMade{"/run/bootkey/bootkey-home-0123456789abcdef"}, 0, first);
    return journal;
}

// The kinds of changes, as one letter each.
std::string kinds(const std::vector<Entry>& entries) {
    std::string text;
    for (const Entry& entry : entries) text += "ldrch"[entry.change.index()];
    return text;
}

auto is(const Instance& instance) {
    return [instance](const Instance& other) { return other == instance; };
}

}  // namespace

TEST_CASE("a journal's text is read back as it was") {
    Journal journal = example();
    journal.find(LinkUp{3, {}}, here)->users.insert(second);
    journal.use(LinkUp{4, "enp1s0", 9}, elsewhere, third);
    const std::string text = journal.text();
    CHECK(text ==
          "accept_dad 4026531840 100:1000 3 1\n"
          "link 4026531840 100:1000,200:2000 3 eth0 0 192.0.2.1,fe80::1\n"
          "route 4026531840 100:1000 3 2001:db8::1\n"
          "console 0 100:1000 7\n"
          "directory 0 100:1000 /run/bootkey/bootkey-home-0123456789abcdef\n"
          "link 4026532000 300:3000 4 enp1s0 9 -\n");
    CHECK(Journal::parse(text).entries() == journal.entries());
    CHECK(Journal::parse("").entries().empty());
}

TEST_CASE("lines that are not understood are left out, the others kept") {
    struct Row {
        const char* what;
        std::string text;
        const char* kept;
    };
    const Row rows[] = {
        {"no line end", "console 0 - 7", ""},
        {"cut off in the middle", "accept_dad 1 - 3 1\nconsole 0 100:1000 1", "d"},
        {"an empty line", "\nconsole 0 - 7\n\n", "c"},
        {"unknown kind", "teapot 0 - 7\nconsole 0 - 7\n", "c"},
        {"too few fields", "link 1 - 3 eth0 0\naccept_dad 1 - 3\nroute 1 - 3\nconsole 0 -\n", ""},
        {"too many fields", "console 0 - 7 7\n", ""},
        {"two blanks", "console  0 - 7\n", ""},
        {"bad namespace", "console x - 7\nconsole -1 - 7\nconsole 99999999999999999999 - 7\n", ""},
        {"bad users",
         "console 0 1 7\nconsole 0 1:2:3 7\nconsole 0 0:5 7\nconsole 0 -5:5 7\nconsole 0 1:2, 7\nconsole 0  7\n", ""},
        {"bad index", "accept_dad 1 - 0 1\naccept_dad 1 - 2147483648 1\naccept_dad 1 - -1 1\n", ""},
        {"bad value", "accept_dad 1 - 3 3\naccept_dad 1 - 3 on\n", ""},
        {"bad level", "console 0 - 0\nconsole 0 - 16\n", ""},
        {"bad address", "route 1 - 3 example.org\nlink 1 - 3 eth0 0 1.2.3\n", ""},
        {"relative path", "directory 0 - tmp/x\ndirectory 0 - \n", ""},
        {"no name", "link 1 - 3  0 -\n", ""},
        {"a name with a slash", "link 1 - 3 ../eth0 0 -\n", ""},
        {"a name that is too long", "link 1 - 3 sixteencharacter 0 -\n", ""},
        {"a name with a NUL", std::string("link 1 - 3 e\0h0 0 -\n", 20), ""},
        {"the same object twice", "console 0 - 7\nconsole 0 - 1\n", "c"},
        {"the same object in two namespaces", "accept_dad 1 - 3 1\naccept_dad 2 - 3 1\n", "dd"},
        {"bytes", std::string("\0\xff\x01 console\nconsole 0 - 7\n", 26), "c"},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        CHECK(kinds(Journal::parse(row.text).entries()) == row.kept);
    }
    CHECK(std::get<ConsoleLowered>(Journal::parse("console 0 - 7\nconsole 0 - 1\n").entries()[0].change).old_level ==
          7);
}

TEST_CASE("cut after any byte, no entry is read otherwise than it was written") {
    const Journal journal = example();
    const std::string text = journal.text();
    for (std::size_t size = 0; size <= text.size(); ++size) {
        const auto found = Journal::parse(text.substr(0, size)).entries();
        REQUIRE(found.size() <= journal.entries().size());
        CHECK(std::equal(found.begin(), found.end(), journal.entries().begin()));
    }
}

TEST_CASE("changed bytes give some journal, which writes and reads itself") {
    const std::string text = example().text();
    std::mt19937 random(2);  // the same each time
    for (int round = 0; round < 5000; ++round) {
        std::string changed = text;
        for (auto changes = random() % 6; changes > 0; --changes)
            changed[random() % changed.size()] = static_cast<char>(random());
        const Journal journal = Journal::parse(changed);
        CHECK(Journal::parse(journal.text()).entries() == journal.entries());
    }
}

TEST_CASE(
    "a change that has to be made again is recorded anew, as the newest, for those who relied on it before as well") {
    Journal journal;
    journal.use(ConsoleLowered{7}, 0, first);
    journal.use(LinkUp{3, "eth0", 0}, here, first);
    journal.use(ConsoleLowered{8}, 0, second);
    REQUIRE(journal.entries().size() == 2);
    CHECK(journal.entries()[0] == Entry{LinkUp{3, "eth0", 0}, here, {first}});
    CHECK(journal.entries()[1] == Entry{ConsoleLowered{8}, 0, {first, second}});
    REQUIRE(journal.find(ConsoleLowered{}, 0) != nullptr);
    CHECK(journal.find(LinkUp{3, "", 0}, elsewhere) == nullptr);
    CHECK(journal.find(LinkUp{4, "", 0}, here) == nullptr);
    CHECK(journal.find(DadOff{3}, here) == nullptr);
}

TEST_CASE("what nobody uses is undone, newest first") {
    Journal journal = example();
    journal.use(DadOff{3}, here, second);
    journal.use(LinkUp{3, "eth0", 0}, here, second);
    CHECK(kinds(journal.unused(here)) == "");
    journal.drop_users(here, is(first));
    CHECK(kinds(journal.unused(here)) == "hcr");
    for (const Entry& entry : journal.unused(here)) journal.remove(entry);
    CHECK_FALSE(journal.empty());
    journal.drop_users(here, is(second));
    CHECK(kinds(journal.unused(here)) == "ld");
    for (const Entry& entry : journal.unused(here)) journal.remove(entry);
    CHECK(journal.empty());
}

TEST_CASE("another namespace's entries are neither dropped nor undone") {
    Journal journal = example();
    journal.use(LinkUp{3, "eth0", 0}, elsewhere, first);
    journal.drop_users(elsewhere, is(first));
    CHECK(kinds(journal.unused(elsewhere)) == "lhc");  // the console and directories are nobody's in particular
    CHECK(kinds(journal.unused(here)) == "hc");
    REQUIRE(journal.find(LinkUp{3, "", 0}, here) != nullptr);
    CHECK(journal.find(LinkUp{3, "", 0}, here)->users.size() == 1);
}

TEST_CASE("the journal of a machine whose namespaces come and go does not grow without end") {
    Journal journal;
    for (std::uint32_t i = 1; i <= 3000; ++i) journal.use(LinkUp{3, "eth0", 0}, 1'000'000 + i, first);
    journal.use(LinkUp{3, "eth0", 0}, here, first);
    CHECK(journal.entries().size() == 1000);
    CHECK(journal.find(LinkUp{3, "", 0}, here) != nullptr);
    CHECK(journal.find(LinkUp{3, "", 0}, 1'003'000) != nullptr);
    CHECK(journal.find(LinkUp{3, "", 0}, 1'000'001) == nullptr);
    CHECK(journal.text().size() < 256 * 1024);
}
