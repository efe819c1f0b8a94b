// SPDX-License-Identifier: GPL-3.0-or-later
//
// The monitor: one socket for the dumps and the notifications, so that both arrive in the order in which they became
// true.
#include "bootkey/network/rtnetlink.hpp"

#include <linux/rtnetlink.h>

#include <cerrno>

#include "netlink_socket.hpp"

namespace bootkey::network {
namespace {

// So that a machine with thousands of interfaces does not hold up everything else in the loop; 32 KiB each.
constexpr int datagrams_a_turn = 16;
// Until the next try after the kernel refused a dump; it says EBUSY or ENOBUFS for a moment at most.
constexpr base::Duration retry_after = std::chrono::milliseconds(200);

class Monitor final : public RtnetlinkMonitor {
public:
    Monitor(base::Loop& loop, const base::Log& log, NetlinkSocket socket, Listener listener,
            std::function<void()> dumped)
        : log_(log),
          socket_(std::move(socket)),
          listener_(std::make_shared<Listener>(std::move(listener))),
          dumped_(std::move(dumped)) {
        watch_ = loop.watch(socket_.fd(), {.readable = true, .writable = false}, [this](base::Readiness) { read(); });
        retry_ = loop.timer([this] { dump(); });
        dump();
    }
    const LinkTable& table() const override { return table_; }

private:
    enum class Dump { none, links, addresses };

    // Starts a dump, or has one that runs followed by another.
    void dump() {
        if (running_ != Dump::none) {
            again_ = true;
            return;
        }
        again_ = false;
        table_.begin_dump();
        ask(Dump::links);
    }

    void ask(Dump what) {
        RequestBuffer request(what == Dump::links ? RTM_GETLINK : RTM_GETADDR, NLM_F_DUMP);
        if (what == Dump::links)
            request.put_structure<ifinfomsg>().ifi_family = AF_UNSPEC;
        else
            request.put_structure<ifaddrmsg>().ifa_family = AF_UNSPEC;
        if (const int reason = socket_.send(request); reason != 0) return refused(reason);
        running_ = what;
    }

    void refused(int reason) {
        running_ = Dump::none;
        log_.warning(base::system_error("cannot ask the kernel for its interfaces", reason, "trying again").message());
        retry_->arm(retry_after);
    }

    void read() {
        const std::weak_ptr<char> alive = alive_;
        for (int i = 0; i < datagrams_a_turn; ++i) {
            const auto received = socket_.receive();
            if (const int* reason = std::get_if<int>(&received)) {
                if (*reason == EAGAIN) return;
                // ENOBUFS (netlink(7)): notifications were lost, so only a new dump tells what is true.
                log_.debug(
                    base::system_error("kernel's reports on interfaces were lost", *reason, "asking anew").message());
                return dump();
            }
            Bytes rest = std::get<Bytes>(received);
            while (const auto message = take_message(rest)) {
                handle(*message);
                if (alive.expired()) return;
            }
        }
    }

    void handle(const Message& message) {
        if (running_ != Dump::none && socket_.is_answer(message)) {
            if ((message.flags & NLM_F_DUMP_INTR) != 0) again_ = true;  // the dump is of two different moments
            if (message.type == NLMSG_DONE || message.type == NLMSG_ERROR) return dump_ended(message);
        }
        if (const auto report = decode(message.whole)) tell(table_.apply(*report));
    }

    void dump_ended(const Message& message) {
        const auto answer = decode_acknowledgement(message);
        const Dump ended = std::exchange(running_, Dump::none);
        if (!answer || answer->errno_value == EINTR)
            again_ = true;
        else if (answer->errno_value != 0)
            return refused(answer->errno_value);
        if (again_) return dump();
        if (ended == Dump::links) return ask(Dump::addresses);
        const std::weak_ptr<char> alive = alive_;
        tell(table_.end_dump());
        if (!alive.expired() && dumped_) std::exchange(dumped_, nullptr)();
    }

    void tell(const std::vector<Event>& events) {
        const std::weak_ptr<char> alive = alive_;
        const std::shared_ptr<Listener> listener = listener_;  // lives on if it destroys us
        for (const Event& event : events) {
            (*listener)(event);
            if (alive.expired()) return;  // the listener had enough
        }
    }

    const base::Log& log_;
    NetlinkSocket socket_;
    std::shared_ptr<Listener> listener_;
    std::function<void()> dumped_;
    LinkTable table_;
    Dump running_ = Dump::none;
    bool again_ = false;
    std::shared_ptr<char> alive_ = std::make_shared<char>();
    std::unique_ptr<base::Timer> retry_;
    std::unique_ptr<base::Watch> watch_;  // goes first
};

}  // namespace

base::Result<std::unique_ptr<RtnetlinkMonitor>> RtnetlinkMonitor::open(base::Loop& loop, const base::Log& log,
                                                                       Listener listener,
                                                                       std::function<void()> dumped) {
    auto socket = NetlinkSocket::open(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
    if (!socket) return std::move(socket).error();
    return std::unique_ptr<RtnetlinkMonitor>(
        std::make_unique<Monitor>(loop, log, std::move(*socket), std::move(listener), std::move(dumped)));
}

}  // namespace bootkey::network
