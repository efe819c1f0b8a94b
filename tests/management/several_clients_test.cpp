// SPDX-License-Identifier: GPL-3.0-or-later
//
// What clients of one Interface share and what not, and the password at the door.
#include <csignal>
#include <string>
#include <vector>

#include "bootkey/management/interface.hpp"
#include "bootkey/management/login.hpp"
#include "management/world.hpp"

using namespace bootkey;
using management::testing::banner;
using management::testing::secret;
using management::testing::World;
using Texts = std::vector<std::string>;

namespace {

management::Settings with_password() {
    management::Settings settings;
    settings.password = secret("geheim");
    return settings;
}

}  // namespace

TEST_CASE("each client has its own switches, and all share the rest") {
    World world;
    world.connect(1);
    world.connect(2);
    world.ask(1, "state on");
    world.ask(2, "echo on");
    world.interface.state_changed({.state = management::State::resolve});
    world.interface.echoed("a");
    CHECK(world.read(1) == ">STATE:1000,RESOLVE,,,,,,\r\n");
    CHECK(world.read(2) == ">ECHO:1000,a\r\n");
    world.ask(1, "verb 4");
    world.ask(1, "hold on");
    CHECK(world.ask(2, "verb") == "SUCCESS: verb=4\r\n");
    CHECK(world.ask(2, "hold") == "SUCCESS: hold=1\r\n");
    CHECK(world.ask(2, "state all") == world.ask(1, "state all"));
}

TEST_CASE("lines of several clients do not mix") {
    World world;
    world.connect(1);
    world.connect(2);
    world.send(1, "ver");
    world.send(2, "mu");
    CHECK(world.ask(1, "b") == "SUCCESS: verb=1\r\n");
    CHECK(world.ask(2, "te") == "SUCCESS: mute=0\r\n");
}

TEST_CASE("a client's number without a client is no error") {
    World world;
    CHECK(world.send(7, "pid\n") == 4);
    world.interface.drained(7);
    world.interface.client_left(7);
    CHECK(world.sent.empty());
}

TEST_CASE("with --management-signal the last client to leave throws SIGUSR1") {
    const bool signal = GENERATE(false, true);
    management::Settings settings;
    settings.signal = signal;
    World world(std::move(settings));
    world.connect(1);
    world.connect(2);
    world.interface.client_left(1);
    CHECK(world.take_orders().empty());
    world.interface.client_left(2);
    CHECK(world.take_orders() == (signal ? Texts{"signal 10"} : Texts{}));
}

TEST_CASE("clients that are not let in do not count as the last to leave") {
    auto settings = with_password();
    settings.signal = true;
    World world(std::move(settings));
    world.connect(1);
    world.interface.client_left(1);
    CHECK(world.take_orders().empty());
    world.connect(2);
    world.connect(3);
    world.ask(2, "geheim");
    world.interface.client_left(2);
    CHECK(world.take_orders() == Texts{"signal 10"});
}

TEST_CASE("a client is told nothing before it gives the password") {
    World world(with_password());
    world.interface.hold();
    CHECK(world.connect(1) == "ENTER PASSWORD:");
    world.interface.hold();
    world.interface.fatal("x");
    world.interface.ask({management::Query::Kind::password, "Disk"});
    world.interface.state_changed({.state = management::State::resolve});
    CHECK(world.read(1).empty());
    CHECK(world.ask(1, "geheim") == "SUCCESS: password is correct\r\n" + std::string(banner) +
                                        ">HOLD:Waiting for hold release:0\r\n>PASSWORD:Need 'Disk' password\r\n");
    CHECK(world.ask(1, "hold") == "SUCCESS: hold=0\r\n");
}

TEST_CASE("the third wrong password closes the connection") {
    World world(with_password());
    world.connect(1);
    const Texts wrong =
        GENERATE(Texts{"x", "y", "z"}, Texts{"", "geheim ", " geheim"}, Texts{"geheimgeheim", "geh", "pid"},
                 Texts{std::string(2000, 'x'), "geheim\x01\xff", "GEHEIM"});
    CHECK(world.ask(1, wrong[0]) == "ERROR: bad password\r\nENTER PASSWORD:");
    CHECK(world.ask(1, wrong[1]) == "ERROR: bad password\r\nENTER PASSWORD:");
    CHECK_FALSE(world.closed.contains(1));
    CHECK(world.ask(1, wrong[2]) == "ERROR: bad password\r\n");
    CHECK(world.closed.contains(1));
    CHECK(world.ask(1, "geheim").empty());
    for (const auto& text : world.logged) CHECK(text.find("geh") == std::string::npos);
}

TEST_CASE("a password is right only as a whole") {
    const auto wanted = secret("geheim");
    CHECK(management::is_same_password("geheim", wanted));
    for (const char* given : {"", "g", "gehei", "geheim ", "geheimg", "geheimgeheim", "Geheim", "geheiM"})
        CHECK_FALSE(management::is_same_password(given, wanted));
    CHECK_FALSE(management::is_same_password("x", secret("")));
}
