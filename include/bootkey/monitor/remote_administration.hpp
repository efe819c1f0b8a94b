// SPDX-License-Identifier: GPL-3.0-or-later
//
// changes::Administration as the worker has it: every request becomes a message to the monitor, and its answer a
// callback.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "bootkey/changes/administration.hpp"
#include "bootkey/monitor/channel.hpp"
#include "bootkey/monitor/messages.hpp"

namespace bootkey::monitor {

class RemoteAdministration final : public changes::Administration {
public:
    /// `monitor` must outlive the object.
    explicit RemoteAdministration(Channel& monitor) : monitor_(monitor) {}

    void start_hooks(Proceed proceed) override;
    void bring_up(std::uint32_t interface, Done done) override;
    void add_host_route(const base::IpAddress& destination, std::uint32_t interface, Done done) override;
    void remove_host_route(const base::IpAddress& destination, std::uint32_t interface, Done done) override;
    void lower_console_level() override { say(LowerConsoleLevel{}); }
    void restore_console_level() override { say(RestoreConsoleLevel{}); }

    /// What the monitor answered.
    void hooks_over(const std::string& reserved);
    void done(const monitor::Done& answer);

private:
    void say(FromWorker request) { monitor_.send(request); }
    [[nodiscard]] std::uint32_t remember(Done done);

    Channel& monitor_;
    Proceed proceed_;
    std::uint32_t next_number_ = 0;
    std::map<std::uint32_t, Done> waiting_;  // by number
};

}  // namespace bootkey::monitor
