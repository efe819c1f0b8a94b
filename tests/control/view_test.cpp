// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/control/view.hpp"

#include <algorithm>

#include "bootkey/base/text.hpp"
#include "bootkey/control/columns.hpp"
#include "catch.hpp"

using namespace bootkey::control;

namespace {

constexpr UnixTime noon = 1'700'006'400 / 86'400 * 86'400 + 43'200;

// A view that has been told `lines`, each as it comes from a server, and the news of the last one.
struct Told {
    explicit Told(const std::vector<std::string>& lines, std::int64_t offset = 0)
        : view("unix:/run/m", "bootkey --control", offset) {
        static_cast<void>(view.first_commands());
        tell(lines);
    }
    void tell(const std::vector<std::string>& lines) {
        for (const std::string& line : lines)
            news =
                view.take({line.starts_with('>') ? ControlLine::Kind::notification : ControlLine::Kind::reply, line});
    }
    ControlView view;
    ControlView::News news;
};

std::string at(UnixTime time) {
    return std::to_string(time);
}

// The replies to first_commands() of a server that has just begun.
std::vector<std::string> begun() {
    return {
        "SUCCESS: real-time state notification set to ON",
        at(noon) + ",CONNECTING,,,,,,",
        "END",
        "SUCCESS: real-time log notification set to ON",
        at(noon) + ",I,started",
        "END",
        "TITLE\tbootkey",
        "HEADER\tSERVER_LIST\tName\tAddress\tPort\tInterface\tPhase\tTries\tLast Error\tBytes Received\tSince (time_t)",
        "END"};
}

std::vector<std::string> with(std::vector<std::string> lines, const std::vector<std::string>& more) {
    lines.insert(lines.end(), more.begin(), more.end());
    return lines;
}

std::string server(const std::string& name, const std::string& phase, const std::string& error = "", int tries = 1) {
    return "SERVER_LIST\t" + name + "\tfe80::1\t4711\teth0\t" + phase + "\t" + std::to_string(tries) + "\t" + error +
           "\t0\t" + at(noon + 2);
}

std::string screen(const ControlView& view, const ControlScreen& size = {24, 80, noon + 10}) {
    std::string text;
    for (const std::string& line : view.draw(size)) text += line + "\n";
    return text;
}

// Without what makes the whole of it bold or reversed.
std::string plain(const std::string& line) {
    return line.starts_with('\x1b') ? line.substr(4, line.size() - 8) : line;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the screen shows state, servers, history and log") {
    Told told(with(begun(), {">STATE:" + at(noon + 3) + ",TCP_CONNECT,,,192.0.2.1,4711,,",
                             ">LOG:" + at(noon + 3) + ",W,careful"}));
    CHECK(told.view.next_commands() == "status 3\n");
    told.tell({"TITLE\tbootkey", server("Mandos on x", "waiting", "timed out", 3), "END"});
    const std::string text = screen(told.view);
    CAPTURE(text);
    CHECK(has(text, "bootkey at unix:/run/m"));
    CHECK(has(text, " 12:00:10\n"));
    CHECK(has(text, "\x1b[1mState   TCP_CONNECT (192.0.2.1:4711), for 7 s\x1b[0m\n"));
    CHECK(has(text, "Server       Phase"));
    CHECK(has(text,
              "Mandos on x  waits for approval; before: timed out              8 s        3\n  [fe80::1]:4711 eth0\n"));
    CHECK(has(text, "12:00:00  CONNECTING"));
    CHECK(has(text, "12:00:03  TCP_CONNECT   192.0.2.1:4711\n"));
    CHECK(has(text, "12:00:00  started\n"));
    CHECK(has(text, "12:00:03  warning: careful\n"));
}

TEST_CASE("times are local") {
    CHECK(Told(begun(), 3600).view.draw({24, 80, noon}).front().ends_with(" 13:00:00"));
    CHECK(Told(begun(), -13 * 3600).view.draw({24, 80, noon}).front().ends_with(" 23:00:00"));
}

TEST_CASE("the screen fits, whatever its size and however much there is to show") {
    Told told(begun());
    for (int i = 0; i < 300; ++i) {
        told.tell({">STATE:" + at(noon + i) + ",RECONNECTING,tls-error,,,,,",
                   ">LOG:" + at(noon) + ",,l" + std::string(500, 'x')});
        if (i < 50) told.tell({">NEED-OK:Need 'n" + std::to_string(i) + "' confirmation MSG:" + std::string(300, 'm')});
    }
    REQUIRE(told.view.next_commands() == "status 3\n");
    std::vector<std::string> rows;
    rows.reserve(600);
    for (int i = 0; i < 600; ++i)
        rows.push_back(server("h\xc3\xb6st \xe6\x97\xa5" + std::to_string(i) + std::string(100, 'y'), "waiting", "e"));
    told.tell(with(rows, {"END"}));
    for (const std::size_t height : {0U, 1U, 2U, 5U, 10U, 24U, 60U, 300U})
        for (const std::size_t width : {1U, 5U, 20U, 80U, 300U}) {
            CAPTURE(height, width);
            const auto lines = told.view.draw({height, width, noon});
            CHECK(lines.size() <= std::max<std::size_t>(height, 4) - 1);
            for (std::string line : lines) {
                line = plain(line);
                CHECK(columns_of(line) <= width);
                CHECK(bootkey::base::is_printable_utf8(line));
            }
        }
}

TEST_CASE("a person is told what they are waited for, and how to answer") {
    Told told({">HOLD:Waiting for hold release:0"});
    CHECK(told.news == ControlView::News{"wanted: held: bootkey --control hold release"});
    told.tell(begun());
    CHECK(has(screen(told.view), "hold release"));
    told.tell({">PASSWORD:Need 'Disk' password"});
    CHECK(told.news == ControlView::News{"wanted: password 'Disk': bootkey --control password 'Disk'"});
    told.tell({">STATE:" + at(noon) + ",RESOLVE,,,,,,"});
    CHECK_FALSE(has(screen(told.view), "hold release"));
    CHECK(has(screen(told.view), "password 'Disk'"));
    told.tell({">NEED-OK:Need 'release-password' confirmation MSG:hand it over?"});
    CHECK(told.news == ControlView::News{"wanted: hand it over?: bootkey --control needok 'release-password' ok"});
    told.tell({">PASSWORD:Verification Failed: 'Disk'"});
    CHECK(told.news == ControlView::News{"Verification Failed: 'Disk'"});
    told.tell({">STATE:" + at(noon) + ",CONNECTED,SUCCESS,,192.0.2.1,4711,,"});
    CHECK_FALSE(has(screen(told.view), "Wanted"));
}

TEST_CASE("what is no longer needed is no longer shown as wanted") {
    Told told(with(begun(), {">HOLD:Waiting for hold release:0", ">PASSWORD:Need 'Disk' password",
                             ">NEED-OK:Need 'release-password' confirmation MSG:server has sent a password"}));
    told.tell({">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info"});
    CHECK(told.news.empty());
    CHECK(screen(told.view).find("password 'Disk'") != std::string::npos);
    told.tell({">INFO:'Disk' password is no longer needed"});
    CHECK(told.news == ControlView::News{"'Disk' password is no longer needed"});
    told.tell({">INFO:The hold is over"});
    CHECK(screen(told.view).find("password 'Disk'") == std::string::npos);
    CHECK(screen(told.view).find("held") == std::string::npos);
    CHECK(screen(told.view).find("release-password") != std::string::npos);
    told.tell({">INFO:'release-password' confirmation is no longer needed"});
    CHECK(screen(told.view).find("release-password") == std::string::npos);
    told.tell({">INFO:'release-password' confirmation is no longer needed"});
    CHECK(told.news.empty());
}

TEST_CASE("what is new is told in lines, and only once") {
    Told told(begun());
    told.tell({">STATE:" + at(noon + 1) + ",ASSIGN_IP,,192.0.2.7,,,,"});
    CHECK(told.news == ControlView::News{"12:00:01 state: ASSIGN_IP (192.0.2.7)"});
    told.tell({">LOG:" + at(noon + 1) + ",N,broken, in a way"});
    CHECK(told.news == ControlView::News{"12:00:01 log: error: broken, in a way"});
    told.tell({">FATAL:no key"});
    CHECK(told.news == ControlView::News{"fatal: no key"});
    for (const char* own :
         {"MANAGEMENT: CMD 'status 3'", "MANAGEMENT: >STATE:1,WAIT", "management client 2: status 3"}) {
        told.tell({">LOG:" + at(noon) + ",D," + own});
        CHECK(told.news.empty());
    }
    const auto asked = [&](const std::vector<std::string>& rows) {
        REQUIRE(told.view.next_commands() == "status 3\n");
        CHECK(told.view.next_commands().empty());  // the last one is not answered
        told.tell(with(rows, {"END"}));
        return told.news;
    };
    CHECK(asked({server("a", "connecting")}) ==
          ControlView::News{"12:00:02 server a, [fe80::1]:4711 eth0: connecting"});
    CHECK(asked({server("a", "connecting", "", 2)}).empty());
    CHECK(asked({server("a", "waiting", "refused")}) ==
          ControlView::News{"12:00:02 server a, [fe80::1]:4711 eth0: waiting, last error: refused"});
    CHECK(asked({}) == ControlView::News{"server a, [fe80::1]:4711 eth0: gone"});
}

TEST_CASE("a program without servers is not asked for them again") {
    Told told({"SUCCESS: on", at(noon) + ",WAIT,,,,,,", "END", "SUCCESS: on", "END", "OpenVPN STATISTICS", "END"});
    CHECK(told.view.next_commands().empty());
    Told refusing({"SUCCESS: on", "END", "ERROR: no log",
                   "ERROR: The 'status' command is not supported by the current daemon mode"});
    CHECK(refusing.view.next_commands().empty());
    CHECK(refusing.view.last_state() == "no state");
    CHECK_FALSE(refusing.view.over());
}

TEST_CASE("the state that ends it is known") {
    Told told(with(begun(), {">STATE:" + at(noon) + ",CONNECTED,SUCCESS,,2001:db8::1,4711,,"}));
    CHECK(told.view.last_state() == "CONNECTED (SUCCESS, [2001:db8::1]:4711)");
    CHECK_FALSE(told.view.over());
    told.tell({">STATE:" + at(noon) + ",EXITING,SIGTERM,,,,,"});
    CHECK(told.view.last_state() == "EXITING (SIGTERM)");
    CHECK(told.view.over());
}

TEST_CASE("nothing from the server can do anything on the terminal") {
    const std::string evil = "\x1b[2J\x07\xe2\x80\xae\xff";
    Told told(with(begun(), {}));
    std::vector<ControlView::News> all;
    const std::vector<std::string> lines = {
        ">STATE:" + evil + "," + evil + "," + evil + "," + evil + "," + evil + "," + evil,
        ">LOG:" + evil + "," + evil + "," + evil,
        ">FATAL:" + evil,
        ">PASSWORD:Need '" + evil + "' password",
        ">PASSWORD:" + evil,
        ">NEED-OK:Need '" + evil + "' MSG:" + evil,
        ">NEED-OK:Need '",
        ">STATE:",
        ">LOG:",
        ">",
        "> :",
        ">" + evil + ":" + evil};
    for (const std::string& line : lines) {
        told.tell({line});
        all.push_back(told.news);
    }
    REQUIRE(told.view.next_commands() == "status 3\n");
    told.tell({"SERVER_LIST\t" + evil + "\t" + evil + "\t" + evil + "\t" + evil + "\t" + evil,
               "HEADER\tSERVER_LIST\t" + evil, "END"});
    all.push_back(told.news);
    all.push_back(told.view.draw({50, 200, noon}));
    for (const auto& news : all)
        for (std::string line : news) {
            CAPTURE(line);
            line = plain(line);
            CHECK(bootkey::base::is_printable_utf8(line));
            CHECK_FALSE(has(line, "\xe2\x80\xae"));
        }
}

TEST_CASE("what a person has to type is whole, on lines of its own") {
    Told told(with(begun(), {">NEED-OK:Need 'release-password' confirmation MSG:Mandos on server0 has sent a password; "
                             "unlock with it?"}));
    CHECK(has(screen(told.view),
              "\x1b[1mWanted  Mandos on server0 has sent a password; unlock with it?\x1b[0m\n"
              "\x1b[1m        bootkey --control needok 'release-password' ok\x1b[0m\n"));
    const auto lines = told.view.draw({24, 40, noon});
    std::string all;
    for (const std::string& line : lines) all += plain(line);
    CHECK(has(all, "bootkey --control needok 'release-password' ok"));
    CHECK(has(all, "Wanted  Mandos on server0 has sent a"));
}

TEST_CASE("servers that are furthest stand first, and what they do is said in words") {
    Told told(with(begun(), {">STATE:" + at(noon + 5) + ",WAIT,until " + at(noon + 18) + ",,,,,"}));
    REQUIRE(told.view.next_commands() == "status 3\n");
    told.tell({server("a", "failed", "refused"), server("b", "connecting"), server("c", "waiting"),
               server("d", "answered"), server("e", "rejected", "no key"), server("f", "curious"), "END"});
    const std::string text = screen(told.view, {40, 120, noon + 10});
    CAPTURE(text);
    std::size_t last = 0;
    for (const char* row : {"\nd       has answered", "\nc       waits for approval", "\nb       connecting",
                            "\ne       wrong answer, again in 8 s: no key", "\na       failed, again in 8 s: refused",
                            "\nf       curious"}) {
        const auto place = text.find(row);
        CAPTURE(row);
        REQUIRE(place != std::string::npos);
        CHECK(place > last);
        last = place;
    }
    CHECK(has(text, "State   WAIT (again in 8 s), for 5 s"));
    CHECK(has(text, "WAIT          until 12:00:18"));
    CHECK_FALSE(has(text, at(noon + 18)));
    CHECK(has(screen(told.view, {40, 120, noon + 3}), "no answer yet"));
}

TEST_CASE("the log has lines on a small screen, too, beside what is wanted") {
    Told told(begun());
    told.tell(
        {">PASSWORD:Need 'Disk' password",
         ">NEED-OK:Need 'release-password' confirmation MSG:Mandos on server0 has sent a password; unlock with it?",
         ">LOG:" + at(noon) + ",,a word"});
    const std::string text = screen(told.view, {12, 40, noon + 1});
    CAPTURE(text);
    CHECK(has(text, "bootkey --control password 'Disk'"));
    CHECK(has(text, "12:00:00  a word\n"));
}

TEST_CASE("a look at once shows the state, what is wanted and all servers") {
    ControlView view("unix:/run/m", "bootkey --control", 0);
    CHECK(view.overview_commands() == "state\nstatus 3\n");
    const auto take = [&](const std::string& line) {
        const auto kind = line.starts_with('>') ? ControlLine::Kind::notification : ControlLine::Kind::reply;
        static_cast<void>(view.take({kind, line}));
    };
    for (const std::string& line :
         {std::string(">HOLD:Waiting for hold release:0"), at(noon) + ",CONNECTING,,,,,,", std::string("END")})
        take(line);
    CHECK_FALSE(view.is_answered());
    CHECK_FALSE(view.knows_servers());
    take(
        "HEADER\tSERVER_LIST\tName\tAddress\tPort\tInterface\tPhase\tTries\tLast Error\tBytes Received\tSince "
        "(time_t)");
    for (int i = 0; i < 40; ++i) take(server("s" + std::to_string(i), i == 39 ? "waiting" : "failed", "timed out"));
    take("END");
    CHECK(view.is_answered());
    CHECK(view.knows_servers());
    std::string text;
    ControlScreen screen{24, 80, noon + 10};
    screen.has_bold = false;
    for (const std::string& line : view.overview(screen)) text += line + "\n";
    CAPTURE(text);
    CHECK(has(text, "\nState   CONNECTING, for 10 s\nWanted  held\n        bootkey --control hold release\n"));
    CHECK(has(text, "\ns39     waits for approval; before: timed out"));
    CHECK(has(text, "\ns38     failed: timed out"));
    CHECK_FALSE(has(text, "Log"));
    CHECK_FALSE(has(text, "\x1b"));
}

TEST_CASE("many servers leave room for states and log") {
    Told told(with(begun(), {">PASSWORD:Need 'Disk' password"}));
    REQUIRE(told.view.next_commands() == "status 3\n");
    std::vector<std::string> rows;
    rows.reserve(30);
    for (int i = 0; i < 30; ++i) rows.push_back(server("server " + std::to_string(i), "failed", "refused"));
    told.tell(with(rows, {"END"}));
    for (const std::size_t height : {18U, 25U, 43U}) {
        const std::string text = screen(told.view, {height, 80, noon + 10});
        CAPTURE(text);
        CHECK(has(text, "\nserver 0 "));
        CHECK((has(text, " more\n") || has(text, "server 29")));
        CHECK(has(text, "\nStates\n"));
        CHECK(has(text, "\nLog\n12:00:00  started\n"));
    }
}

TEST_CASE("keys are commands of the protocol") {
    Told told(with(begun(), {">HOLD:Waiting for hold release:0"}));
    CHECK(told.view.press(ControlKey::hold) == "hold release\n");
    told.tell({"SUCCESS: hold release succeeded"});
    CHECK(has(screen(told.view, {24, 80, noon, true}), "\nhold release succeeded\n"));
    told.tell({">INFO:The hold is over"});
    CHECK(told.view.press(ControlKey::hold) == "hold\n");
    told.tell({"SUCCESS: hold=0"});
    CHECK(told.view.take_commands() == "hold on\n");
    CHECK(told.view.take_commands().empty());
    told.tell({"SUCCESS: hold flag set to ON"});
    CHECK(told.view.press(ControlKey::hold) == "hold\n");
    told.tell({"SUCCESS: hold=1"});
    CHECK(told.view.take_commands() == "hold off\n");
    told.tell({"SUCCESS: hold flag set to OFF"});

    const auto verb = [&](ControlKey key, const std::string& now) {
        CHECK(told.view.press(key) == "verb\n");
        told.tell({now});
        std::string commands = told.view.take_commands();
        if (!commands.empty()) told.tell({"SUCCESS: verb level changed"});
        return commands;
    };
    CHECK(verb(ControlKey::more_log, "SUCCESS: verb=3") == "verb 4\n");
    CHECK(verb(ControlKey::less_log, "SUCCESS: verb=3") == "verb 2\n");
    CHECK(verb(ControlKey::less_log, "SUCCESS: verb=0") == "verb 0\n");
    CHECK(verb(ControlKey::more_log, "SUCCESS: verb=15") == "verb 15\n");
    CHECK(verb(ControlKey::more_log, "ERROR: no verb").empty());
    CHECK(has(screen(told.view, {24, 80, noon, true}), "\nERROR: no verb\n"));
    CHECK(told.view.next_commands() == "status 3\n");  // replies and questions are still in step
    told.tell({server("a", "waiting"), "END"});
    CHECK(has(screen(told.view), "\na "));
}

TEST_CASE("the marked server is dropped, or else the first one") {
    Told told(begun());
    CHECK(told.view.press(ControlKey::kill).empty());
    CHECK(has(screen(told.view, {24, 80, noon, true}), "there is no server to drop"));
    REQUIRE(told.view.next_commands() == "status 3\n");
    told.tell({"SERVER_LIST\tfar one\t192.0.2.7\t4711\t\tfailed\t1\t\t0\t0", server("near", "waiting"),
               "SERVER_LIST\tnew \"one\"\t\t\t\tfailed\t1\t\t0\t0", "END"});
    CHECK(told.view.press(ControlKey::kill) == "kill [fe80::1%eth0]:4711\n");
    told.tell({"ERROR: not found"});
    for (const char* command : {"kill [fe80::1%eth0]:4711\n", "kill 192.0.2.7:4711\n", "kill \"new \\\"one\\\"\"\n",
                                "kill [fe80::1%eth0]:4711\n"}) {
        CHECK(told.view.press(ControlKey::next_server).empty());
        CHECK(told.view.press(ControlKey::kill) == command);
        told.tell({"SUCCESS: killed"});
    }
    CHECK(told.view.press(ControlKey::previous_server).empty());
    CHECK(has(screen(told.view), "\x1b[7mnew \"one\""));
}

TEST_CASE("the password that is typed is the disk's, if that is asked for") {
    Told told(begun());
    CHECK_FALSE(told.view.wanted_password());
    told.tell({">PASSWORD:Need 'Auth' username/password"});
    CHECK_FALSE(told.view.wanted_password());
    told.tell({">PASSWORD:Need 'Private Key' password"});
    CHECK(told.view.wanted_password() == "Private Key");
    told.tell({">PASSWORD:Need 'Disk' password"});
    CHECK(told.view.wanted_password() == "Disk");
    told.view.password_sent();
    told.tell({"SUCCESS: 'Disk' password entered, but not yet verified"});
    CHECK(has(screen(told.view, {24, 80, noon, true}), "\n'Disk' password entered, but not yet verified\n"));
    CHECK(has(screen(told.view, {24, 80, noon, true, "Password: "}), "\nPassword: \n"));
    CHECK(told.view.press(ControlKey::help).empty());
    CHECK(has(screen(told.view), "\nKeys\n"));
    CHECK(told.view.press(ControlKey::help).empty());
    CHECK_FALSE(has(screen(told.view), "\nKeys\n"));
}
