// SPDX-License-Identifier: GPL-3.0-or-later
//
// What one client is told, command by command. The replies are those of OpenVPN 2.6.14, but where bootkey means
// something else or refuses what OpenVPN takes for 0.
#include "bootkey/management/interface.hpp"

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "management/world.hpp"

using namespace bootkey;
using management::testing::banner;
using management::testing::World;
using Texts = std::vector<std::string>;
using namespace std::chrono_literals;

namespace {

struct Exchange {
    std::string command;
    std::string reply;
    Texts orders = {};
};

}  // namespace

TEST_CASE("each command is answered as by OpenVPN") {
    World world;
    world.log.set_level(1);
    CHECK(world.connect(1) == banner);
    const auto [command, reply, orders] = GENERATE(values<Exchange>({
        {"auth-retry", "SUCCESS: auth-retry=interact\r\n"},
        {"auth-retry none", "SUCCESS: auth-retry parameter changed\r\n", {"auth-retry 0"}},
        {"auth-retry nointeract", "SUCCESS: auth-retry parameter changed\r\n", {"auth-retry 1"}},
        {"auth-retry interact", "SUCCESS: auth-retry parameter changed\r\n", {"auth-retry 2"}},
        {"auth-retry x", "ERROR: bad auth-retry parameter\r\n"},
        {"bytecount", "ERROR: the 'bytecount' command requires 1 parameter\r\n"},
        {"bytecount 1", "SUCCESS: bytecount interval changed\r\n"},
        {"bytecount 0", "SUCCESS: bytecount interval changed\r\n"},
        {"bytecount -1", "ERROR: bytecount interval is out of range\r\n"},
        {"bytecount 1x", "ERROR: bytecount interval is out of range\r\n"},
        {"echo", "ERROR: the 'echo' command requires at least 1 parameter\r\n"},
        {"echo on", "SUCCESS: real-time echo notification set to ON\r\n"},
        {"echo off", "SUCCESS: real-time echo notification set to OFF\r\n"},
        {"echo all", "END\r\n"},
        {"echo x", "ERROR: echo parameter must be 'on' or 'off' or some number n or 'all'\r\n"},
        {"forget-passwords", "SUCCESS: Passwords were forgotten\r\n", {"forget passwords"}},
        {"forget-passwords x", "SUCCESS: Passwords were forgotten\r\n", {"forget passwords"}},
        {"hold", "SUCCESS: hold=0\r\n"},
        {"hold on off", "SUCCESS: hold flag set to ON\r\n"},
        {"hold off", "SUCCESS: hold flag set to OFF\r\n"},
        {"hold release", "SUCCESS: hold release succeeded\r\n"},
        {"hold x", "ERROR: bad hold command parameter\r\n"},
        {"kill", "ERROR: the 'kill' command requires 1 parameter\r\n"},
        {"kill foo", "ERROR: common name 'foo' not found\r\n", {"kill foo"}},
        {"kill \"Mandos: a\"", "ERROR: common name 'Mandos: a' not found\r\n", {"kill Mandos: a"}},
        {"kill 1.2.3.4", "ERROR: common name '1.2.3.4' not found\r\n", {"kill 1.2.3.4"}},
        {"kill 1.2.3.4:5", "ERROR: client at address 1.2.3.4:5 not found\r\n", {"kill 1.2.3.4 5", "kill 1.2.3.4:5"}},
        {"kill 2001:db8::1:5",
         "ERROR: client at address 2001:db8::1:5 not found\r\n",
         {"kill 2001:db8::1 5", "kill 2001:db8::1:5"}},
        {"kill [2001:db8::1]:5",
         "ERROR: client at address 2001:db8::1:5 not found\r\n",
         {"kill 2001:db8::1 5", "kill [2001:db8::1]:5"}},
        {"kill [fe80::1%2]:5",
         "ERROR: client at address fe80::1%2:5 not found\r\n",
         {"kill fe80::1%2 5", "kill [fe80::1%2]:5"}},
        {"kill fe80::1%eth0:5",
         "ERROR: client at address fe80::1%eth0:5 not found\r\n",
         {"kill fe80::1%eth0 5", "kill fe80::1%eth0:5"}},
        {"kill [fe80::1%]:5", "ERROR: common name '[fe80::1%]:5' not found\r\n", {"kill [fe80::1%]:5"}},
        {"kill 1.2.3.4%2:5", "ERROR: common name '1.2.3.4%2:5' not found\r\n", {"kill 1.2.3.4%2:5"}},
        {"kill 1.2.3.4:x", "ERROR: port number is out of range: x\r\n", {"kill 1.2.3.4:x"}},
        {"kill 1.2.3.4:70000", "ERROR: port number is out of range: 70000\r\n", {"kill 1.2.3.4:70000"}},
        {"load-stats", "SUCCESS: nclients=2,bytesin=1234,bytesout=56\r\n"},
        {"log", "ERROR: the 'log' command requires at least 1 parameter\r\n"},
        {"log on", "SUCCESS: real-time log notification set to ON\r\n"},
        {"log off", "SUCCESS: real-time log notification set to OFF\r\n"},
        {"log 0", "ERROR: log parameter must be 'on' or 'off' or some number n or 'all'\r\n"},
        {"log x y", "ERROR: log parameter must be 'on' or 'off' or some number n or 'all'\r\n"},
        {"mute", "SUCCESS: mute=0\r\n"},
        {"mute 40", "SUCCESS: mute level changed\r\n", {"mute 40"}},
        {"mute -1", "ERROR: mute level is out of range\r\n"},
        {"mute x", "ERROR: mute level is out of range\r\n"},
        {"needok", "ERROR: the 'needok' command requires 2 parameters\r\n"},
        {"needok a", "ERROR: the 'needok' command requires 2 parameters\r\n"},
        {"needok a b", "ERROR: no needok-confirmation is currently needed at this time\r\n"},
        {"needstr a", "ERROR: the 'needstr' command requires 2 parameters\r\n"},
        {"needstr a b", "ERROR: no needstr-string is currently needed at this time\r\n"},
        {"net", "lo: up, loopback\r\n127.0.0.1/8 on lo\r\nEND\r\n"},
        {"password", "ERROR: the 'password' command requires 2 parameters\r\n"},
        {"password x", "ERROR: the 'password' command requires 2 parameters\r\n"},
        {"password Auth foo", "ERROR: no password is currently needed at this time\r\n"},
        {"pid", "SUCCESS: pid=0\r\n"},
        {"pid x", "SUCCESS: pid=0\r\n"},
        {"signal", "ERROR: the 'signal' command requires 1 parameter\r\n"},
        {"signal SIGHUP", "SUCCESS: signal SIGHUP thrown\r\n", {"signal 1"}},
        {"signal SIGTERM", "SUCCESS: signal SIGTERM thrown\r\n", {"signal 15"}},
        {"signal SIGUSR1", "SUCCESS: signal SIGUSR1 thrown\r\n", {"signal 10"}},
        {"signal \"SIGUSR2\"", "SUCCESS: signal SIGUSR2 thrown\r\n", {"signal 12"}},
        {"signal USR1", "ERROR: signal 'USR1' is not a known signal type\r\n"},
        {"signal 'z\\q'", "ERROR: signal 'z\\q' is not a known signal type\r\n"},
        {"signal \"it's\"", "ERROR: signal 'it's' is not a known signal type\r\n"},
        {"kill 'z\\q'", "ERROR: common name 'z\\q' not found\r\n", {"kill z\\q"}},
        {"kill \"1.2.3.4:it's\"", "ERROR: port number is out of range: it's\r\n", {"kill 1.2.3.4:it's"}},
        {"'z\\q'", "ERROR: unknown command [z\\q], enter 'help' for more options\r\n"},
        {"'a\tb'", "ERROR: unknown command [a\\x09b], enter 'help' for more options\r\n"},
        {"signal sigusr1", "ERROR: signal 'sigusr1' is not a known signal type\r\n"},
        {"state", "1000,CONNECTING,,,,,,\r\nEND\r\n"},
        {"state on", "SUCCESS: real-time state notification set to ON\r\n"},
        {"state off", "SUCCESS: real-time state notification set to OFF\r\n"},
        {"state 3", "1000,CONNECTING,,,,,,\r\nEND\r\n"},
        {"state on all", "SUCCESS: real-time state notification set to ON\r\n1000,CONNECTING,,,,,,\r\nEND\r\n"},
        {"state all on", "1000,CONNECTING,,,,,,\r\nEND\r\nSUCCESS: real-time state notification set to ON\r\n"},
        {"state on 3", "SUCCESS: real-time state notification set to ON\r\n1000,CONNECTING,,,,,,\r\nEND\r\n"},
        {"state 3x", "ERROR: state parameter must be 'on' or 'off' or some number n or 'all'\r\n"},
        {"state -1", "ERROR: state parameter must be 'on' or 'off' or some number n or 'all'\r\n"},
        {"state 99999999999999999999", "ERROR: state parameter must be 'on' or 'off' or some number n or 'all'\r\n"},
        {"state on x", "ERROR: state parameter must be 'on' or 'off' or some number n or 'all'\r\n"},
        {"state on all x", "SUCCESS: real-time state notification set to ON\r\n1000,CONNECTING,,,,,,\r\nEND\r\n"},
        {"status 0", "ERROR: bad status format version number\r\n"},
        {"status 4", "ERROR: bad status format version number\r\n"},
        {"status x", "ERROR: bad status format version number\r\n"},
        {"status 2x", "ERROR: bad status format version number\r\n"},
        {"username Auth", "ERROR: the 'username' command requires 2 parameters\r\n"},
        {"username Auth foo", "ERROR: no username is currently needed at this time\r\n"},
        {"verb", "SUCCESS: verb=1\r\n"},
        {"verb 3", "SUCCESS: verb level changed\r\n", {"verb 3"}},
        {"verb 15", "SUCCESS: verb level changed\r\n", {"verb 15"}},
        {"verb 16", "ERROR: verb level is out of range\r\n"},
        {"verb -1", "ERROR: verb level is out of range\r\n"},
        {"verb x", "ERROR: verb level is out of range\r\n"},
        {"verb 3x", "ERROR: verb level is out of range\r\n"},
        {"version",
         "OpenVPN Version: OpenVPN 2.6.14 compatible; bootkey " BOOTKEY_VERSION "\r\nManagement Version: 5\r\nEND\r\n"},
        {"version 3", ""},
        {"version x", "ERROR: version is out of range\r\n"},
        {"", ""},
        {"# comment", ""},
        {"; comment", ""},
        {"hold # on", "SUCCESS: hold=0\r\n"},
        {"foo", "ERROR: unknown command [foo], enter 'help' for more options\r\n"},
        {"HELP", "ERROR: unknown command [HELP], enter 'help' for more options\r\n"},
        {"\"\" x", "ERROR: unknown command [], enter 'help' for more options\r\n"},
        {"\"foo", "ERROR: Options error: No closing quotation (\") in MANAGEMENT:0\r\n"},
        {std::string(1025, 'x'), "ERROR: Options error: Line at MANAGEMENT:0 is too long (1024 chars max)\r\n"},
    }));
    CHECK(world.ask(1, command) == reply);
    CHECK(world.take_orders() == orders);
    CHECK(world.ask(1, "pid") == "SUCCESS: pid=0\r\n");
}

