// SPDX-License-Identifier: GPL-3.0-or-later
#include "discovery/two_machines.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "bootkey/base/text.hpp"
#include "catch.hpp"

namespace bootkey::discovery::test {
namespace {

base::UniqueFd current_namespace() {
    return base::UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
}

/// Without the "nodad" flag: with it an address is listed as usable a moment before the kernel answers for it.
void wait_until_usable(const std::string& device) {
    TwoMachines::run("for i in $(seq 500); do ip -6 -o address show dev " + device +
                     " tentative | grep -q . || exit 0; sleep 0.01; done; exit 1");
}

std::uint32_t bring_up(const std::string& device, const std::string& v6) {
    // No duplicate address detection, and no other link-local address than this one.
    TwoMachines::run("sysctl -qw net.ipv6.conf." + device + ".accept_dad=0 net.ipv6.conf." + device +
                     ".addr_gen_mode=1");
    TwoMachines::run("ip link set lo up && ip link set " + device + " up && ip address add " + v6 + "/64 dev " +
                     device);
    return ::if_nametoindex(device.c_str());
}

}  // namespace

std::string TwoMachines::why_not() {
    const pid_t child = ::fork();
    if (child < 0) return "cannot fork";
    if (child == 0) {
        if (::unshare(CLONE_NEWNET) != 0) ::_exit(2);
        ::execlp("ip", "ip", "link", "set", "lo", "up", nullptr);
        ::_exit(1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return WIFEXITED(status) && WEXITSTATUS(status) == 2 ? "network namespaces need root" : "there is no ip(8) command";
}

TwoMachines::TwoMachines() : before_(current_namespace()) {
    REQUIRE(::unshare(CLONE_NEWNET) == 0);
    theirs_ = current_namespace();
    REQUIRE(::unshare(CLONE_NEWNET) == 0);
    ours_ = current_namespace();
    run("ip link add ours type veth peer name theirs netns " + their_namespace());
    our_index_ = bring_up("ours", our_v6);
    in_theirs([this] {
        their_index_ = bring_up("theirs", their_v6);
        wait_until_usable("theirs");
    });
    wait_until_usable("ours");  // with the carrier that the other end's coming up brought
}

TwoMachines::~TwoMachines() {
    CHECK(::setns(before_.get(), CLONE_NEWNET) == 0);
}

std::string TwoMachines::their_namespace() const {
    return base::format("/proc/%d/fd/%d", ::getpid(), theirs_.get());
}

void TwoMachines::in_theirs(const std::function<void()>& what) {
    REQUIRE(::setns(theirs_.get(), CLONE_NEWNET) == 0);
    what();
    REQUIRE(::setns(ours_.get(), CLONE_NEWNET) == 0);
}

void TwoMachines::run(const std::string& command) {
    INFO(command);
    REQUIRE(std::system(command.c_str()) == 0);  // NOLINT(cert-env33-c): the commands are ours
}

void TwoMachines::add_v4() {
    run("ip address add 192.0.2.1/24 dev ours");
    in_theirs([] { run("ip address add 192.0.2.2/24 dev theirs"); });
}

base::IpAddress address(const char* text) {
    const auto parsed = base::IpAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

bool run_until(base::EventLoop& loop, const std::function<bool()>& done, base::Duration limit) {
    const auto end = loop.now() + limit;
    std::unique_ptr<base::Timer> timer;
    timer = loop.timer([&] {
        if (done() || loop.now() >= end)
            loop.stop();
        else
            timer->arm(std::chrono::milliseconds(1));
    });
    timer->arm(base::Duration::zero());
    loop.run();
    return done();
}

void run_for(base::EventLoop& loop, base::Duration duration) {
    run_until(
        loop, [] { return false; }, duration);
}

}  // namespace bootkey::discovery::test
