// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which interfaces are chosen, for every kind of --interface list.
#include "bootkey/network/interface_choice.hpp"

#include <linux/if.h>

#include "catch.hpp"

using namespace bootkey::network;

namespace {

constexpr unsigned ethernet = IFF_BROADCAST | IFF_MULTICAST;
constexpr unsigned tunnel = IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST;

Link link(const char* name, unsigned flags = ethernet) {
    return {2, name, flags, 0};
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("without names every interface that fits is chosen") {
    struct Row {
        const char* what;
        unsigned flags;
        Use zeroconf;
        Use direct;
    };
    const Row rows[] = {
        {"Ethernet", ethernet, Use::bring_up, Use::bring_up},
        {"Ethernet that is up", ethernet | IFF_UP | IFF_RUNNING, Use::bring_up, Use::bring_up},
        {"loopback", IFF_LOOPBACK, Use::ignore, Use::ignore},
        {"loopback that claims to broadcast", IFF_LOOPBACK | ethernet, Use::ignore, Use::ignore},
        {"point-to-point", IFF_POINTOPOINT | IFF_BROADCAST, Use::ignore, Use::bring_up},
        {"cannot broadcast", IFF_MULTICAST, Use::ignore, Use::bring_up},
        {"NOARP", IFF_BROADCAST | IFF_NOARP, Use::ignore, Use::bring_up},
        {"tun, WireGuard", tunnel, Use::ignore, Use::bring_up},
        {"without multicast", IFF_BROADCAST, Use::bring_up, Use::bring_up},
    };
    const Names nothing[] = {{}, {""}, {"", ""}, {","}, {",", ",,"}};
    for (const Row& row : rows)
        for (const Names& names : nothing) {
            INFO(row.what);
            CHECK(InterfaceChoice(names, false).use(link("eth0", row.flags)) == row.zeroconf);
            CHECK(InterfaceChoice(names, true).use(link("eth0", row.flags)) == row.direct);
        }
}

TEST_CASE("names, patterns, exclusions and none") {
    struct Row {
        Names names;
        const char* interface;
        Use use;
    };
    const Row rows[] = {
        // Names are used as named, and nothing else.
        {{"eth0"}, "eth0", Use::bring_up},
        {{"eth0"}, "eth1", Use::ignore},
        {{"eth0"}, "eth00", Use::ignore},
        {{"eth0,eth1"}, "eth1", Use::bring_up},
        {{"eth0", "eth1"}, "eth1", Use::bring_up},
        {{"eth0,", ""}, "eth0", Use::bring_up},
        {{"missing"}, "eth0", Use::ignore},
        {{"Eth0"}, "eth0", Use::ignore},
        // Patterns.
        {{"en*"}, "enp1s0", Use::bring_up},
        {{"en*"}, "eth0", Use::ignore},
        {{"eth?"}, "eth7", Use::bring_up},
        {{"eth?"}, "eth10", Use::ignore},
        {{"eth[0-3]"}, "eth3", Use::bring_up},
        {{"eth[0-3]"}, "eth4", Use::ignore},
        {{"eth[0-3]"}, "eth[0-3]", Use::bring_up},
        {{"*"}, "anything", Use::bring_up},
        {{"a\\b"}, "a\\b", Use::bring_up},
        // Exclusions win wherever they stand; alone they leave all others that fit.
        {{"!wlan*"}, "wlan0", Use::ignore},
        {{"!wlan*"}, "eth0", Use::bring_up},
        {{"*,!wlan*"}, "wlan0", Use::ignore},
        {{"!wlan*,*"}, "wlan0", Use::ignore},
        {{"!eth0", "eth0"}, "eth0", Use::ignore},
        {{"en*,!enp2*"}, "enp1s0", Use::bring_up},
        {{"en*,!enp2*"}, "enp2s0", Use::ignore},
        {{"en*,!enp2*"}, "eth0", Use::ignore},
        {{"!"}, "eth0", Use::bring_up},
        // none: brought up before it, used if up after it.
        {{"none"}, "eth0", Use::if_up},
        {{"none,"}, "eth0", Use::if_up},
        {{"eth0,none"}, "eth0", Use::bring_up},
        {{"eth0,none"}, "eth1", Use::ignore},
        {{"none,eth0"}, "eth0", Use::if_up},
        {{"none,eth0"}, "eth1", Use::ignore},
        {{"eth0,none,eth1"}, "eth0", Use::bring_up},
        {{"eth0,none,eth1"}, "eth1", Use::if_up},
        {{"eth0", "none", "eth1"}, "eth1", Use::if_up},
        {{"eth0,none,eth*"}, "eth0", Use::bring_up},
        {{"none,eth0,eth0"}, "eth0", Use::if_up},
        {{"none,!wlan*"}, "eth0", Use::if_up},
        {{"none,!wlan*"}, "wlan0", Use::ignore},
        {{"!wlan*,none"}, "eth0", Use::if_up},
        {{"none", "none"}, "eth0", Use::if_up},
    };
    for (const Row& row : rows) {
        std::string given;
        for (const std::string& name : row.names) given += "[" + name + "]";
        INFO(given << " " << row.interface);
        CHECK(InterfaceChoice(row.names, false).use(link(row.interface)) == row.use);
        CHECK(InterfaceChoice(row.names, true).use(link(row.interface)) == row.use);
    }
}

TEST_CASE("a named interface is used whatever its kind, loopback never") {
    CHECK(InterfaceChoice({"wg0"}, false).use(link("wg0", tunnel)) == Use::bring_up);
    CHECK(InterfaceChoice({"wg*"}, false).use(link("wg0", tunnel)) == Use::bring_up);
    CHECK(InterfaceChoice({"!eth0"}, false).use(link("wg0", tunnel)) == Use::ignore);
    CHECK(InterfaceChoice({"!eth0"}, true).use(link("wg0", tunnel)) == Use::bring_up);
    CHECK(InterfaceChoice({"none"}, false).use(link("wg0", tunnel)) == Use::ignore);
    CHECK(InterfaceChoice({"none"}, true).use(link("wg0", tunnel)) == Use::if_up);
    CHECK(InterfaceChoice({"lo", "*"}, true).use(link("lo", IFF_LOOPBACK)) == Use::ignore);
}

TEST_CASE("what network hooks are going to take is left alone as long as it is down") {
    InterfaceChoice choice({}, false);
    choice.leave_alone({"eth0"});
    CHECK(choice.use(link("eth0")) == Use::ignore);
    CHECK(choice.use(link("eth0", ethernet | IFF_UP)) == Use::bring_up);
    CHECK(choice.use(link("eth1")) == Use::bring_up);
    choice.leave_alone({});
    CHECK(choice.use(link("eth0")) == Use::bring_up);
}

TEST_CASE("plain names and DEVICE") {
    struct Row {
        Names names;
        Names plain;
        const char* device;
    };
    const Row rows[] = {
        {{}, {}, ""},
        {{""}, {}, ""},
        {{"eth0"}, {"eth0"}, "eth0"},
        {{"eth0,eth1", "", "wg0"}, {"eth0", "eth1", "wg0"}, "eth0,eth1,wg0"},
        {{"none"}, {}, "none"},
        {{"eth0,none,eth1"}, {"eth0", "eth1"}, "eth0,none,eth1"},
        {{"en*"}, {}, ""},
        {{"eth0,en*"}, {"eth0"}, ""},
        {{"eth0,!eth1"}, {"eth0"}, ""},
        {{"eth[01]"}, {}, ""},
        {{"eth?"}, {}, ""},
    };
    for (const Row& row : rows) {
        const InterfaceChoice choice(row.names, false);
        CHECK(choice.plain_names() == row.plain);
        CHECK(choice.device() == row.device);
    }
}