TEST_CASE("settings are shown and stay set") {
    management::Settings settings;
    settings.hold = true;
    settings.verb = 4;
    settings.mute = 7;
    settings.pid = 4711;
    World world(std::move(settings));
    world.connect(1);
    CHECK(world.ask(1, "hold") == "SUCCESS: hold=1\r\n");
    CHECK(world.ask(1, "verb") == "SUCCESS: verb=4\r\n");
    CHECK(world.ask(1, "mute") == "SUCCESS: mute=7\r\n");
    CHECK(world.ask(1, "pid") == "SUCCESS: pid=4711\r\n");
    CHECK(world.interface.hold_flag());
    for (const char* command : {"hold off", "verb 15", "mute 0", "auth-retry none"})
        CHECK(world.ask(1, command).starts_with("SUCCESS"));
    CHECK(world.ask(1, "hold") == "SUCCESS: hold=0\r\n");
    CHECK(world.ask(1, "verb") == "SUCCESS: verb=15\r\n");
    CHECK(world.ask(1, "mute") == "SUCCESS: mute=0\r\n");
    CHECK(world.ask(1, "auth-retry") == "SUCCESS: auth-retry=none\r\n");
    CHECK_FALSE(world.interface.hold_flag());
    CHECK(world.interface.auth_retry() == management::AuthRetry::none);
}

