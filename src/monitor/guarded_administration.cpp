// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/guarded_administration.hpp"

#include <net/if.h>

#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::monitor {
namespace {

using base::Error;
using base::ExitCode;
using base::Result;

Error refusal(std::string tried, std::string why) {
    return {ExitCode::unavailable, std::move(tried), std::move(why), ""};
}

std::optional<Error> error_of(const Result<void>& result) {
    if (result) return std::nullopt;
    return result.error();
}

}  // namespace

Result<void> GuardedAdministration::allow(const char* what, std::uint32_t interface, bool to_bring_up) {
    std::string tried = base::format("refused to %s interface number %u", what, interface);
    const auto link = find_link_(interface);
    if (!link) return link.error();
    if (!*link) return refusal(std::move(tried), "there is none with that number");
    const network::Use use = choice_.use(**link);
    const bool up = ((*link)->flags & IFF_UP) != 0;  // then it is only counted as used
    if (use == network::Use::ignore || (to_bring_up && use != network::Use::bring_up && !up))
        return refused(std::move(tried), "it is not one of those to be used");
    return {};
}

Result<void> GuardedAdministration::allow(const base::IpAddress& destination) {
    if (!destination.is_loopback() && !destination.is_unspecified() && !destination.is_multicast() &&
        !destination.is_link_local())
        return {};
    return refused("refused to add a route to " + destination.text(), "no server can have that address");
}

// What a sound worker never asks for.
Error GuardedAdministration::refused(std::string tried, std::string why) {
    ++refusals_;
    Error error = refusal(std::move(tried), std::move(why));
    log_.warning(error.message());
    return error;
}

// A worker that was started again asks once more; the hooks have run by then, or still do.
void GuardedAdministration::request(const StartHooks&, Reply reply) {
    waiting_for_hooks_ = std::move(reply);
    if (hooks_over_) return waiting_for_hooks_(HooksOver{reserved_});
    if (std::exchange(hooks_asked_for_, true)) return;
    administration_.start_hooks([this](const std::vector<std::string>& reserved) {
        hooks_over_ = true;
        reserved_.clear();
        for (const std::string& name : reserved) reserved_ += (reserved_.empty() ? "" : ",") + name;
        waiting_for_hooks_(HooksOver{reserved_});
    });
}

void GuardedAdministration::request(const BringUp& request, Reply reply) {
    if (auto allowed = allow("bring up", request.interface, true); !allowed)
        return reply(Done{request.number, std::move(allowed).error()});
    administration_.bring_up(request.interface,
                             [number = request.number, reply = std::move(reply)](const Result<void>& result) {
                                 reply(Done{number, error_of(result)});
                             });
}

void GuardedAdministration::request(const AddHostRoute& request, Reply reply) {
    auto allowed = allow(request.destination);
    if (allowed) allowed = allow("add a route over", request.interface, false);
    if (!allowed) return reply(Done{request.number, std::move(allowed).error()});
    administration_.add_host_route(request.destination, request.interface,
                                   [number = request.number, reply = std::move(reply)](const Result<void>& result) {
                                       reply(Done{number, error_of(result)});
                                   });
}

// Only what was added by this instance is removed, so there is nothing to judge.
void GuardedAdministration::request(const RemoveHostRoute& request, Reply reply) {
    administration_.remove_host_route(request.destination, request.interface,
                                      [number = request.number, reply = std::move(reply)](const Result<void>& result) {
                                          reply(Done{number, error_of(result)});
                                      });
}

}  // namespace bootkey::monitor
