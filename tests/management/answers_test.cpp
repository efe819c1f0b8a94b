// SPDX-License-Identifier: GPL-3.0-or-later
//
// Questions to the person behind the interface, and that the answers are never seen again.
#include <string>
#include <vector>

#include "bootkey/management/interface.hpp"
#include "management/world.hpp"

using namespace bootkey;
using management::AuthRetry;
using management::Query;
using management::testing::banner;
using management::testing::World;
using Kind = Query::Kind;
using Texts = std::vector<std::string>;

TEST_CASE("a passphrase is asked of everybody, and the first answer counts") {
    World world;
    world.connect(1);
    world.interface.ask({Kind::password, "Disk"});
    CHECK(world.read(1) == ">PASSWORD:Need 'Disk' password\r\n");
    CHECK(world.connect(2) == std::string(banner) + ">PASSWORD:Need 'Disk' password\r\n");
    CHECK(world.ask(2, "password Auth x") ==
          "ERROR: password of type 'Auth' entered, but we need one of type 'Disk'\r\n");
    CHECK(world.ask(2, R"(password "Disk" "correct \"horse\" battery")") ==
          "SUCCESS: 'Disk' password entered, but not yet verified\r\n");
    CHECK(world.take_orders() == Texts{"password Disk correct \"horse\" battery"});
    CHECK(world.read(1) == ">INFO:'Disk' password is no longer needed\r\n");
    CHECK(world.ask(1, "password Disk late") == "ERROR: no password is currently needed at this time\r\n");
    CHECK(world.take_orders().empty());
    CHECK(world.connect(3) == banner);
}

TEST_CASE("a passphrase without its quotes is refused, and not cut at the first blank") {
    World world;
    world.connect(1);
    world.interface.ask({Kind::password, "Disk"});
    world.interface.ask({Kind::credentials, "Auth"});
    world.interface.ask({Kind::text, "realm", ""});
    world.read(1);
    const std::string command = GENERATE("password Disk", "username Auth", "needstr realm");
    const std::string name = command.substr(0, command.find(' '));
    for (const char* value : {" correct horse battery", " correct \thorse", " \"correct\"horse", " correct #horse",
                              " 'a b' ;c", " a a a a a a a a a a a a a a a a a a a"})
        CHECK(world.ask(1, command + value) ==
              "ERROR: the '" + name +
                  "' command takes 2 parameters, and there is more: put a value that has blanks, or "
                  "begins with # or ;, into quotes, as in " +
                  name + " TYPE \"a b\"\r\n");
    CHECK(world.take_orders().empty());
    CHECK(world.ask(1, command + " \"correct #horse\" \t").starts_with("SUCCESS: "));
}

TEST_CASE("who has not answered is told when an answer is no longer needed, and before it is asked for anew") {
    World world;
    world.connect(1);
    world.connect(2);
    const Query query{GENERATE(Kind::password, Kind::confirmation, Kind::text), "Disk", "m"};
    const auto over = withdrawal(query.kind, "Disk") + "\r\n";
    CHECK(over.starts_with(">INFO:'Disk' "));
    world.interface.ask(query);
    CHECK(world.read(1) == request(query) + "\r\n");
    world.interface.withdraw(query.kind, "Disk");
    CHECK(world.read(1) == over);
    world.interface.withdraw(query.kind, "Disk");
    CHECK(world.read(1).empty());
    CHECK(world.connect(3) == banner);
}

TEST_CASE("half an answer does not end the question for the others") {
    World world;
    world.connect(1);
    world.connect(2);
    world.interface.ask({Kind::credentials, "Auth"});
    world.read(2);
    world.ask(1, "username Auth alice");
    CHECK(world.read(2).empty());
    CHECK(world.ask(1, "password Auth x") == "SUCCESS: 'Auth' password entered, but not yet verified\r\n");
    CHECK(world.read(2) == ">INFO:'Auth' username/password is no longer needed\r\n");
}

TEST_CASE("what follows a wrong password is what auth-retry says") {
    World world;
    world.connect(1);
    const Query query{GENERATE(Kind::password, Kind::credentials), "Auth"};
    const std::string need = request(query) + "\r\n";
    const std::string failed = ">PASSWORD:Verification Failed: 'Auth'\r\n";
    CHECK(world.interface.verification_failed(query) == AuthRetry::interact);
    CHECK(world.read(1) == failed + need);
    CHECK(world.interface.is_pending(query.kind, "Auth"));
    world.interface.withdraw(query.kind, "Auth");
    world.ask(1, "auth-retry nointeract");
    CHECK(world.interface.verification_failed(query) == AuthRetry::nointeract);
    CHECK(world.read(1) == failed);
    world.ask(1, "auth-retry none");
    CHECK(world.interface.verification_failed(query) == AuthRetry::none);
    CHECK(world.read(1) == failed);
    CHECK_FALSE(world.interface.is_pending(query.kind, "Auth"));
}