TEST_CASE("connections that are killed are counted") {
    World world;
    world.connect(1);
    world.killed = 2;
    CHECK(world.ask(1, "kill Mandos") == "SUCCESS: common name 'Mandos' found, 2 client(s) killed\r\n");
    CHECK(world.ask(1, "kill 1.2.3.4:5") == "SUCCESS: 2 client(s) at address 1.2.3.4:5 killed\r\n");
    CHECK(world.ask(1, "kill 1.2.3.4:x") == "SUCCESS: common name '1.2.3.4:x' found, 2 client(s) killed\r\n");
}

TEST_CASE("help has a heading, a line for each command, and an end") {
    World world;
    world.connect(1);
    const std::string help = world.ask(1, "help");
    const auto lines = base::split(help, '\n');
    CHECK(lines[0] == "Management Interface for bootkey " BOOTKEY_VERSION "\r");
    CHECK(lines[lines.size() - 2] == "END\r");
    std::size_t commands = 0;
    for (const char* command : {"auth-retry", "bytecount",  "echo",   "exit",  "forget-passwords", "help",     "hold",
                                "kill",       "load-stats", "log",    "mute",  "needok",           "needstr",  "net",
                                "password",   "pid",        "signal", "state", "status",           "username", "verb",
                                "version"}) {
        INFO(command);
        CHECK(std::count_if(lines.begin(), lines.end(),
                            [&](auto line) { return line.starts_with(std::string(command) + " "); }) == 1);
        ++commands;
    }
    CHECK(lines.size() == commands + 3);
    CHECK(help.find("also: quit") != std::string::npos);
    CHECK(lines.size() - 1 <= 24);  // rows of a terminal
    for (const auto line : lines) CHECK(base::trim(line).size() <= 80);
}

