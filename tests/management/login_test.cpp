// SPDX-License-Identifier: GPL-3.0-or-later
//
// The password at the door of an Interface, and those who do not know it.
#include "bootkey/management/login.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "management/world.hpp"

using namespace bootkey;
using management::ClientId;
using management::Interface;
using management::LoginGate;
using management::testing::banner;
using management::testing::secret;
using management::testing::World;
using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

namespace {

management::Settings with_password(const char* password = "geheim") {
    management::Settings settings;
    settings.password = secret(password);
    return settings;
}

std::size_t count(const Texts& texts, const std::string& part) {
    return static_cast<std::size_t>(std::count_if(
        texts.begin(), texts.end(), [&](const std::string& text) { return text.find(part) != text.npos; }));
}

}  // namespace

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
    world.wait(1s);
    CHECK(world.ask(1, wrong[1]) == "ERROR: bad password\r\nENTER PASSWORD:");
    CHECK_FALSE(world.closed.contains(1));
    world.wait(2s);
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

TEST_CASE("after a wrong password the next one waits, and what was sent behind it") {
    World world(with_password());
    world.connect(1);
    CHECK(world.ask(1, "x") == "ERROR: bad password\r\nENTER PASSWORD:");
    const std::string typed_ahead = "geheim\nverb\n";
    CHECK(world.send(1, typed_ahead) == 7);
    CHECK(world.paused[1]);
    CHECK(world.send(1, "verb\n") == 0);
    CHECK(world.interface.next_deadline() == world.now + 1s);
    world.wait(1s - 1ms);
    CHECK(world.read(1).empty());
    world.wait(1ms);
    CHECK(world.read(1) == "SUCCESS: password is correct\r\n" + std::string(banner));
    CHECK_FALSE(world.paused[1]);
    CHECK(world.ask(1, "verb") == "SUCCESS: verb=1\r\n");
}

TEST_CASE("a guess is not answered sooner on another connection, but somebody else is") {
    World world(with_password());
    world.connect(1, "192.0.2.10");
    world.ask(1, "x");
    world.interface.client_left(1);
    world.connect(2, "192.0.2.10");
    CHECK(world.send(2, "geheim\n") == 7);
    CHECK(world.read(2).empty());
    world.connect(3, "192.0.2.11");
    world.send(3, "geheim\n");
    world.wait(50ms);
    CHECK(world.read(3) == "SUCCESS: password is correct\r\n" + std::string(banner));
    CHECK(world.read(2).empty());
    world.interface.client_left(2);
    world.wait(1h);
    CHECK(world.read(2).empty());
}

TEST_CASE("clients that do not log in are neither in anybody's way nor there for long") {
    World world(with_password());
    const ClientId all = LoginGate::max_clients + 84;
    for (ClientId client = 1; client <= all; ++client) {
        world.connect(client, "192.0.2.10");
        CHECK(world.dropped.size() == (client <= LoginGate::max_clients ? 0 : client - LoginGate::max_clients));
    }
    const ClientId operators = all + 1;
    world.connect(operators, "192.0.2.11");
    CHECK(world.ask(operators, "geheim") == "SUCCESS: password is correct\r\n" + std::string(banner));
    CHECK(world.dropped.size() == 85);
    world.wait(10s);
    CHECK(world.dropped.size() == all);
    CHECK_FALSE(world.dropped.contains(operators));
    CHECK(world.ask(operators, "verb") == "SUCCESS: verb=1\r\n");
    CHECK(count(world.logged, "had to make room") == 1);
    CHECK(count(world.logged, "did not log in in time") == 1);
    world.wait(1min);
    CHECK(count(world.logged, "84 more times in the last") == 1);
    CHECK(count(world.logged, "62 more times in the last") == 1);
}

TEST_CASE("so many can be logged in, beside those who are not") {
    World world(with_password());
    const std::string in = "SUCCESS: password is correct\r\n" + std::string(banner);
    for (ClientId client = 1; client <= Interface::max_clients; ++client) {
        world.connect(client);
        CHECK(world.ask(client, "geheim") == in);
    }
    world.connect(17);
    CHECK(world.ask(17, "geheim") == "ERROR: too many management clients\r\n");
    CHECK(world.closed.contains(17));
    world.interface.client_left(1);
    world.connect(18);
    CHECK(world.ask(18, "geheim") == in);
}

TEST_CASE("wrong passwords are counted in the log, at any verbosity") {
    World world(with_password());
    world.log.set_level(4);
    ClientId client = 0;
    for (int second = 0; second < 600; ++second) {
        for (int i = 0; i < 10; ++i) {
            world.connect(++client, "192.0.2." + std::to_string(i));
            world.send(client, "x\n");
            world.wait(100ms);
            world.interface.client_left(client);
        }
    }
    CHECK(count(world.logged, "gave a wrong password") == world.logged.size());
    CHECK(world.logged.size() < 8);
    CHECK(world.logged.front() == "a management client from 192.0.2.0 gave a wrong password");
    CHECK(count(world.logged, "or 9 other addresses gave") == world.logged.size() - 1);
}

TEST_CASE("a client that speaks another protocol is not listened to") {
    const bool asks = GENERATE(false, true);
    World world(asks ? with_password() : management::Settings{});
    const std::string request = "POST / HTTP/1.1\r\nHost: 127.0.0.1:7505\r\n\r\nsignal SIGTERM\r\n";
    const std::size_t piece = GENERATE(1u, 6u, 1000u);
    world.connect(1);
    for (std::string_view rest = request; !rest.empty(); rest.remove_prefix(std::min(piece, rest.size())))
        CHECK(world.send(1, rest.substr(0, piece)) == std::min(piece, rest.size()));
    CHECK(world.read(1).empty());
    CHECK(world.closed.contains(1));
    CHECK(world.take_orders().empty());
    CHECK(world.logged.back() == "a management client from 192.0.2.1 spoke HTTP, not commands, and was disconnected");
    world.connect(2);
    world.send(2, "\x16\x03\x01\nsignal SIGTERM\r\n");
    CHECK(world.closed.contains(2));
    CHECK(world.take_orders().empty());
    const auto logged = world.logged.size();
    for (ClientId client = 3; client < 100; ++client) {
        world.connect(client);
        world.send(client, client % 2 == 0 ? "GET / HTTP/1.1\n" : "\x16\x03\x03");
        world.interface.client_left(client);
    }
    CHECK(count(world.logged, "spoke") ==
          count({world.logged.begin(), world.logged.begin() + static_cast<long>(logged)}, "spoke"));
}

TEST_CASE("a request with any method is not listened to either") {
    World world;
    world.connect(1);
    world.send(1, "HOLD /release HTTP/1.1\r\nsignal SIGTERM\r\n");
    CHECK(world.read(1).empty());
    CHECK(world.closed.contains(1));
    CHECK(world.take_orders().empty());
}

TEST_CASE("a password may begin like another protocol") {
    World world(with_password("SSH-key"));
    world.connect(1);
    CHECK(world.ask(1, "SSH-key") == "SUCCESS: password is correct\r\n" + std::string(banner));
}
