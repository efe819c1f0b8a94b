// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/pending_requests.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::monitor;

namespace {

struct RequestsScene {
    std::vector<Ask> sent;
    std::vector<std::string> told;
    PendingRequests requests{[this](const FromWorker& message) { sent.push_back(std::get<Ask>(message)); }};

    changes::Done note(const std::string& name) {
        return [this, name](const changes::Reply& reply) {
            std::string text = name + (reply.result ? " done" : " " + reply.result.error().why);
            for (const std::string& interface : reply.reserved) text += " " + interface;
            told.push_back(text);
        };
    }
};

}  // namespace

TEST_CASE("each reply reaches the one who asked, whatever the order, and once") {
    RequestsScene scene;
    scene.requests.ask(changes::BringUp{2}, scene.note("two"));
    scene.requests.ask(changes::BringUp{3}, scene.note("three"));
    REQUIRE(scene.sent.size() == 2);
    CHECK(std::get<changes::BringUp>(scene.sent[1].request).interface == 3);
    REQUIRE((scene.sent[0].number && scene.sent[1].number));
    CHECK(scene.told.empty());
    const base::Error full{base::ExitCode::unavailable, "cannot", "full", ""};
    scene.requests.replied({*scene.sent[1].number, full, {}});
    scene.requests.replied({.number = *scene.sent[0].number});
    scene.requests.replied({.number = *scene.sent[0].number});
    scene.requests.replied({.number = 4711});
    CHECK(scene.told == std::vector<std::string>{"three full", "two done"});
}

TEST_CASE("no reply is asked for where nobody wants one") {
    RequestsScene scene;
    scene.requests.ask(changes::LowerConsoleLevel{}, {});
    REQUIRE(scene.sent.size() == 1);
    CHECK_FALSE(scene.sent[0].number);
}

TEST_CASE("while interfaces are reserved for hooks, another reply follows") {
    RequestsScene scene;
    scene.requests.ask(changes::StartHooks{}, scene.note("hooks"));
    const std::uint32_t number = *scene.sent.at(0).number;
    scene.requests.replied({number, {}, {"eth0", "eth1"}});
    scene.requests.replied({.number = number});
    scene.requests.replied({.number = number});
    CHECK(scene.told == std::vector<std::string>{"hooks done eth0 eth1", "hooks done"});
}
