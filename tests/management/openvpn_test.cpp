// SPDX-License-Identifier: GPL-3.0-or-later
//
// The same commands to OpenVPN itself, which waits in a hold and does nothing, and to bootkey: the replies must be the
// same.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>

#include "base/temporary_directory.hpp"
#include "management/peer.hpp"
#include "management/world.hpp"

using namespace bootkey;
using management::testing::World;

namespace {

constexpr const char* program = "/usr/sbin/openvpn";
// A command with the same reply everywhere, so that it is known where the reply before it ends.
constexpr const char* sentinel = "load-stats";
constexpr const char* sentinel_reply = "SUCCESS: nclients=0,bytesin=0,bytesout=0\r\n";

// Separated by "|"; nothing that ends OpenVPN or its hold.
constexpr std::string_view commands =
    "auth-retry none|auth-retry|auth-retry nointeract|auth-retry interact|auth-retry|bytecount|bytecount 5|"
    "bytecount 0|echo|echo on|echo off|echo all|echo on all|echo x|echo 0|forget-passwords|forget-passwords x|"
    "hold|hold off|hold|hold on|hold on off|hold x|kill|log|log on|log off|log x|log 0|log -1|mute|mute 40|mute|"
    "mute -1|mute 0|needok|needok a|needok a ok|needstr|needstr a|needstr a b|password|password x|"
    "password Auth foo|signal|signal SIGFOO|signal USR1|signal sigusr1|signal 15|state|state on|state off|"
    "state on all|state all|state 3|state 0|state -1|state x|state on 3|state all on|state off all|username|"
    "username Auth|username Auth foo|verb|verb 3|verb|verb 16|verb -1|verb 1|version 3|# comment|; comment|"
    "hold # off|hold ; off|hold \"on\" |hold \"on\"off|\"hold\"on|'hold'|\"foo|'foo|foo\\|help \"x||\r";

// An OpenVPN without a network, with a connection to its management socket.
class OpenVpn {
public:
    OpenVpn() {
        pid_ = fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) start();
        const std::string path = directory_ / "openvpn";
        sockaddr_storage storage{};
        const socklen_t length = management::testing::address_of(path, storage);
        for (int i = 0; i < 500; ++i) {
            socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
            if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0) return;
            usleep(10'000);
        }
        FAIL("OpenVPN offers no management socket");
    }
    ~OpenVpn() {
        kill(pid_, SIGTERM);
        waitpid(pid_, nullptr, 0);
    }
    OpenVpn(const OpenVpn&) = delete;
    OpenVpn& operator=(const OpenVpn&) = delete;

    std::string ask(const std::string& command) {
        const std::string text = command + "\n" + sentinel + "\n";
        REQUIRE(::write(socket_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
        return read_reply();
    }
    // What it says before the reply to the sentinel.
    std::string read_reply() {
        std::string text;
        while (!text.ends_with(sentinel_reply)) {
            pollfd wait{socket_.get(), POLLIN, 0};
            REQUIRE(poll(&wait, 1, 5000) == 1);
            char buffer[4096];
            const ssize_t size = ::read(socket_.get(), buffer, sizeof buffer);
            REQUIRE(size > 0);
            text.append(buffer, static_cast<std::size_t>(size));
        }
        return text.substr(0, text.size() - std::string_view(sentinel_reply).size());
    }

private:
    [[noreturn]] void start() const {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const base::UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
        for (const int fd : {0, 1, 2}) dup2(null.get(), fd);
        execl(program, program, "--dev", "null", "--management-hold", "--management", (directory_ / "openvpn").c_str(),
              "unix", nullptr);
        _exit(127);
    }

    base::testing::TemporaryDirectory directory_;
    pid_t pid_ = -1;
    base::UniqueFd socket_;
};

// Without what must differ: the place that OpenVPN's parser names, and the time at which a line begins.
std::string comparable(std::string text) {
    if (const auto place = text.find("TCP:0"); place != std::string::npos) text.replace(place, 5, "MANAGEMENT:0");
    std::string result;
    for (const auto line : base::split(text, '\n')) {
        const auto digits = std::min(line.find_first_not_of("0123456789"), line.size());
        (result += digits > 0 ? "TIME" : "") += line.substr(digits);
        result += '\n';
    }
    return result;
}

}  // namespace

TEST_CASE("bootkey replies as OpenVPN does") {
    if (access(program, X_OK) != 0) {
        WARN("SKIPPED: OpenVPN is not installed");
        return;
    }
    OpenVpn openvpn;
    management::Settings settings;
    settings.hold = true;
    World world(std::move(settings));
    world.log.set_level(1);
    world.totals = {};
    world.interface.hold();
    std::string banner = world.connect(1);
    CHECK(openvpn.ask("") == banner);
    for (const auto line : base::split(commands, '|')) {
        const std::string command(line);
        INFO(command);
        CHECK(comparable(openvpn.ask(command)) == comparable(world.ask(1, command)));
    }
}
