// SPDX-License-Identifier: GPL-3.0-or-later
//
// Decoding of rtnetlink messages: what the kernel sends, and what a hostile one might.
#include "bootkey/network/netlink_message.hpp"

#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <random>

#include "bootkey/network/rtnetlink.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::network;

namespace {

using Buffer = std::vector<std::byte>;

template <typename T>
Buffer& append(Buffer& buffer, const T& value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    buffer.insert(buffer.end(), bytes, bytes + sizeof value);
    return buffer;
}

Buffer& pad(Buffer& buffer) {
    buffer.resize((buffer.size() + 3) & ~std::size_t{3});
    return buffer;
}

Buffer attribute(std::uint16_t type, const void* data, std::size_t size) {
    Buffer buffer;
    append(buffer, nlattr{static_cast<std::uint16_t>(sizeof(nlattr) + size), type});
    const auto* bytes = static_cast<const std::byte*>(data);
    buffer.insert(buffer.end(), bytes, bytes + size);
    return pad(buffer);
}
Buffer attribute(std::uint16_t type, const std::string& text) {
    return attribute(type, text.c_str(), text.size() + 1);
}
Buffer attribute(std::uint16_t type, std::uint32_t number) {
    return attribute(type, &number, sizeof number);
}
Buffer attribute(std::uint16_t type, const base::IpAddress& address) {
    return attribute(type, address.bytes().data(), address.bytes().size());
}

template <typename T>
Buffer message(std::uint16_t type, const T& structure, std::initializer_list<Buffer> attributes,
               std::uint16_t flags = 0) {
    Buffer body;
    pad(append(body, structure));
    for (const Buffer& each : attributes) body.insert(body.end(), each.begin(), each.end());
    Buffer whole;
    append(whole, nlmsghdr{static_cast<std::uint32_t>(sizeof(nlmsghdr) + body.size()), type, flags, 7, 99});
    whole.insert(whole.end(), body.begin(), body.end());
    return whole;
}

ifinfomsg interface_info(int index, unsigned flags = IFF_UP, unsigned char family = AF_UNSPEC) {
    ifinfomsg info{};
    info.ifi_family = family;
    info.ifi_index = index;
    info.ifi_flags = flags;
    return info;
}

ifaddrmsg address_info(std::uint32_t index, int family, unsigned char flags = 0) {
    ifaddrmsg info{};
    info.ifa_family = static_cast<unsigned char>(family);
    info.ifa_prefixlen = 64;
    info.ifa_flags = flags;
    info.ifa_index = index;
    return info;
}

base::IpAddress address_of(const char* text) {
    return base::IpAddress::parse(text).value();
}

Message only(const Buffer& buffer) {
    Bytes rest(buffer);
    return take_message(rest).value();
}

}  // namespace

TEST_CASE("a link message") {
    const auto report =
        decode(message(RTM_NEWLINK, interface_info(3, IFF_UP | IFF_RUNNING),
                       {attribute(IFLA_IFNAME, "eth0"), attribute(IFLA_MTU, 1500u), attribute(IFLA_MASTER, 9u)}));
    REQUIRE(report);
    CHECK(std::get<LinkReport>(*report).link == Link{3, "eth0", IFF_UP | IFF_RUNNING, 9, 1500});
    const auto gone = decode(message(RTM_DELLINK, interface_info(3), {attribute(IFLA_IFNAME, "eth0")}));
    REQUIRE(gone);
    CHECK(std::get<LinkGoneReport>(*gone).index == 3);
}

TEST_CASE("link messages that describe no interface") {
    const Buffer name = attribute(IFLA_IFNAME, "eth0");
    CHECK_FALSE(decode(message(RTM_NEWLINK, interface_info(3, 0, AF_BRIDGE), {name})));
    CHECK_FALSE(decode(message(RTM_DELLINK, interface_info(3, 0, AF_BRIDGE), {name})));  // a port left its bridge
    CHECK_FALSE(decode(message(RTM_NEWLINK, interface_info(3), {attribute(IFLA_WIRELESS, "xxxx")})));
    CHECK_FALSE(decode(message(RTM_NEWLINK, interface_info(3), {attribute(IFLA_IFNAME, "")})));
    CHECK_FALSE(decode(message(RTM_NEWLINK, interface_info(0), {name})));
    CHECK_FALSE(decode(message(RTM_NEWLINK, interface_info(-1), {name})));
    CHECK_FALSE(decode(message(RTM_NEWLINK, std::uint32_t{0}, {})));
    CHECK_FALSE(decode(message(RTM_GETLINK, interface_info(3), {name})));
    CHECK_FALSE(decode(message(NLMSG_DONE, std::uint32_t{0}, {})));
}

