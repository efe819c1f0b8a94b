// SPDX-License-Identifier: GPL-3.0-or-later
//
// A real responder for tests: avahi-core publishing _mandos._tcp services, as avahi-daemon does for a Mandos server. It
// belongs to the network namespace in which it is made.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bootkey/base/loop.hpp"
#include "bootkey/discovery/avahi_poll.hpp"

struct AvahiServer;
struct AvahiSEntryGroup;

namespace bootkey::discovery::test {

class Announcer {
public:
    explicit Announcer(base::Loop& loop, const std::string& host = "server");
    ~Announcer();
    Announcer(const Announcer&) = delete;
    Announcer& operator=(const Announcer&) = delete;

    /// Its own host name has been probed for and announced.
    [[nodiscard]] bool running() const;
    void publish(const std::string& name, std::uint16_t port, const std::vector<std::string>& txt = {});
    /// The last publish() is through with its probing.
    [[nodiscard]] bool established() const;
    /// Says goodbye for all that was published.
    void withdraw();

private:
    AvahiPollAdapter poll_;
    AvahiServer* server_ = nullptr;
    AvahiSEntryGroup* group_ = nullptr;
};

}  // namespace bootkey::discovery::test
