// SPDX-License-Identifier: GPL-3.0-or-later
//
// One-shot multicast DNS questions (RFC 6762 sections 5.1 and 6.7): sent from an ephemeral port, answered by unicast
// and at once, where a full multicast DNS querier waits a tenth of a second or more. Owns a socket per interface and
// protocol, open only while answers are waited for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/discovery/dns_message.hpp"
#include "bootkey/discovery/sighting.hpp"

namespace bootkey::discovery {

class OneShotQuery {
public:
    /// `heard` is called from the loop for every whole service instance in every answer; it may call ask() and
    /// forget().
    OneShotQuery(base::Loop& loop, const base::Log& log, std::function<void(const Sighting&)> heard);
    ~OneShotQuery();
    OneShotQuery(const OneShotQuery&) = delete;
    OneShotQuery& operator=(const OneShotQuery&) = delete;

    /// Asks now and again after 1 s and 3 s on the interface, over the protocol of `local`, one of the interface's own
    /// addresses (over IPv4 it is the source). A failure is logged; the later questions may still succeed.
    void ask(std::uint32_t interface, const base::IpAddress& local);
    /// Asks once more, now, where the last question is more than a tenth of a second ago.
    void ask_once_more(std::uint32_t interface, const base::IpAddress& local);
    /// Takes in what was announced there to everybody as if it had been asked for, and asks for what it lacks.
    void take(std::uint32_t interface, const base::IpAddress& local, const DnsAnswer& announcement);
    /// Stops asking and listening there.
    void forget(std::uint32_t interface);
    /// How many sockets are open.
    [[nodiscard]] std::size_t open_sockets() const { return channels_.size(); }

private:
    class Channel;
    using Key = std::pair<std::uint32_t, int>;  // interface, family
    [[nodiscard]] Channel* channel(std::uint32_t interface, const base::IpAddress& local);
    void deliver(Key key);
    void tell(const std::vector<Sighting>& sightings);

    base::Loop& loop_;
    const base::Log& log_;
    std::function<void(const Sighting&)> heard_;
    std::map<Key, std::unique_ptr<Channel>> channels_;
};

}  // namespace bootkey::discovery
