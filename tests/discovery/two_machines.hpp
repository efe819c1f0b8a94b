// SPDX-License-Identifier: GPL-3.0-or-later
//
// Two network namespaces joined by a veth pair, for tests: "ours" and "theirs". A socket belongs to the namespace that
// was entered when it was made, so one process and one loop can play both machines. All of it vanishes with the object.
#pragma once

#include <functional>
#include <string>

#include "bootkey/base/address.hpp"
#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::discovery::test {

class TwoMachines {
public:
    /// Empty if namespaces can be made here, else why not.
    [[nodiscard]] static std::string why_not();
    /// Makes both, with link-local IPv6 addresses that are usable at once, and enters ours.
    TwoMachines();
    /// Goes back to the namespace from before.
    ~TwoMachines();
    TwoMachines(const TwoMachines&) = delete;
    TwoMachines& operator=(const TwoMachines&) = delete;

    /// Runs `what` in the other machine's namespace.
    void in_theirs(const std::function<void()>& what);
    /// Runs a shell command in the namespace entered; the test fails if it does.
    static void run(const std::string& command);

    /// The other namespace as ip(8) takes it.
    [[nodiscard]] std::string their_namespace() const;

    [[nodiscard]] std::uint32_t our_index() const { return our_index_; }
    [[nodiscard]] std::uint32_t their_index() const { return their_index_; }
    static constexpr const char* our_v6 = "fe80::1";
    static constexpr const char* their_v6 = "fe80::2";
    static constexpr const char* our_v4 = "192.0.2.1";  ///< only after add_v4()
    static constexpr const char* their_v4 = "192.0.2.2";
    void add_v4();

private:
    base::UniqueFd before_, ours_, theirs_;
    std::uint32_t our_index_ = 0;
    std::uint32_t their_index_ = 0;
};

[[nodiscard]] base::IpAddress address(const char* text);

/// Runs the loop until `done` (asked every millisecond) or `limit` is over. Returns whether it was done.
bool run_until(base::EventLoop& loop, const std::function<bool()>& done, base::Duration limit);
/// Runs the loop that long.
void run_for(base::EventLoop& loop, base::Duration duration);

}  // namespace bootkey::discovery::test

/// Leaves the test case, visibly, where there are no namespaces.
#define NEEDS_TWO_MACHINES()                                                                       \
    if (const auto why_not = bootkey::discovery::test::TwoMachines::why_not(); !why_not.empty()) { \
        WARN("SKIPPED: " << why_not);                                                              \
        return;                                                                                    \
    }
