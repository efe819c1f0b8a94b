// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/remote_administration.hpp"

#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::monitor {

std::uint32_t RemoteAdministration::remember(Done done) {
    waiting_.emplace(next_number_, std::move(done));
    return next_number_++;
}

void RemoteAdministration::start_hooks(Proceed proceed) {
    proceed_ = std::move(proceed);
    say(StartHooks{});
}

void RemoteAdministration::bring_up(std::uint32_t interface, Done done) {
    say(BringUp{remember(std::move(done)), interface});
}

void RemoteAdministration::add_host_route(const base::IpAddress& destination, std::uint32_t interface, Done done) {
    say(AddHostRoute{remember(std::move(done)), interface, destination});
}

void RemoteAdministration::remove_host_route(const base::IpAddress& destination, std::uint32_t interface, Done done) {
    say(RemoveHostRoute{remember(std::move(done)), interface, destination});
}

void RemoteAdministration::hooks_over(const std::string& reserved) {
    std::vector<std::string> names;
    for (const std::string_view name : base::split(reserved, ','))
        if (!name.empty()) names.emplace_back(name);
    if (proceed_) proceed_(names);
}

void RemoteAdministration::done(const monitor::Done& answer) {
    auto waiting = waiting_.extract(answer.number);
    if (waiting.empty()) return;
    if (answer.error)
        waiting.mapped()(*answer.error);
    else
        waiting.mapped()({});
}

}  // namespace bootkey::monitor
