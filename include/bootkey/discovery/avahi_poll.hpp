// SPDX-License-Identifier: GPL-3.0-or-later
//
// avahi-core's event polling on our Loop. Avahi owns the watches and timeouts it makes here and frees them, also from
// inside their own callbacks. Datagrams from the network can be kept from Avahi before it reads them.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "bootkey/base/loop.hpp"
#include "bootkey/discovery/datagram.hpp"

struct AvahiPoll;

namespace bootkey::discovery {

class AvahiPollAdapter {
public:
    /// Whether Avahi may read this datagram from the network.
    using Admission = std::function<bool(std::span<const std::byte>, const Arrival&)>;

    /// Without `admission` everything is admitted.
    explicit AvahiPollAdapter(base::Loop& loop, Admission admission = {});
    ~AvahiPollAdapter();
    AvahiPollAdapter(const AvahiPollAdapter&) = delete;
    AvahiPollAdapter& operator=(const AvahiPollAdapter&) = delete;

    /// For avahi_server_new(); valid as long as this object, which must outlive all Avahi objects made with it.
    [[nodiscard]] const AvahiPoll* api() const { return api_.get(); }

    [[nodiscard]] base::Loop& loop() const { return loop_; }
    [[nodiscard]] const Admission& admission() const { return admission_; }

private:
    base::Loop& loop_;
    Admission admission_;
    std::unique_ptr<AvahiPoll> api_;
};

}  // namespace bootkey::discovery
