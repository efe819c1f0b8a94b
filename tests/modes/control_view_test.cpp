// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/control_view.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "bootkey/base/text.hpp"

using namespace bootkey::modes;

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

std::string screen(const ControlView& view, ControlScreen size = {24, 80, noon + 10}) {
    std::string text;
    for (const std::string& line : view.draw(size)) text += line + "\n";
    return text;
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
    CHECK(has(text, "Mandos on x  [fe80::1]:4711 eth0  waiting     8 s        3      timed out\n"));
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
    for (int i = 0; i < 600; ++i)
        rows.push_back(server("h\xc3\xb6st " + std::to_string(i) + std::string(100, 'y'), "waiting", "e"));
    told.tell(with(rows, {"END"}));
    for (const std::size_t height : {0U, 1U, 2U, 5U, 10U, 24U, 60U, 300U})
        for (const std::size_t width : {1U, 5U, 20U, 80U, 300U}) {
            CAPTURE(height, width);
            const auto lines = told.view.draw({height, width, noon});
            CHECK(lines.size() <= std::max<std::size_t>(height, 4) - 1);
            for (std::string line : lines) {
                if (line.starts_with("\x1b[1m")) line = line.substr(4, line.size() - 8);
                CHECK(std::ranges::count_if(line, [](char byte) { return (byte & '\xc0') != '\x80'; }) <=
                      static_cast<std::ptrdiff_t>(width));
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
            if (line.starts_with("\x1b[1m")) line = line.substr(4, line.size() - 8);
            CHECK(bootkey::base::is_printable_utf8(line));
            CHECK_FALSE(has(line, "\xe2\x80\xae"));
        }
}
