// SPDX-License-Identifier: GPL-3.0-or-later
//
// What each report of the kernel changes in the table.
#include "bootkey/network/link_table.hpp"

#include <linux/if.h>
#include <linux/if_addr.h>

#include "bootkey/base/text.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::network;

namespace {

base::IpAddress ip(const char* text) {
    return base::IpAddress::parse(text).value();
}
Link make_link(std::uint32_t index, const char* name, unsigned flags = IFF_UP | IFF_RUNNING) {
    return {index, name, flags, 0};
}
AddressReport address_report(std::uint32_t index, const char* text, unsigned flags = 0) {
    return {{index, ip(text)}, flags};
}

// Events as text, to be compared at a glance.
std::string told(const std::vector<Event>& events) {
    std::string text;
    for (const Event& event : events) {
        if (const auto* e = std::get_if<LinkChanged>(&event))
            text += (e->is_new ? "new " : "changed ") + e->link.name + ";";
        if (const auto* e = std::get_if<LinkRemoved>(&event)) text += "removed " + e->link.name + ";";
        if (const auto* e = std::get_if<AddressUsable>(&event)) text += "usable " + e->address.address.text() + ";";
        if (const auto* e = std::get_if<AddressGone>(&event)) text += "gone " + e->address.address.text() + ";";
    }
    return text;
}

}  // namespace

TEST_CASE("a link is told when it is new and when name, flags or controller change") {
    LinkTable table;
    CHECK(told(table.apply(LinkReport{make_link(2, "eth0")})) == "new eth0;");
    CHECK(told(table.apply(LinkReport{make_link(2, "eth0")})) == "");
    CHECK(told(table.apply(LinkReport{make_link(2, "enp1s0")})) == "changed enp1s0;");
    CHECK(told(table.apply(LinkReport{make_link(2, "enp1s0", IFF_UP)})) == "changed enp1s0;");
    CHECK(told(table.apply(LinkReport{{2, "enp1s0", IFF_UP, 7}})) == "changed enp1s0;");
    CHECK(table.find("eth0") == nullptr);
    REQUIRE(table.find("enp1s0") != nullptr);
    CHECK(table.find("enp1s0") == table.find(2));
    CHECK(table.find(2)->controller == 7);
    CHECK(told(table.apply(LinkReport{make_link(0, "nothing")})) == "");
}

TEST_CASE("an address is told once it is usable and once it no longer is") {
    struct Row {
        const char* what;
        unsigned flags;
        bool usable;
    };
    const Row rows[] = {
        {"plain", 0, true},
        {"permanent", IFA_F_PERMANENT, true},
        {"tentative", IFA_F_TENTATIVE, false},
        {"optimistic", IFA_F_TENTATIVE | IFA_F_OPTIMISTIC, true},
        {"duplicate", IFA_F_DADFAILED, false},
        {"duplicate, still tentative", IFA_F_DADFAILED | IFA_F_TENTATIVE, false},
        {"duplicate, optimistic", IFA_F_DADFAILED | IFA_F_OPTIMISTIC, false},
        {"deprecated", IFA_F_DEPRECATED, true},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        LinkTable table;
        static_cast<void>(table.apply(LinkReport{make_link(2, "eth0")}));
        CHECK(told(table.apply(address_report(2, "fe80::1", row.flags))) == (row.usable ? "usable fe80::1;" : ""));
        CHECK(table.usable(2) == row.usable);
        CHECK(table.is_own(ip("fe80::1")) == row.usable);
    }
    LinkTable table;
    CHECK(told(table.apply(address_report(2, "fe80::1", IFA_F_TENTATIVE))) == "");
    CHECK(told(table.apply(address_report(2, "fe80::1"))) == "usable fe80::1;");
    CHECK(told(table.apply(address_report(2, "fe80::1", IFA_F_DEPRECATED))) == "");
    CHECK(told(table.apply(address_report(2, "fe80::1", IFA_F_DADFAILED))) == "gone fe80::1;");
    CHECK(told(table.apply(AddressGoneReport{{2, ip("fe80::1")}})) == "");
}

TEST_CASE("an interface is usable when it is up, running and has an address of its own") {
    LinkTable table;
    static_cast<void>(table.apply(LinkReport{make_link(2, "eth0", IFF_UP)}));
    static_cast<void>(table.apply(LinkReport{make_link(3, "eth1")}));
    CHECK_FALSE(table.usable(3));
    static_cast<void>(table.apply(address_report(2, "192.0.2.1")));
    CHECK_FALSE(table.usable(2));  // no carrier
    CHECK_FALSE(table.usable(3));  // the address is another's
    CHECK_FALSE(table.usable(1));  // there is none
    static_cast<void>(table.apply(LinkReport{make_link(2, "eth0", IFF_UP | IFF_RUNNING)}));
    CHECK(table.usable(2));
    static_cast<void>(table.apply(LinkReport{make_link(2, "eth0", IFF_RUNNING)}));
    CHECK_FALSE(table.usable(2));
}

TEST_CASE("a removed link takes its addresses along, before it goes") {
    LinkTable table;
    static_cast<void>(table.apply(LinkReport{make_link(2, "eth0")}));
    static_cast<void>(table.apply(LinkReport{make_link(3, "eth1")}));
    static_cast<void>(table.apply(address_report(2, "fe80::1")));
    static_cast<void>(table.apply(address_report(2, "192.0.2.1")));
    static_cast<void>(table.apply(address_report(3, "fe80::1")));
    CHECK(told(table.apply(LinkGoneReport{2})) == "gone 192.0.2.1;gone fe80::1;removed eth0;");
    CHECK(table.is_own(ip("fe80::1")));
    CHECK(told(table.apply(LinkGoneReport{2})) == "");
    CHECK(table.links().size() == 1);
    CHECK(table.addresses().size() == 1);
}

TEST_CASE("after a dump, whatever it did not mention is gone") {
    LinkTable table;
    for (const auto index : {2u, 3u, 4u}) {
        static_cast<void>(table.apply(LinkReport{make_link(index, base::format("eth%u", index).c_str())}));
        static_cast<void>(table.apply(address_report(index, base::format("192.0.2.%u", index).c_str())));
    }
    table.begin_dump();
    CHECK(told(table.apply(LinkReport{make_link(2, "eth2")})) == "");
    CHECK(told(table.apply(LinkReport{make_link(4, "eth4")})) == "");
    CHECK(told(table.apply(LinkReport{make_link(5, "eth5")})) == "new eth5;");
    CHECK(told(table.apply(address_report(2, "192.0.2.2"))) == "");
    CHECK(told(table.end_dump()) == "gone 192.0.2.3;gone 192.0.2.4;removed eth3;");
    CHECK(told(table.end_dump()) == "");
    // A link that a notification removes during the dump is told once, and a tentative address is not kept by being
    // mentioned.
    table.begin_dump();
    CHECK(told(table.apply(LinkGoneReport{2})) == "gone 192.0.2.2;removed eth2;");
    CHECK(told(table.apply(LinkReport{make_link(4, "eth4")})) == "");
    CHECK(told(table.apply(address_report(4, "192.0.2.4", IFA_F_TENTATIVE))) == "");
    CHECK(told(table.end_dump()) == "removed eth5;");
    CHECK(table.links().size() == 1);
    CHECK(table.addresses().empty());
}
