// SPDX-License-Identifier: GPL-3.0-or-later
//
// The requests, made with libmnl and answered by exchange(). rtnetlink handles a message inside sendmsg(2)
// (netlink_rcv_skb in the kernel), and the parts of a dump inside recvmsg(2): there is never anything to wait for.
#include "bootkey/network/netlink_request.hpp"

#include <linux/if.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "bootkey/base/text.hpp"
#include "bootkey/network/rtnetlink.hpp"
#include "netlink_socket.hpp"

namespace bootkey::network {
namespace {

using base::Error;
using base::IpAddress;
using base::Result;

constexpr int most_dumps = 5;           // of a table that keeps changing under the dump
constexpr int most_left_over = 10'000;  // datagrams of an answer that is given up
constexpr int most_tries = 3;           // while the kernel has no memory for a question or its answer

Error request_error(std::string tried, const Acknowledgement& answer) {
    const bool refused = answer.errno_value == EPERM || answer.errno_value == EACCES;
    Error error = base::system_error(std::move(tried), answer.errno_value, refused ? "run bootkey as root" : "",
                                     refused ? base::ExitCode::no_permission : base::ExitCode::os_error);
    if (!answer.explanation.empty()) error.why += " (" + answer.explanation + ")";
    return error;
}

// Sends the request and gives every message of the answer to `each`, up to the acknowledgement, which it returns.
// EINTR: a dump was interrupted by a change.
Acknowledgement exchange_once(NetlinkSocket& socket, RequestBuffer& request,
                              const std::function<void(const Message&)>& each) {
    if (const int reason = socket.send(request); reason != 0) return {reason, {}};
    bool interrupted = false;
    for (;;) {
        const auto received = socket.receive();
        if (const int* reason = std::get_if<int>(&received)) {
            // The rest of a dump: until it is read the kernel begins no other (EBUSY).
            for (int i = 0; i < most_left_over && std::holds_alternative<Bytes>(socket.receive()); ++i) {
            }
            return {*reason == EAGAIN ? EPROTO : *reason, *reason == EAGAIN ? "no answer" : ""};
        }
        Bytes rest = std::get<Bytes>(received);
        while (const auto message = take_message(rest)) {
            if (!socket.is_answer(*message)) continue;  // left over from an exchange that failed
            interrupted = interrupted || (message->flags & NLM_F_DUMP_INTR) != 0;
            if (message->type != NLMSG_ERROR && message->type != NLMSG_DONE) {
                each(*message);
                continue;
            }
            auto answer = decode_acknowledgement(*message);
            if (!answer) return {EPROTO, {}};
            if (answer->errno_value == 0 && interrupted) answer->errno_value = EINTR;
            return std::move(*answer);
        }
    }
}

bool is_passing(const Acknowledgement& answer) {
    return answer.errno_value == ENOBUFS || answer.errno_value == ENOMEM;
}

// All requests made here may be made twice: the second time nothing is left to be done, or the same to be told.
Acknowledgement exchange(
    NetlinkSocket& socket, RequestBuffer& request,
    const std::function<void(const Message&)>& each = [](const Message&) {}) {
    Acknowledgement answer;
    for (int i = 0; i < most_tries; ++i) {
        answer = exchange_once(socket, request, each);
        if (!is_passing(answer)) break;
    }
    return answer;
}

std::uint16_t type_of_reply(std::uint16_t request) {
    return request == RTM_GETADDR ? RTM_NEWADDR : RTM_NEWROUTE;
}

// Dumps a table of addresses or routes; `fill` completes the request, `keep` decodes and chooses.
template <typename Structure, typename Item>
Result<std::vector<Item>> dump(NetlinkSocket& socket, std::uint16_t type, const char* tried,
                               const std::function<std::optional<Item>(const Message&)>& keep) {
    Acknowledgement answer;
    for (int i = 0; i < most_dumps; ++i) {
        RequestBuffer request(type, NLM_F_DUMP);
        request.put_structure<Structure>();  // AF_UNSPEC: both families
        std::vector<Item> items;
        answer = exchange_once(socket, request, [&](const Message& message) {
            if (message.type != type_of_reply(type)) return;
            if (auto item = keep(message)) items.push_back(std::move(*item));
        });
        if (answer.errno_value == 0) return items;
        if (answer.errno_value != EINTR && !is_passing(answer)) break;
    }
    return request_error(tried, answer);
}

// The route to one address over one interface, as both the addition and the deletion name it.
void fill_host_route(RequestBuffer& request, const IpAddress& destination, std::uint32_t index) {
    auto& route = request.put_structure<rtmsg>();
    const auto bytes = destination.bytes();
    route.rtm_family = static_cast<unsigned char>(destination.family());
    route.rtm_dst_len = static_cast<unsigned char>(bytes.size() * 8);
    route.rtm_table = RT_TABLE_MAIN;
    route.rtm_protocol = RTPROT_STATIC;
    route.rtm_type = RTN_UNICAST;
    route.rtm_scope = destination.is_v6() ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;  // IPv6 knows no scopes of routes
    mnl_attr_put(request.header(), RTA_DST, bytes.size(), bytes.data());
    mnl_attr_put_u32(request.header(), RTA_OIF, index);
}

std::string route_text(const IpAddress& destination, std::uint32_t index) {
    return "route to " + destination.text() + base::format(" over interface number %u", index);
}

}  // namespace

NetlinkRequests::NetlinkRequests(NetlinkSocket socket) : socket_(std::make_unique<NetlinkSocket>(std::move(socket))) {
}
NetlinkRequests::NetlinkRequests(NetlinkRequests&&) noexcept = default;
NetlinkRequests& NetlinkRequests::operator=(NetlinkRequests&&) noexcept = default;
NetlinkRequests::~NetlinkRequests() = default;

Result<NetlinkRequests> NetlinkRequests::open() {
    auto socket = NetlinkSocket::open(0);
    if (!socket) return std::move(socket).error();
    return NetlinkRequests(std::move(*socket));
}

Result<std::optional<Link>> NetlinkRequests::link(std::uint32_t index) {
    RequestBuffer request(RTM_GETLINK, NLM_F_ACK);
    request.put_structure<ifinfomsg>().ifi_index = static_cast<int>(index);
    std::optional<Link> link;
    const Acknowledgement answer = exchange(*socket_, request, [&](const Message& message) {
        auto report = decode(message.whole);
        if (auto* found = report ? std::get_if<LinkReport>(&*report) : nullptr) link = std::move(found->link);
    });
    if (answer.errno_value == ENODEV) return std::optional<Link>();
    if (answer.errno_value != 0)
        return request_error(base::format("cannot look up interface number %u", index), answer);
    return link;
}

Result<std::vector<AddressDetail>> NetlinkRequests::addresses(std::uint32_t index) {
    return dump<ifaddrmsg, AddressDetail>(*socket_, RTM_GETADDR, "cannot list addresses",
                                          [index](const Message& message) {
                                              auto detail = decode_address(message);
                                              if (detail && detail->address.interface != index) detail.reset();
                                              return detail;
                                          });
}

Result<std::vector<RouteDetail>> NetlinkRequests::routes(std::uint32_t index) {
    return dump<rtmsg, RouteDetail>(*socket_, RTM_GETROUTE, "cannot list routes", [index](const Message& message) {
        auto detail = decode_route(message);
        if (detail &&
            std::find(detail->interfaces.begin(), detail->interfaces.end(), index) == detail->interfaces.end())
            detail.reset();
        return detail;
    });
}

Result<bool> NetlinkRequests::has_route(const IpAddress& destination) {
    RequestBuffer request(RTM_GETROUTE, NLM_F_ACK);
    auto& route = request.put_structure<rtmsg>();
    const auto bytes = destination.bytes();
    route.rtm_family = static_cast<unsigned char>(destination.family());
    route.rtm_dst_len = static_cast<unsigned char>(bytes.size() * 8);
    mnl_attr_put(request.header(), RTA_DST, bytes.size(), bytes.data());
    bool known = false;
    const Acknowledgement answer = exchange(*socket_, request, [&](const Message& message) {
        const auto found = decode_route(message);
        known = found && found->type != RTN_UNREACHABLE;
    });
    switch (answer.errno_value) {
        case 0:
            return known;
        case ENETUNREACH:
        case EHOSTUNREACH:
            return false;
        case EACCES:  // a "prohibit" route
        case EINVAL:
            return true;  // a "blackhole" route
        default:
            return request_error("cannot look up the route to " + destination.text(), answer);
    }
}

Result<void> NetlinkRequests::set_up(const Link& link, bool up) {
    // RTM_NEWLINK without NLM_F_CREATE changes an interface that exists (rtnetlink(7)).
    RequestBuffer request(RTM_NEWLINK, NLM_F_ACK);
    auto& info = request.put_structure<ifinfomsg>();
    info.ifi_index = static_cast<int>(link.index);
    info.ifi_flags = up ? IFF_UP : 0;
    info.ifi_change = IFF_UP;
    const Acknowledgement answer = exchange(*socket_, request);
    if (answer.errno_value == 0) return {};
    return request_error((up ? "cannot bring up interface " : "cannot take down interface ") + base::escaped(link.name),
                         answer);
}

Result<bool> NetlinkRequests::add_host_route(const IpAddress& destination, std::uint32_t index) {
    RequestBuffer request(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
    fill_host_route(request, destination, index);
    const Acknowledgement answer = exchange(*socket_, request);
    if (answer.errno_value == 0) return true;
    if (answer.errno_value == EEXIST) return false;
    return request_error("cannot add the " + route_text(destination, index), answer);
}

Result<bool> NetlinkRequests::delete_host_route(const IpAddress& destination, std::uint32_t index) {
    RequestBuffer request(RTM_DELROUTE, NLM_F_ACK);
    fill_host_route(request, destination, index);
    const Acknowledgement answer = exchange(*socket_, request);
    if (answer.errno_value == 0) return true;
    if (answer.errno_value == ESRCH || answer.errno_value == ENODEV) return false;
    return request_error("cannot delete the " + route_text(destination, index), answer);
}

}  // namespace bootkey::network