TEST_CASE("address messages") {
    struct Row {
        const char* what;
        Buffer bytes;
        const char* address;  // nullptr: nothing
        unsigned flags;
    };
    const Row rows[] = {
        {"IPv6", message(RTM_NEWADDR, address_info(2, AF_INET6, 0x80), {attribute(IFA_ADDRESS, address_of("fe80::1"))}),
         "fe80::1", 0x80},
        {"IPv4",
         message(RTM_NEWADDR, address_info(2, AF_INET),
                 {attribute(IFA_ADDRESS, address_of("192.0.2.1")), attribute(IFA_LOCAL, address_of("192.0.2.1"))}),
         "192.0.2.1", 0},
        {"IPv4 with a peer",
         message(RTM_NEWADDR, address_info(2, AF_INET),
                 {attribute(IFA_ADDRESS, address_of("192.0.2.9")), attribute(IFA_LOCAL, address_of("192.0.2.1"))}),
         "192.0.2.1", 0},
        {"IPv6 with a peer",
         message(RTM_NEWADDR, address_info(2, AF_INET6),
                 {attribute(IFA_LOCAL, address_of("2001:db8::1")), attribute(IFA_ADDRESS, address_of("2001:db8::2"))}),
         "2001:db8::1", 0},
        {"32 bits of flags",
         message(RTM_NEWADDR, address_info(2, AF_INET6, 0x80),
                 {attribute(IFA_ADDRESS, address_of("fe80::1")), attribute(IFA_FLAGS, 0x40ca0u)}),
         "fe80::1", 0x40ca0},
        {"flags too short",
         message(RTM_NEWADDR, address_info(2, AF_INET6, 0x80),
                 {attribute(IFA_ADDRESS, address_of("fe80::1")), attribute(IFA_FLAGS, "")}),
         "fe80::1", 0x80},
        {"no address", message(RTM_NEWADDR, address_info(2, AF_INET6), {}), nullptr, 0},
        {"of another family",
         message(RTM_NEWADDR, address_info(2, AF_INET6), {attribute(IFA_ADDRESS, address_of("192.0.2.1"))}), nullptr,
         0},
        {"of 5 bytes", message(RTM_NEWADDR, address_info(2, AF_INET), {attribute(IFA_ADDRESS, "1234")}), nullptr, 0},
        {"family unknown",
         message(RTM_NEWADDR, address_info(2, AF_MCTP), {attribute(IFA_ADDRESS, address_of("192.0.2.1"))}), nullptr, 0},
        {"no interface",
         message(RTM_NEWADDR, address_info(0, AF_INET6), {attribute(IFA_ADDRESS, address_of("fe80::1"))}), nullptr, 0},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        const auto report = decode(row.bytes);
        REQUIRE(report.has_value() == (row.address != nullptr));
        if (!report) continue;
        const auto& found = std::get<AddressReport>(*report);
        CHECK(found.address == InterfaceAddress{2, address_of(row.address)});
        CHECK(found.flags == row.flags);
    }
    const auto gone =
        decode(message(RTM_DELADDR, address_info(2, AF_INET6), {attribute(IFA_ADDRESS, address_of("fe80::1"))}));
    REQUIRE(gone);
    CHECK(std::get<AddressGoneReport>(*gone).address == InterfaceAddress{2, address_of("fe80::1")});
}

TEST_CASE("who made an address") {
    const std::uint8_t kernel = 2;
    const auto detail = decode_address(
        only(message(RTM_NEWADDR, address_info(2, AF_INET6),
                     {attribute(IFA_ADDRESS, address_of("fe80::1")), attribute(IFA_PROTO, &kernel, 1)})));
    REQUIRE(detail);
    CHECK(detail->protocol == 2);
    CHECK(detail->prefix_length == 64);
}

