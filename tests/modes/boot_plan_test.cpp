// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/modes/boot_plan.hpp"

#include <fstream>
#include <sstream>
#include <vector>

#include "catch.hpp"

using namespace bootkey::modes;

namespace {

/// A case of tests/package/boot_rules.txt.
struct Case {
    std::string name{};
    BootFiles files{.client = "client=bootkey\n", .command_line = "quiet\n"};
    bool has_crypttab = false;
    std::string started{}, connect{}, interface {};
};

std::vector<Case> read_table() {
    std::vector<Case> cases;
    std::ifstream file(BOOTKEY_BOOT_RULES);
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line.starts_with('#')) continue;
        const std::string word = line.substr(0, line.find(' '));
        const std::string rest = line.size() > word.size() ? line.substr(word.size() + 1) : "";
        if (word == "case") cases.push_back({.name = rest});
        Case& one = cases.at(cases.size() - 1);
        if (word == "crypttab") one.files.crypttab += rest + "\n", one.has_crypttab = true;
        if (word == "client") one.files.client += rest + "\n";
        if (word == "config") one.files.config += rest + "\n";
        if (word == "settings") one.files.settings.push_back(rest + "\n");
        if (word == "command-line") one.files.command_line = rest + "\n";
        if (word == "started") one.started = rest;
        if (word == "connect") one.connect = rest;
        if (word == "interface") one.interface = rest;
    }
    for (Case& one : cases)
        if (!one.has_crypttab) one.files.crypttab = "root UUID=1234 none luks\n";
    return cases;
}

const std::string disk = "root UUID=1 none luks,initramfs\n";

BootPlan plan(const BootFiles& files, bool as_plugin = false) {
    return plan_boot(files, as_plugin);
}

BootPlan plan_for_settings(std::vector<std::string> settings) {
    return plan({.crypttab = disk, .settings = std::move(settings)});
}

bool remarks(const BootPlan& found, const std::string& text) {
    for (const std::string& remark : found.remarks)
        if (remark.find(text) != std::string::npos) return true;
    return false;
}

}  // namespace

TEST_CASE("the plan is what the boot scripts do") {
    const std::vector<Case> cases = read_table();
    REQUIRE(cases.size() > 50);
    for (const Case& one : cases) {
        const BootPlan found = plan(one.files);
        CAPTURE(one.name, found.obstacle);
        REQUIRE((one.started == "background" || one.started == "keyscript" || one.started == "no"));
        CHECK(found.is_started() == (one.started != "no"));
        CHECK(found.advice.empty() == found.is_started());
        CHECK(found.connect == one.connect);
        CHECK(found.interface == one.interface);
    }
}

TEST_CASE("the reason why bootkey is not started is what is missing") {
    CHECK(plan({}).obstacle.find("no disk is named in the image's /cryptroot/crypttab") != std::string::npos);
    CHECK(plan({.crypttab = "root UUID=1 none luks,keyscript=/bin/mine\n"})
              .obstacle.find("root has keyscript=/bin/mine") != std::string::npos);
    CHECK(plan({.crypttab = "root UUID=1 /key luks\n"}).obstacle.find("root has the key file /key") !=
          std::string::npos);
    CHECK(plan({.crypttab = disk, .command_line = "bootkey=off"}).obstacle.find("bootkey=off") != std::string::npos);
    CHECK(plan({.crypttab = disk, .command_line = "mandos=off"}).advice.find("bootkey=on") != std::string::npos);
}

TEST_CASE("a disk that somebody else has a password for is told of") {
    const BootPlan found = plan(
        {.crypttab =
             disk + "swap UUID=2 none luks,keyscript=decrypt_derived\ncard UUID=3 none keyscript=decrypt_gnupg-sc\n"});
    CHECK(found.devices == std::vector<std::string>{"root"});
    CHECK(remarks(found, "swap has keyscript=decrypt_derived"));
    CHECK(remarks(found, "card has keyscript=decrypt_gnupg-sc"));
}

TEST_CASE("settings are read as a shell does") {
    CHECK(plan_for_settings({"MODULES=most\nDEVICE=enp99s0\n"}).interface == "enp99s0");
    CHECK(plan_for_settings({"DEVICE=\"eth0\" # the first\n"}).interface == "eth0");
    CHECK(plan_for_settings({"  export DEVICE='eth0';IP=\n"}).interface == "eth0");
    CHECK(plan_for_settings({"#DEVICE=eth0\nXDEVICE=eth1\n"}).interface.empty());
    CHECK(plan_for_settings({"DEVICE=eth0\n", "DEVICE=eth1\n"}).interface == "eth1");
    CHECK(plan_for_settings({"DEVICE=eth0\n", "DEVICE=\n"}).interface.empty());
    CHECK(plan_for_settings({"DEVICE='$x'\n"}).interface == "$x");
    const BootPlan computed = plan_for_settings({"DEVICE=$(ls /sys/class/net)\n"});
    CHECK(computed.interface.empty());
    CHECK(remarks(computed, "cannot be known here"));
}

TEST_CASE("the root file system comes from the network as init has it") {
    const auto is_started = [](const std::string& settings, const std::string& command_line) {
        return plan({.crypttab = disk, .settings = {settings}, .command_line = command_line}).is_started();
    };
    CHECK_FALSE(is_started("", "boot=nfs"));
    CHECK_FALSE(is_started("", "root=/dev/nfs"));
    CHECK(is_started("BOOT=nfs\n", "boot=local"));
    CHECK(is_started("", "root=/dev/nfs boot=local"));
}

TEST_CASE("what nobody knows on the kernel command line is told of") {
    const BootPlan found = plan({.crypttab = disk, .command_line = "bootkey=of mandos=on mandos=connect:server:1"});
    CHECK(remarks(found, "unknown setting bootkey=of"));
    CHECK(remarks(found, "unknown setting mandos=on"));
    CHECK(remarks(found, "mandos=connect:server:1"));
}

TEST_CASE("as a plugin bootkey is started by the rules of Mandos") {
    CHECK(plan({.crypttab = disk}, true).is_started());
    CHECK(plan({.crypttab = "root UUID=1 none keyscript=/lib/mandos/plugin-runner\n"}, true).is_started());
    CHECK(plan({.crypttab = disk, .command_line = "bootkey=off"}, true).is_started());
    CHECK_FALSE(
        plan({.client = "chosen=yes\n", .crypttab = disk, .command_line = "mandos=off bootkey=on"}, true).is_started());
    CHECK_FALSE(plan({.crypttab = "root UUID=1 none keyscript=/lib/bootkey/keyscript\n"}, true).is_started());
    CHECK(plan({.crypttab = disk, .command_line = "mandos=connect:192.0.2.1:1"}, true).connect == "192.0.2.1:1");
}
