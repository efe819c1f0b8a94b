// SPDX-License-Identifier: GPL-3.0-or-later
//
// Changes to a toy machine that refuses one of them just once, as for want of memory, or that others change at that
// very moment: the rest is made or undone all the same, and what could not be undone is undone the next time.

#include <memory>

#include "catch.hpp"
#include "network/sandbox_fixture.hpp"
#include "toy_machine.hpp"

using namespace bootkey;
using namespace bootkey::changes;
using namespace bootkey::changes::toy;

namespace {

constexpr std::uint32_t one = 2;
const Route route(base::IpAddress::parse("192.0.2.1").value(), one);

// One instance, and the machine with an interface that is down.
struct Scene {
    Paths paths;
    network::fixture::TemporaryDirectory directory;
    base::Log log{0};
    Kernel kernel;
    Mishap mishap;
    std::unique_ptr<Changes> changes;

    Scene() : Scene("run") { kernel.journal_directory = directory / "run"; }
    explicit Scene(const std::string& journal_directory) {
        paths = Paths::with_journal_in(directory / journal_directory);
        paths.home_parents = {"/first", "/second"};
        paths.boot_configuration = boot_configuration;
        paths.ipv6_settings = ipv6_settings;
        paths.printk = printk;
        kernel.interfaces = {{one, {.name = "one"}}};
        changes = instance(100);
    }
    std::unique_ptr<Changes> instance(pid_t pid) {
        const Instance self{pid, 1};
        kernel.running[self] = {};
        return std::make_unique<Changes>(log, paths, machine(kernel, mishap), self, 1);
    }
};

}  // namespace

TEST_CASE("an interface is not left up because a route over it could not be deleted at once") {
    Scene scene;
    REQUIRE(scene.changes->bring_up(one));
    REQUIRE(scene.changes->add_host_route(route.first, one));
    scene.mishap.fails_at = 1;
    CHECK_FALSE(scene.changes->undo_ours());
    CHECK(scene.kernel.interfaces.at(one).up.value);
    CHECK(scene.kernel.interfaces.at(one).accept_dad.value == 0);
    CHECK(scene.changes->undo_ours());
    CHECK_FALSE(scene.kernel.interfaces.at(one).up.value);
    CHECK(scene.kernel.interfaces.at(one).accept_dad.value == 1);
}

TEST_CASE("a route stays when it cannot be added once more") {
    Scene scene;
    REQUIRE(scene.changes->bring_up(one));
    REQUIRE(scene.changes->add_host_route(route.first, one));
    scene.kernel.interfaces.at(one).carrier = false;  // so that the kernel does not use it
    scene.mishap.fails_at = 1;
    CHECK_FALSE(scene.changes->add_host_route(route.first, one));
    CHECK(scene.kernel.routes.contains(route));
    CHECK(scene.changes->undo_ours());
    CHECK(scene.kernel.routes.empty());
}

TEST_CASE("where no home can be made nothing is recorded, and the next place is tried") {
    Scene scene;
    scene.mishap.fails_at = 1;
    const auto home = scene.changes->make_home();
    REQUIRE(home.ok());
    CHECK(home->starts_with("/second/"));
    const std::string journal = network::fixture::content_of(scene.directory / "run/journal");
    CHECK(journal.find(*home) != std::string::npos);
    CHECK(journal.find("/first/") == std::string::npos);
    CHECK(scene.changes->undo_ours());
    CHECK(scene.kernel.homes.empty());
}

TEST_CASE("a home that cannot be recorded, nor be removed at once, is removed in the end") {
    Scene scene("nowhere/run");
    const auto home = scene.changes->make_home();
    REQUIRE(home.ok());
    scene.mishap.fails_at = 1;
    CHECK_FALSE(scene.changes->remove_home(*home));
    CHECK(scene.kernel.homes.contains(*home));
    CHECK(scene.changes->undo_ours());
    CHECK(scene.kernel.homes.empty());
}

TEST_CASE("how things are is looked at while no other instance can change them") {
    Scene scene;  // throws otherwise
    CHECK_NOTHROW(scene.changes->bring_up(one).ok());
    CHECK_NOTHROW(scene.changes->bring_up(one).ok());
    CHECK_NOTHROW(scene.changes->bring_up(one + 1).ok());
    CHECK_NOTHROW(scene.changes->add_host_route(route.first, one).ok());
    CHECK_NOTHROW(scene.changes->add_host_route(route.first, one).ok());
    CHECK_NOTHROW(scene.changes->lower_console_level().ok());
    CHECK_NOTHROW(scene.changes->lower_console_level().ok());
    CHECK_NOTHROW(scene.changes->undo_ours().ok());
}

TEST_CASE("duplicate address detection is on again though the interface is renamed while it is put back") {
    unsigned steps = 0;
    for (bool reached = true; reached; ++steps) {
        Scene scene;
        REQUIRE(scene.changes->bring_up(one));
        scene.mishap.interrupted_at = steps + 1;
        scene.mishap.others_act = [&] { scene.kernel.interfaces.at(one).name = "renamed"; };
        if (!scene.changes->undo_ours()) CHECK(scene.changes->undo_ours());
        CHECK_FALSE(scene.kernel.interfaces.at(one).up.value);
        CHECK(scene.kernel.interfaces.at(one).accept_dad.value == 1);
        reached = scene.kernel.interfaces.at(one).name == "renamed";
    }
    CHECK(steps > 10);
}

TEST_CASE("duplicate address detection stays off for as long as the interface is up, whoever turned it off") {
    Scene scene;
    Interface& interface = scene.kernel.interfaces.at(one);
    interface.accept_dad.set_by_others(0);
    REQUIRE(scene.changes->bring_up(one));  // nothing to turn off
    scene.kernel.take_down(one);
    interface.accept_dad.set_by_others(1);
    const auto second = scene.instance(101);
    REQUIRE(second->bring_up(one));
    CHECK(second->undo_ours());
    CHECK((interface.up.value && interface.accept_dad.value == 0));
    CHECK(scene.changes->undo_ours());
    CHECK((!interface.up.value && interface.accept_dad.value == 1));
}