TEST_CASE("routes") {
    rtmsg info{};
    info.rtm_family = AF_INET6;
    info.rtm_type = RTN_UNICAST;
    info.rtm_protocol = RTPROT_RA;
    info.rtm_table = RT_TABLE_COMPAT;
    const auto plain =
        decode_route(only(message(RTM_NEWROUTE, info, {attribute(RTA_OIF, 4u), attribute(RTA_TABLE, 254u)})));
    REQUIRE(plain);
    CHECK(plain->interfaces == std::vector<std::uint32_t>{4});
    CHECK(plain->table == 254);
    CHECK(plain->protocol == RTPROT_RA);

    Buffer hops;
    for (const int index : {5, 6}) {
        rtnexthop hop{};
        hop.rtnh_len = sizeof hop + 8;
        hop.rtnh_ifindex = index;
        append(hops, hop);
        const Buffer gateway = attribute(RTA_GATEWAY, 1u);
        hops.insert(hops.end(), gateway.begin(), gateway.end());
    }
    const auto multipath =
        decode_route(only(message(RTM_NEWROUTE, info, {attribute(RTA_MULTIPATH, hops.data(), hops.size())})));
    REQUIRE(multipath);
    CHECK(multipath->interfaces == std::vector<std::uint32_t>{5, 6});
    // Lengths that would never end, or run over.
    for (const unsigned short length : {std::uint16_t{0}, std::uint16_t{4}, std::uint16_t{60000}}) {
        Buffer broken = hops;
        std::memcpy(broken.data(), &length, sizeof length);
        const auto found =
            decode_route(only(message(RTM_NEWROUTE, info, {attribute(RTA_MULTIPATH, broken.data(), broken.size())})));
        REQUIRE(found);
        CHECK(found->interfaces.empty());
    }
    CHECK_FALSE(decode_route(only(message(RTM_NEWROUTE, std::uint16_t{AF_INET}, {}))));
}

TEST_CASE("acknowledgements") {
    struct ErrorMessage {
        std::int32_t status;
        nlmsghdr request;
    };
    const nlmsghdr request{32, RTM_NEWLINK, 0, 1, 2};
    const Buffer text = attribute(NLMSGERR_ATTR_MSG, "Device is not up");
    const std::uint64_t rest_of_request[2] = {};
    Buffer uncapped(reinterpret_cast<const std::byte*>(rest_of_request),
                    reinterpret_cast<const std::byte*>(rest_of_request + 2));

    auto answer = decode_acknowledgement(only(message(NLMSG_ERROR, ErrorMessage{0, request}, {})));
    REQUIRE(answer);
    CHECK(answer->errno_value == 0);
    answer = decode_acknowledgement(
        only(message(NLMSG_ERROR, ErrorMessage{-EPERM, request}, {text}, NLM_F_ACK_TLVS | NLM_F_CAPPED)));
    REQUIRE(answer);
    CHECK(answer->errno_value == EPERM);
    CHECK(answer->explanation == "Device is not up");
    answer = decode_acknowledgement(
        only(message(NLMSG_ERROR, ErrorMessage{-EPERM, request}, {uncapped, text}, NLM_F_ACK_TLVS)));
    REQUIRE(answer);
    CHECK(answer->explanation == "Device is not up");
    answer =
        decode_acknowledgement(only(message(NLMSG_ERROR, ErrorMessage{-EPERM, request}, {text})));  // no flag, no text
    REQUIRE(answer);
    CHECK(answer->explanation.empty());
    const nlmsghdr liar{0xfffffff0u, RTM_NEWLINK, 0, 1, 2};
    answer = decode_acknowledgement(only(message(NLMSG_ERROR, ErrorMessage{-EPERM, liar}, {text}, NLM_F_ACK_TLVS)));
    REQUIRE(answer);
    CHECK(answer->errno_value == EPERM);
    CHECK(answer->explanation.empty());
    answer = decode_acknowledgement(only(message(NLMSG_DONE, std::int32_t{-EINTR}, {})));
    REQUIRE(answer);
    CHECK(answer->errno_value == EINTR);

    CHECK_FALSE(decode_acknowledgement(only(message(NLMSG_ERROR, ErrorMessage{5, request}, {}))));
    CHECK_FALSE(decode_acknowledgement(only(message(NLMSG_ERROR, ErrorMessage{INT32_MIN, request}, {}))));
    CHECK_FALSE(decode_acknowledgement(Message{NLMSG_ERROR, 0, 0, 0, {}, {}}));
    CHECK(decode_acknowledgement(Message{NLMSG_DONE, 0, 0, 0, {}, {}}));
    CHECK_FALSE(decode_acknowledgement(only(message(RTM_NEWLINK, interface_info(1), {}))));
}

