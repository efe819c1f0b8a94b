// SPDX-License-Identifier: GPL-3.0-or-later
//
// What clients of one Interface share and what not.
#include <csignal>
#include <string>
#include <vector>

#include "bootkey/management/interface.hpp"
#include "management/world.hpp"

using namespace bootkey;
using management::testing::secret;
using management::testing::World;
using Texts = std::vector<std::string>;

namespace {

management::Settings asking_for_password() {
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
    auto settings = asking_for_password();
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
