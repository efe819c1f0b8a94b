// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the monitor lets the other processes say and have done. The worker listens to the network and the decryptor
// reads what comes from there, so either may have been taken over by somebody there: they get what unlocking needs and
// the options allow, and nothing else. The tables in request_policy.cpp say what that is; PrivilegedExecutor bounds the
// number of routes, and SupervisedProcess ends a process that gives signs of life nobody asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "bootkey/base/address.hpp"
#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/base/time.hpp"
#include "bootkey/changes/request.hpp"
#include "bootkey/monitor/allowance.hpp"
#include "bootkey/monitor/messages.hpp"
#include "bootkey/network/interface_choice.hpp"
#include "bootkey/network/link_table.hpp"

namespace bootkey::monitor {

/// What is to be done about a message.
enum class Verdict {
    handle,
    ignore,       ///< it comes too late, or too often
    leave_out,    ///< it is one too many of those that only tell something
    refuse,       ///< it is one too many of those that ask for something
    end_process,  ///< a sound process does not say so much
};

class RequestPolicy {
public:
    /// The interface with this index as the kernel has it now; nothing if there is none.
    using FindLink = std::function<base::Result<std::optional<network::Link>>(std::uint32_t)>;

    /// `choice`: which interfaces may be used. `log`, told what is refused, must outlive the object.
    RequestPolicy(network::InterfaceChoice choice, FindLink find_link, const base::Log& log);

    /// What to do about a message that comes now; `is_over`: the program is already ending.
    [[nodiscard]] Verdict admit(const FromWorker& message, base::Time now, bool is_over);
    [[nodiscard]] Verdict admit(const FromDecryptor& message, base::Time now, bool is_over);
    /// Whether the worker's request may be performed. Errors: unavailable, and those of FindLink.
    [[nodiscard]] base::Result<void> judge(const changes::Request& request);

    /// There is a new process, against which nothing is held yet.
    void worker_started();
    void decryptor_started();

    /// Whether the worker has so often asked for what a sound one never asks for that it should not go on.
    [[nodiscard]] bool is_out_of_patience() const { return refusals_ >= max_refusals; }
    /// Not one: the choice of interfaces may have changed since the worker looked.
    static constexpr int max_refusals = 16;

private:
    [[nodiscard]] base::Result<void> judge_destination(const base::IpAddress& destination);
    [[nodiscard]] base::Result<void> judge_interface(const char* action, std::uint32_t interface, bool to_bring_up);
    [[nodiscard]] base::Error refused(std::string tried, std::string why);

    network::InterfaceChoice choice_;
    FindLink find_link_;
    const base::Log& log_;
    int refusals_ = 0;
    Allowance worker_messages_, worker_requests_, worker_news_;
    Allowance decryptor_messages_, passphrase_questions_;
};

}  // namespace bootkey::monitor
