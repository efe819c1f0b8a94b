// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the tests of changes to a real kernel have in common: the machine, and questions to the kernel.
#pragma once

#include <net/if.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>

#include "bootkey/changes/changes.hpp"
#include "bootkey/network/netlink_request.hpp"
#include "network/sandbox_fixture.hpp"

namespace bootkey::changes::fixture {

using namespace network::fixture;

inline base::IpAddress ip(const std::string& text) {
    return base::IpAddress::parse(text).value();
}

/// A machine's files of which the tests have their own; the rest is the kernel's, in the namespace of the test.
struct SandboxMachine {
    TemporaryDirectory directory;
    RememberingLog log;
    Paths paths;

    SandboxMachine() {
        paths = Paths::with_journal_in(directory / "run");
        paths.home_parents = {directory / "run", directory.path()};
        paths.boot_configuration = directory.path();
        paths.printk = directory / "printk";
        write_text(paths.printk, "7\t4\t1\t7\n");
    }
    Changes changes() { return expect(Changes::open(log.log, paths)); }
    std::string journal() const { return content_of(paths.journal_directory + "/journal"); }
    bool clean() const { return !std::filesystem::exists(paths.journal_directory); }
};

inline std::uint32_t index_of(const char* name) {
    return if_nametoindex(name);
}

inline network::Link find(const char* name) {
    return expect(expect(network::NetlinkRequests::open()).link(index_of(name))).value();
}
inline bool is_up(const char* name) {
    return (find(name).flags & IFF_UP) != 0;
}

inline std::string accept_dad(const std::string& name) {
    const std::string text = content_of("/proc/sys/net/ipv6/conf/" + name + "/accept_dad");
    return text.substr(0, text.find('\n'));
}

inline void expect_ok(const base::Result<void>& result) {
    if (!result) throw std::runtime_error(result.error().message());
}

/// Whether `condition` comes true within five seconds.
template <typename Condition>
bool soon(Condition condition) {
    for (int i = 0; i < 500; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

}  // namespace bootkey::changes::fixture
