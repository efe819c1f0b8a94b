// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a client types as a password is nowhere in the memory of this process once it has been used. The client is
// another process, and nothing puts the password together in this one but the code that is tested.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include "base/temporary_directory.hpp"
#include "bootkey/management/server.hpp"
#include "catch.hpp"
#include "management/peer.hpp"

using namespace bootkey;
using management::Query;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t password_length = 48, piece = 16;

char letter(std::size_t i) {
    return static_cast<char>('a' + (i * i * 7 + i * 3 + 5) % 26);
}

__attribute__((no_sanitize("address"))) bool is_piece(const char* memory, std::size_t from) {
    for (std::size_t i = 0; i < piece; ++i)
        if (memory[i] != letter(from + i)) return false;
    return true;
}

// How many pieces of the password are in this process's writable memory.
__attribute__((no_sanitize("address"))) std::size_t pieces_in_memory() {
    constexpr std::uintptr_t largest = 1 << 28;  // bytes: a sanitizer's own mappings are larger
    std::size_t found = 0;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::istringstream fields(line);
        std::uintptr_t begin = 0, end = 0;
        std::string permissions;
        fields >> std::hex >> begin;
        fields.ignore() >> end >> permissions;
        if (!permissions.starts_with("rw") || end - begin > largest) continue;
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel tells addresses as numbers
        const auto* const memory = reinterpret_cast<const char*>(begin);
        for (std::uintptr_t at = 0; at + piece <= end - begin; ++at) {
            if (memory[at] < 'a' || memory[at] > 'z') continue;  // most of it, and soon seen
            for (std::size_t from = 0; from + piece <= password_length; from += piece / 2)
                found += is_piece(memory + at, from) ? 1 : 0;
        }
    }
    return found;
}

// Sends the password with `before` and `behind` round it, from a process of its own, and waits until it is told
// something that ends with `reply`.
pid_t send_password(const management::Place& place, const std::string& before, const std::string& behind,
                    const std::string& reply) {
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid > 0) return pid;
    alarm(300);  // an end in any case; the other process looks through its memory meanwhile
    sockaddr_storage storage{};
    const socklen_t length = management::testing::address_of(place, storage);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&storage), length) != 0) _exit(1);
    std::string text = before;
    for (std::size_t i = 0; i < password_length; ++i) text += letter(i);
    text += behind;
    if (::send(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) _exit(2);
    std::string received;
    for (char byte = 0; !received.ends_with(reply); received += byte)
        if (recv(fd, &byte, 1, 0) != 1) _exit(3);
    _exit(0);
}

struct Case {
    std::string before, behind, reply;
    bool is_taken;
};

}  // namespace

TEST_CASE("a password is nowhere in memory when it has been used") {
    const auto [before, behind, reply, is_taken] = GENERATE(values<Case>({
        {"password Disk ", "\n", "entered, but not yet verified\r\n", true},
        {"password Disk \"", "\"\r\npid\n", "SUCCESS: pid=0\r\n", true},
        {"password Auth ", "\n", "but we need one of type 'Disk'\r\n", false},
        {"username Disk ", "\n", "no username is currently needed at this time\r\n", false},
        {"passwd Disk ", "\n", "for more options\r\n", false},
        {"password Disk \"", "\n", "in MANAGEMENT:0\r\n", false},
        {"password Disk " + std::string(1200, 'x'), "\n", "(1024 chars max)\r\n", false},
    }));
    base::testing::TemporaryDirectory directory;
    const auto loop = std::move(*base::EventLoop::create());
    base::Log log(15);
    std::size_t while_used = 0;
    management::Settings settings;
    settings.place = directory / "management";
    management::Steering steering;
    steering.unix_time = [] { return 0; };
    steering.password = [&](auto, const auto&) { while_used = pieces_in_memory(); };
    management::Interface interface(std::move(settings), std::move(steering), log);
    log.add_sink([&](const base::LogEntry& entry) { interface.logged(entry); });
    interface.ask({Query::Kind::password, "Disk"});
    const auto server = management::Server::start(*loop, interface, log);
    REQUIRE(server);

    const pid_t client = send_password((*server)->place(), before, behind, reply);
    int status = 0;
    for (int i = 0; i < 5000 && waitpid(client, &status, WNOHANG) == 0; ++i) management::testing::run(*loop, 1ms);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    CHECK((while_used > 0) == is_taken);
    CHECK(pieces_in_memory() == 0);
}