TEST_CASE("user name and password may come from two clients") {
    World world;
    world.connect(1);
    world.connect(2);
    world.interface.ask({Kind::credentials, "Auth"});
    for (const management::ClientId client : {1, 2})
        CHECK(world.read(client) == ">PASSWORD:Need 'Auth' username/password\r\n");
    CHECK(world.ask(1, "password Auth wonder") == "SUCCESS: 'Auth' password entered, but not yet verified\r\n");
    CHECK(world.take_orders().empty());
    CHECK(world.ask(2, "username Auth alice") == "SUCCESS: 'Auth' username entered, but not yet verified\r\n");
    CHECK(world.take_orders() == Texts{"credentials Auth alice wonder"});
}

TEST_CASE("half an answer that is to be forgotten is asked for again") {
    World world;
    world.connect(1);
    world.interface.ask({Kind::credentials, "Auth"});
    world.ask(1, "username Auth alice");
    world.ask(1, "forget-passwords");
    world.ask(1, "password Auth wonder");
    CHECK(world.take_orders() == Texts{"forget passwords"});
    world.ask(1, "username Auth bob");
    CHECK(world.take_orders() == Texts{"credentials Auth bob wonder"});
}

TEST_CASE("a confirmation is ok or cancel, and nothing else") {
    World world;
    world.connect(1);
    world.interface.ask({Kind::confirmation, "release-password", "Mandos answered. Hand the password over?"});
    CHECK(world.read(1) ==
          ">NEED-OK:Need 'release-password' confirmation MSG:Mandos answered. Hand the password over?\r\n");
    CHECK(world.ask(1, "needok token-insertion-request ok") ==
          "ERROR: needok-confirmation of type 'token-insertion-request' entered, but we need one of type "
          "'release-password'\r\n");
    CHECK(world.ask(1, "needok release-password yes") == "ERROR: needok parameter must be 'ok' or 'cancel'\r\n");
    CHECK(world.take_orders().empty());
    const bool ok = GENERATE(false, true);
    CHECK(world.ask(1, std::string("needok release-password ") + (ok ? "ok" : "cancel")) ==
          "SUCCESS: 'release-password' needok-confirmation entered, but not yet verified\r\n");
    CHECK(world.take_orders() == Texts{ok ? "confirmed release-password" : "cancelled release-password"});
}

TEST_CASE("a text that is asked for is handed over") {
    World world;
    world.connect(1);
    world.interface.ask({Kind::text, "realm", "Which one?"});
    CHECK(world.read(1) == ">NEED-STR:Need 'realm' input MSG:Which one?\r\n");
    CHECK(world.ask(1, "needstr realm example.org") ==
          "SUCCESS: 'realm' needstr-string entered, but not yet verified\r\n");
    CHECK(world.take_orders() == Texts{"text realm example.org"});
}

TEST_CASE("no log and no other client sees what is typed") {
    World world;
    world.log.set_level(15);
    world.connect(1);
    world.connect(2);
    world.ask(2, "log on all");
    if (GENERATE(false, true)) {
        world.interface.ask({Kind::password, "Disk"});
        world.interface.ask({Kind::credentials, "Auth"});
        world.interface.ask({Kind::text, "realm", ""});
    }
    const std::string secret = "hunter2";
    const std::string line = GENERATE_COPY(
        "password Disk " + secret, "password Private " + secret + " x", "password " + secret, "username Auth " + secret,
        "needstr realm " + secret, "pasword Disk " + secret, secret, "\"Disk\" " + secret, "password Disk \"" + secret,
        "password Disk " + secret + "\\x", "password Disk " + std::string(300, 'x') + secret,
        "password Disk " + std::string(2000, 'x') + secret, "password Disk x " + secret);
    const std::string reply = world.ask(1, line);
    // An unknown command is named to who typed it.
    if (line != secret) CHECK(reply.find(secret) == std::string::npos);
    CHECK(world.ask(2, "log all").find(secret) == std::string::npos);
    CHECK(world.read(2).find(secret) == std::string::npos);
    for (const auto& text : world.logged) CHECK(text.find(secret) == std::string::npos);
    CHECK(world.logged.size() > 2);
}
