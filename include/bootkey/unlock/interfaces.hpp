// SPDX-License-Identifier: GPL-3.0-or-later
//
// The network interfaces in use: follows the kernel's reports, brings up what is chosen once the network hooks have
// run, and tells which interfaces and addresses can be used from when to when. Asks for every change.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bootkey/base/log.hpp"
#include "bootkey/base/loop.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/changes/request.hpp"
#include "bootkey/network/interface_choice.hpp"
#include "bootkey/network/rtnetlink.hpp"
#include "bootkey/timeline/timeline.hpp"

namespace bootkey::unlock {

class Interfaces {
public:
    /// Told from the loop.
    struct Listener {
        /// The address can be used, on an interface that is chosen, up and running.
        std::function<void(const network::InterfaceAddress&)> usable;
        /// The interface went down, lost its carrier, or (`removed`) vanished.
        std::function<void(std::uint32_t interface, bool removed)> gone;
        /// Links or addresses changed in any way; the table is up to date.
        std::function<void()> changed;
        /// Bringing interfaces up is not permitted, and none is up (no_permission).
        std::function<void(base::Error)> refused;
        /// Something has become of an interface that is chosen.
        std::function<void(const timeline::InterfaceRecord&)> progress;
    };

    /// Starts the network hooks and follows the kernel. `delay`: how long to wait for a usable interface before saying
    /// so. All references must outlive the object. Errors: netlink cannot be opened.
    [[nodiscard]] static base::Result<std::unique_ptr<Interfaces>> start(base::Loop& loop, const base::Log& log,
                                                                         network::InterfaceChoice choice,
                                                                         base::Duration delay,
                                                                         changes::RequestSender ask, Listener listener);
    Interfaces(const Interfaces&) = delete;
    Interfaces& operator=(const Interfaces&) = delete;
    ~Interfaces();

    [[nodiscard]] const network::LinkTable& table() const { return links_->table(); }
    /// Indices of the interfaces that are chosen, up and running.
    [[nodiscard]] std::set<std::uint32_t> in_use() const;
    /// One line an interface in use, for the log.
    [[nodiscard]] std::vector<std::string> status() const;

private:
    struct State {
        bool asked_up = false;  ///< bring_up() was asked for
        bool failed = false;    ///< in vain, and it is to be tried again
        bool in_use = false;
        timeline::InterfaceRecord record = {};
    };

    Interfaces(base::Loop& loop, const base::Log& log, network::InterfaceChoice choice, base::Duration delay,
               changes::RequestSender ask, Listener listener);
    void begin_when_ready();
    void on_event(const network::Event& event);
    void on_removed(const network::Link& link);
    void consider(const network::Link& link);
    void bring_up(const network::Link& link);
    void on_brought_up(std::uint32_t interface, const base::Result<void>& result);
    void bring_up_again();
    void set_in_use(const network::Link& link, bool in_use);
    void use(const network::InterfaceAddress& address, State& state);
    /// Notes in the interface's record that this has happened now, if it has not before, and tells.
    void note(State& state, timeline::Moment timeline::InterfaceRecord::*what);
    void report_missing_names() const;
    void report_missing_addresses() const;
    void on_delay_passed();
    void restore_console_level();

    base::Loop& loop_;
    const base::Log& log_;
    network::InterfaceChoice choice_;
    base::Duration delay_;
    changes::RequestSender ask_;
    Listener listener_;
    std::map<std::uint32_t, State> states_;
    int bring_ups_pending_ = 0;
    bool hooks_over_ = false;  // or slower than --delay
    bool has_begun_ = false;
    bool links_known_ = false;  // the first dump is complete
    bool console_lowered_ = false;
    base::Duration bring_up_pause_;  // before the next try of what could not be brought up
    std::unique_ptr<base::Timer> delay_timer_;
    std::unique_ptr<base::Timer> bring_up_timer_;
    std::unique_ptr<network::RtnetlinkMonitor> links_;
    // Replies may come after this object is gone; its callbacks look here first.
    std::shared_ptr<Interfaces*> self_ = std::make_shared<Interfaces*>(this);
};

}  // namespace bootkey::unlock
