// SPDX-License-Identifier: GPL-3.0-or-later
//
// The worker's requests, judged: it listens to the network, so it may have been taken over by somebody there. It gets
// what unlocking needs and the options allow, and nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "bootkey/base/address.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/changes/administration.hpp"
#include "bootkey/monitor/messages.hpp"
#include "bootkey/network/interface_choice.hpp"
#include "bootkey/network/netlink_request.hpp"

namespace bootkey::monitor {

class GuardedAdministration {
public:
    /// The interface with this index as the kernel has it now; nothing if there is none.
    using FindLink = std::function<base::Result<std::optional<network::Link>>(std::uint32_t)>;

    /// `choice`: which interfaces may be used. `administration` does what is allowed and must outlive the object, as
    /// must `log`.
    GuardedAdministration(changes::Administration& administration, network::InterfaceChoice choice, FindLink find_link,
                          const base::Log& log)
        : administration_(administration), choice_(std::move(choice)), find_link_(std::move(find_link)), log_(log) {}

    using Reply = std::function<void(ToWorker)>;

    /// Carries out a request, or refuses it. `reply` is called once if it asks for one, not before this returns unless
    /// refused.
    void request(const StartHooks& request, Reply reply);
    void request(const BringUp& request, Reply reply);
    void request(const AddHostRoute& request, Reply reply);
    void request(const RemoveHostRoute& request, Reply reply);
    void request(const LowerConsoleLevel&, const Reply&) { administration_.lower_console_level(); }
    void request(const RestoreConsoleLevel&, const Reply&) { administration_.restore_console_level(); }

    /// Whether the worker has so often asked for what a sound one never asks for that it should not go on.
    [[nodiscard]] bool is_out_of_patience() const { return refusals_ >= most_refusals; }
    /// There is a new worker.
    void be_patient_again() { refusals_ = 0; }

    /// Not one: the choice of interfaces may have changed since the worker looked.
    static constexpr int most_refusals = 16;

private:
    /// Why the interface may not be used like that, if so.
    [[nodiscard]] base::Result<void> allow(const char* what, std::uint32_t interface, bool to_bring_up);
    [[nodiscard]] base::Result<void> allow(const base::IpAddress& destination);
    [[nodiscard]] base::Error refused(std::string tried, std::string why);

    changes::Administration& administration_;
    network::InterfaceChoice choice_;
    FindLink find_link_;
    const base::Log& log_;
    int refusals_ = 0;
    bool hooks_asked_for_ = false;
    bool hooks_over_ = false;
    std::string reserved_;  // by hooks that still run
    Reply waiting_for_hooks_;
};

}  // namespace bootkey::monitor