TEST_CASE("status shows statistics or servers") {
    World world;
    world.connect(1);
    world.servers.push_back({"Mandos", {}, 0, "eth0", "waiting", 3, "", 77, 5});
    const std::string statistics = world.ask(1, "status");
    CHECK(statistics.starts_with("OpenVPN STATISTICS\r\nUpdated,1970-01-01 00:16:40\r\n"));
    CHECK(statistics.ends_with(
        "\r\nTCP/UDP read bytes,1234\r\nTCP/UDP write bytes,56\r\nAuth read bytes,1234\r\nEND\r\n"));
    CHECK(world.ask(1, "status 1") == statistics);
    CHECK(world.ask(1, "status 2").ends_with("\r\nSERVER_LIST,Mandos,,,eth0,waiting,3,,77,5\r\nEND\r\n"));
    CHECK(world.ask(1, "status 3").ends_with("\r\nSERVER_LIST\tMandos\t\t\teth0\twaiting\t3\t\t77\t5\r\nEND\r\n"));
}

TEST_CASE("histories keep what happened before a client came") {
    management::Settings settings;
    settings.log_cache = 3;
    World world(std::move(settings));
    world.log.set_level(1);
    for (int i = 0; i < 5; ++i) world.log.info(1, "message " + std::to_string(i));
    world.log.warning("careful");
    world.log.fatal("over\r\n>FATAL:x");
    for (int i = 0; i < 200; ++i) world.interface.echoed("text " + std::to_string(i));
    world.unix_time = 2000;
    for (int i = 0; i < 200; ++i)
        world.interface.state_changed({.state = management::State::reconnecting, .description = std::to_string(i)});
    CHECK(world.connect(1) == banner);
    CHECK(world.ask(1, "log 2") == "1000,W,careful\r\n1000,F,over\\x0d\\x0a>FATAL:x\r\nEND\r\n");
    CHECK(world.ask(1, "log all") == "1000,I,message 4\r\n1000,W,careful\r\n1000,F,over\\x0d\\x0a>FATAL:x\r\nEND\r\n");
    const std::string echoes = world.ask(1, "echo all");
    CHECK(echoes.starts_with("1000,text 100\r\n1000,text 101\r\n"));
    CHECK(echoes.ends_with("1000,text 199\r\nEND\r\n"));
    CHECK(world.ask(1, "state 2") == "2000,RECONNECTING,198,,,,,\r\n2000,RECONNECTING,199,,,,,\r\nEND\r\n");
    CHECK(world.ask(1, "state") == "2000,RECONNECTING,199,,,,,\r\nEND\r\n");
    CHECK(std::count(echoes.begin(), echoes.end(), '\n') == 101);
    const std::string states = world.ask(1, "state all");
    CHECK(std::count(states.begin(), states.end(), '\n') == 101);
}

