// SPDX-License-Identifier: GPL-3.0-or-later
//
// What has become of each server so far, and how many bytes were read and written: what the management interface tells
// when asked for the status, and finds connections by that are to be dropped. Bounded, since a worker may tell
// anything. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bootkey/base/address.hpp"
#include "bootkey/management/steering.hpp"
#include "bootkey/monitor/messages.hpp"
#include "bootkey/timeline/timeline_keeper.hpp"

namespace bootkey::monitor {

class ServerLedger {
public:
    /// The interface with this index is called so.
    void name_interface(std::uint32_t index, const std::string& name);
    /// What is known of an attempt. `when`: seconds since 1970.
    void attempt(const timeline::AttemptKey& key, const AttemptNews& news, std::int64_t when);
    /// Its answer is not the password, because of `why`.
    void rejected(const timeline::AttemptKey& key, const std::string& why, std::int64_t when);
    /// All attempts have ended.
    void interrupted(const std::string& why, std::int64_t when);

    [[nodiscard]] std::vector<management::ServerRow> rows() const;
    [[nodiscard]] management::Totals totals() const;
    /// Attempts that are under way with the server that status or the log shows by this name, or, if there is none,
    /// with the one that has this name as it is.
    [[nodiscard]] std::vector<timeline::AttemptKey> attempts_with(std::string_view name) const;
    /// Attempts that are under way at this address, over the interface `scope` (its name or index) if that is not
    /// empty.
    [[nodiscard]] std::vector<timeline::AttemptKey> attempts_with(const base::IpAddress& address,
                                                                  std::string_view scope, std::uint16_t port) const;

    static constexpr std::size_t most_servers = 256;  ///< rows; no more are begun

private:
    struct Place {
        std::string name;
        base::Endpoint endpoint;
        friend auto operator<=>(const Place&, const Place&) = default;
    };
    struct Attempt {
        std::uint64_t received = 0;
        std::uint64_t sent = 0;
        bool answered = false;
    };
    struct Server {
        management::ServerRow row;
        std::map<timeline::AttemptKey, Attempt> attempts;  // under way, or being judged
    };
    template <typename Matches>
    [[nodiscard]] std::vector<timeline::AttemptKey> attempts_where(Matches matches) const;
    void set_phase(Server& server, const char* phase, std::int64_t when);
    [[nodiscard]] bool is_scope(std::uint32_t interface, std::string_view scope) const;

    std::map<Place, Server> servers_;
    std::map<std::uint32_t, std::string> interfaces_;  // names as the kernel has them
    std::uint64_t received_ = 0;
    std::uint64_t sent_ = 0;
};

}  // namespace bootkey::monitor