TEST_CASE("messages and attributes with false lengths end the walk") {
    Buffer good = message(RTM_NEWLINK, interface_info(3), {attribute(IFLA_IFNAME, "eth0")});
    for (std::size_t size = 0; size < good.size(); ++size) {
        INFO("cut after " << size);
        CHECK_FALSE(decode(Bytes(good).first(size)));
    }
    for (const std::uint32_t length :
         {0u, 1u, 15u, static_cast<std::uint32_t>(good.size() + 1), 0x7fffffffu, 0xffffffffu}) {
        INFO("length " << length);
        Buffer bad = good;
        std::memcpy(bad.data(), &length, sizeof length);
        CHECK_FALSE(decode(bad));
    }
    for (const int claimed : {0, 3, 4, 40, 0xffff}) {
        const auto length = static_cast<std::uint16_t>(claimed);
        INFO("attribute length " << length);
        Buffer bad = good;
        std::memcpy(bad.data() + sizeof(nlmsghdr) + sizeof(ifinfomsg), &length, sizeof length);
        CHECK_FALSE(decode(bad));
    }
    // A message whose length is not a multiple of four, last in its datagram.
    Buffer odd = good;
    const auto length = static_cast<std::uint32_t>(good.size() - 3);  // the name without its NUL and padding
    std::memcpy(odd.data(), &length, sizeof length);
    odd.resize(length);
    const std::uint16_t name_length = sizeof(nlattr) + 5;
    std::memcpy(odd.data() + sizeof(nlmsghdr) + sizeof(ifinfomsg), &name_length, sizeof name_length);
    const auto report = decode(odd);
    REQUIRE(report);
    CHECK(std::get<LinkReport>(*report).link.name == "eth0");
}

TEST_CASE("several messages in one datagram") {
    Buffer all = message(RTM_NEWLINK, interface_info(3), {attribute(IFLA_IFNAME, "eth0")});
    const Buffer second = message(NLMSG_DONE, std::uint32_t{0}, {});
    all.insert(all.end(), second.begin(), second.end());
    all.resize(all.size() + 7);  // too little for another
    Bytes rest(all);
    CHECK(take_message(rest).value().type == RTM_NEWLINK);
    const Message done = take_message(rest).value();
    CHECK(done.type == NLMSG_DONE);
    CHECK(done.sequence == 7);
    CHECK(done.port == 99);
    CHECK_FALSE(take_message(rest));
}

TEST_CASE("changed bytes never do harm") {
    const Buffer seeds[] = {
        message(RTM_NEWLINK, interface_info(3), {attribute(IFLA_IFNAME, "eth0"), attribute(IFLA_MASTER, 9u)}),
        message(RTM_NEWADDR, address_info(2, AF_INET6),
                {attribute(IFA_ADDRESS, address_of("fe80::1")), attribute(IFA_FLAGS, 0x80u)}),
        message(NLMSG_ERROR, std::int32_t{-1}, {attribute(NLMSGERR_ATTR_MSG, "text")}, NLM_F_ACK_TLVS | NLM_F_CAPPED),
    };
    std::mt19937 random(1);  // the same each time
    std::size_t decoded = 0;
    for (int round = 0; round < 30000; ++round) {
        Buffer bytes = seeds[static_cast<std::size_t>(round) % 3];
        for (auto changes = random() % 4; changes > 0; --changes)
            bytes[random() % bytes.size()] = static_cast<std::byte>(random());
        bytes.resize(bytes.size() - random() % 8);
        bytes.shrink_to_fit();  // so that AddressSanitizer sees a read past the end
        decoded += decode(bytes).has_value() ? 1 : 0;
        Bytes rest(bytes);
        if (const auto taken = take_message(rest)) {
            static_cast<void>(decode_route(*taken));
            static_cast<void>(decode_acknowledgement(*taken));
        }
    }
    CHECK(decoded > 100);  // not everything is refused
}