TEST_CASE("the log keeps as many lines as were asked for, and full histories take bounded memory") {
    management::Settings settings;
    settings.log_cache = GENERATE(std::size_t{250}, std::size_t{3000}, SIZE_MAX);
    const std::size_t lines = std::min<std::size_t>(settings.log_cache, 10'000);
    World world(std::move(settings));
    world.log.set_level(1);
    const std::string longest(100'000, '\x01');  // each byte is shown as four
    for (std::size_t i = 0; i < lines + 10; ++i)
        world.interface.logged({{}, 1, base::LogFlag::info, longest.substr(0, 400)});
    for (int i = 0; i < 150; ++i) {
        world.interface.echoed(longest);
        world.interface.state_changed(
            {.state = management::State::exiting, .description = std::to_string(i) + longest, .by = longest});
    }
    world.logged.clear();
    world.connect(1);
    const std::string log = world.ask(1, "log all");
    CHECK(static_cast<std::size_t>(std::count(log.begin(), log.end(), '\n')) == lines + 1);
    CHECK(log.size() < lines * 1200);
    CHECK(world.ask(1, "echo all").size() + world.ask(1, "state all").size() < 512 * 1024);
}

TEST_CASE("a state is told once") {
    World world;
    world.connect(1);
    world.ask(1, "state on");
    world.interface.state_changed({.state = management::State::connecting});
    CHECK(world.read(1).empty());
    world.interface.state_changed({.state = management::State::resolve});
    world.interface.state_changed({.state = management::State::resolve});
    CHECK(world.read(1) == ">STATE:1000,RESOLVE,,,,,,\r\n");
}

TEST_CASE("in a hold there is nothing to begin anew, as in OpenVPN's") {
    World world;
    world.connect(1);
    world.interface.hold();
    world.read(1);
    const std::string name = GENERATE("SIGHUP", "SIGUSR1");
    CHECK(world.ask(1, "signal " + name) == "ERROR: signal '" + name + "' is currently ignored\r\n");
    CHECK(world.take_orders().empty());
    CHECK(world.ask(1, "signal SIGTERM") == "SUCCESS: signal SIGTERM thrown\r\n");
    world.ask(1, "hold release");
    CHECK(world.ask(1, "signal " + name) == "SUCCESS: signal " + name + " thrown\r\n");
}

TEST_CASE("what follows a hold is told, even if the state is the same") {
    World world;
    world.connect(1);
    world.ask(1, "state on");
    world.interface.hold();
    world.read(1);
    world.unix_time = 2000;
    world.interface.hold_over();
    world.interface.state_changed({.state = management::State::connecting});
    CHECK(world.read(1) == ">INFO:The hold is over\r\n>STATE:2000,CONNECTING,,,,,,\r\n");
    CHECK(world.ask(1, "state all") == "1000,CONNECTING,,,,,,\r\n2000,CONNECTING,,,,,,\r\nEND\r\n");
    world.interface.hold_over();
    world.interface.state_changed({.state = management::State::connecting});
    CHECK(world.read(1).empty());
}

TEST_CASE("a client that is held is told so until it releases") {
    World world;
    world.connect(1);
    world.interface.hold();
    CHECK(world.read(1) == ">HOLD:Waiting for hold release:0\r\n");
    CHECK(world.connect(2) == std::string(banner) + ">HOLD:Waiting for hold release:0\r\n");
    CHECK(world.interface.holds());
    CHECK(world.ask(2, "hold release") == "SUCCESS: hold release succeeded\r\n");
    CHECK(world.take_orders() == Texts{"hold released"});
    CHECK(world.read(1) == ">INFO:The hold is over\r\n");
    CHECK_FALSE(world.interface.holds());
    CHECK(world.connect(3) == banner);
    CHECK(world.ask(3, "hold release") == "SUCCESS: hold release succeeded\r\n");
    CHECK(world.take_orders().empty());
    world.interface.hold();
    world.interface.hold_over();
    CHECK(world.connect(4) == banner);
}

TEST_CASE("a fatal error is told to everybody") {
    World world;
    world.connect(1);
    world.interface.fatal("no key\r\nEND");
    CHECK(world.read(1) == ">FATAL:no key\\x0d\\x0aEND\r\n");
}

TEST_CASE("bytes are counted for the client that wants it") {
    World world;
    world.connect(1);
    world.connect(2);
    CHECK_FALSE(world.interface.next_deadline());
    world.ask(1, "bytecount 5");
    CHECK(world.interface.next_deadline() == world.now + 5s);
    world.interface.run_due(world.now + 4s);
    CHECK(world.read(1).empty());
    world.interface.run_due(world.now + 5s);
    CHECK(world.read(1) == ">BYTECOUNT:1234,56\r\n");
    CHECK(world.interface.next_deadline() == world.now + 10s);
    world.interface.run_due(world.now + 60s);  // the clock stood still: once is enough
    CHECK(world.read(1) == ">BYTECOUNT:1234,56\r\n");
    CHECK(world.read(2).empty());
    world.ask(1, "bytecount 0");
    CHECK_FALSE(world.interface.next_deadline());
}

TEST_CASE("what the program says while it obeys comes after the reply") {
    World world;
    world.connect(1);
    world.ask(1, "state on");
    world.ask(1, "log on");
    world.on_signal = [&] {
        world.interface.state_changed({.state = management::State::reconnecting, .description = "SIGUSR1"});
        world.log.info(1, "trying all servers");
    };
    CHECK(world.ask(1, "signal SIGUSR1") ==
          "SUCCESS: signal SIGUSR1 thrown\r\n"
          ">LOG:1000,I,management client 1: signal SIGUSR1\r\n"
          ">STATE:1000,RECONNECTING,SIGUSR1,,,,,\r\n"
          ">LOG:1000,I,trying all servers\r\n");
}

TEST_CASE("a client that leaves gets what is due, and nothing it says later counts") {
    World world;
    world.connect(1);
    const char* command = GENERATE("exit", "quit");
    CHECK(world.ask(1, std::string("hold on\npid\n") + command + "\nverb 15\nsignal SIGTERM\n") ==
          "SUCCESS: hold flag set to ON\r\nSUCCESS: pid=0\r\n");
    CHECK(world.closed.contains(1));
    CHECK(world.take_orders().empty());
    world.interface.fatal("late");
    CHECK(world.read(1).empty());
    world.interface.client_left(1);
    CHECK(world.connect(2) == banner);
}

TEST_CASE("a long reply goes on as its client reads it, and nothing comes in between") {
    World world;
    world.connect(1);
    world.log.set_level(1);
    for (int i = 0; i < 250; ++i) world.log.info(1, std::to_string(i) + std::string(900, 'x'));
    world.ask(1, "log on");
    world.room[1] = 50'000;
    const std::string commands = "log all\npid\n";
    std::size_t used = world.send(1, commands);
    CHECK(used == 8);
    std::string together;
    for (int turn = 0; turn < 100 && used < commands.size(); ++turn) {
        CHECK(world.sent[1].size() < 100'000);
        world.log.info(1, "new " + std::to_string(turn));
        together += world.read(1);
        world.interface.drained(1);
        used += world.send(1, std::string_view(commands).substr(used));
    }
    together += world.read(1);
    const auto end = together.find("\r\nEND\r\n");
    REQUIRE(end != std::string::npos);
    CHECK(together.find(">LOG:1000,I,new 0\r\n") == end + 7);
    CHECK(together.find('>') == end + 7);
    CHECK(together.ends_with("\r\nSUCCESS: pid=0\r\n"));
    CHECK(together.find("1000,I,249x") < end);
    CHECK(together.find(",I,new") > end);
}

TEST_CASE("a client that does not read a long reply is dropped when too much waits behind it") {
    World world;
    world.connect(1);
    world.log.set_level(1);
    for (int i = 0; i < 250; ++i) world.log.info(1, std::string(900, 'x'));
    world.ask(1, "log on");
    world.room[1] = 10'000;
    world.send(1, "log all\n");
    for (int i = 0; i < 200; ++i) world.log.info(1, std::string(1000, 'y'));
    CHECK_FALSE(world.closed.contains(1));
    for (int i = 0; i < 100; ++i) world.log.info(1, std::string(1000, 'y'));
    CHECK(world.closed.contains(1));
    CHECK(world.sent[1].size() < 50'000);
    CHECK(world.send(1, "pid\n") == 4);
}
