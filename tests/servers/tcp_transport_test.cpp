// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/servers/tcp_transport.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <thread>

#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/file.hpp"
#include "bootkey/servers/attempt.hpp"
#include "catch.hpp"
#include "fakes/fake_loop.hpp"
#include "servers/live_attempt.hpp"
#include "servers/test_keys.hpp"

using namespace std::chrono_literals;
using namespace bootkey;
using servers::TcpTransport;

namespace {

// A listening socket on the loopback interface.
struct ListeningSocket {
    explicit ListeningSocket(int backlog = 5, int family = AF_INET)
        : socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        const auto address = family == AF_INET ? base::IpAddress::parse("127.0.0.1") : base::IpAddress::parse("::1");
        endpoint.address = *address;
        sockaddr_storage storage{};
        socklen_t length = endpoint.to_socket_address(storage);
        auto* plain = reinterpret_cast<sockaddr*>(&storage);
        REQUIRE(::bind(socket.get(), plain, length) == 0);
        REQUIRE(::listen(socket.get(), backlog) == 0);
        length = sizeof storage;
        REQUIRE(::getsockname(socket.get(), plain, &length) == 0);
        endpoint.port = ntohs(family == AF_INET ? reinterpret_cast<sockaddr_in*>(plain)->sin_port
                                                : reinterpret_cast<sockaddr_in6*>(plain)->sin6_port);
    }
    base::UniqueFd accept() const {
        return base::UniqueFd(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    }
    base::UniqueFd socket;
    base::Endpoint endpoint;
};

std::set<int> descriptors() {
    std::set<int> open;
    DIR* folder = ::opendir("/proc/self/fd");
    REQUIRE(folder != nullptr);
    while (const dirent* entry = ::readdir(folder)) {
        const int fd = std::atoi(entry->d_name);
        if (fd != ::dirfd(folder)) open.insert(fd);
    }
    ::closedir(folder);
    return open;
}

int option(int fd, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    REQUIRE(::getsockopt(fd, level, name, &value, &size) == 0);
    return value;
}

// The descriptor that the transport opens in begin().
int begin(TcpTransport& transport) {
    const auto before = descriptors();
    REQUIRE(transport.begin() == 0);
    for (const int fd : descriptors()) {
        if (!before.contains(fd)) return fd;
    }
    FAIL("no socket was opened");
    return -1;
}

}  // namespace

TEST_CASE("a transport connects, sends, receives and sees the end") {
    const int family = GENERATE(AF_INET, AF_INET6);
    const std::uint32_t interface = GENERATE(0u, 1u);  // 1: the loopback interface, which the socket is then bound to
    ListeningSocket listener(5, family);
    listener.endpoint.interface = interface;
    fakes::FakeLoop loop;
    TcpTransport transport(loop, listener.endpoint, [] {});
    REQUIRE(transport.begin() == 0);
    CHECK(transport.connection() == 0);  // the loopback interface needs no time
    CHECK(transport.connection() == 0);
    const auto peer = listener.accept();
    REQUIRE(peer);

    std::array<std::byte, 8> buffer{};
    CHECK(transport.receive(buffer) == -EAGAIN);
    CHECK(transport.send(base::bytes_of("abc")) == 3);
    CHECK(::recv(peer.get(), buffer.data(), buffer.size(), 0) == 3);
    REQUIRE(::send(peer.get(), "hello", 5, 0) == 5);
    CHECK(transport.receive(buffer) == 5);
    CHECK(transport.receive(buffer) == -EAGAIN);
    ::shutdown(peer.get(), SHUT_WR);
    CHECK(transport.receive(buffer) == 0);
}

TEST_CASE("the socket is set up to notice a dead peer within 45 s and to lose no time") {
    ListeningSocket listener;
    listener.endpoint.interface = 1;
    fakes::FakeLoop loop;
    TcpTransport transport(loop, listener.endpoint, [] {});
    const int fd = begin(transport);
    CHECK(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(fd, IPPROTO_TCP, TCP_KEEPIDLE) +
              option(fd, IPPROTO_TCP, TCP_KEEPINTVL) * option(fd, IPPROTO_TCP, TCP_KEEPCNT) <=
          45);
    CHECK(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) <= 45'000);
    CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(option(fd, SOL_SOCKET, SO_BINDTOIFINDEX) == 1);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
}

TEST_CASE("what arrives is acknowledged at once, again after every read") {
    ListeningSocket listener;
    fakes::FakeLoop loop;
    TcpTransport transport(loop, listener.endpoint, [] {});
    const int fd = begin(transport);
    REQUIRE(transport.connection() == 0);
    const auto peer = listener.accept();
    std::array<std::byte, 8> buffer{};
    for (int i = 0; i < 3; ++i) {
        int off = 0;
        REQUIRE(::setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off) == 0);  // as the kernel does by itself
        REQUIRE(::send(peer.get(), "x", 1, 0) == 1);
        REQUIRE(transport.receive(buffer) == 1);
        REQUIRE(transport.receive(buffer) == -EAGAIN);
        CHECK(option(fd, IPPROTO_TCP, TCP_QUICKACK) == 1);
    }
}

// Needs root, for a network namespace (of a thread of its own) with an interface that leads nowhere.
TEST_CASE("where the announced interface leads nowhere, the kernel's routes are followed") {
    std::string skipped;
    int begun = -1;
    int connected = -1;
    std::thread([&] {
        if (::unshare(CLONE_NEWNET) != 0) {
            skipped = std::strerror(errno);
            return;
        }
        if (std::system("ip link set lo up && ip link add nowhere type veth peer name end && ip link set nowhere up") !=
            0) {
            skipped = "ip(8) makes no veth interface";
            return;
        }
        ListeningSocket listener(5, AF_INET6);
        listener.endpoint.interface = ::if_nametoindex("nowhere");
        fakes::FakeLoop loop;
        TcpTransport transport(loop, listener.endpoint, [] {});
        begun = transport.begin();
        connected = transport.connection();
    }).join();
    if (!skipped.empty()) {
        WARN("SKIPPED: no network namespace to try this in: " << skipped);
        return;
    }
    CHECK(begun == 0);
    CHECK(connected == 0);
}

TEST_CASE("a machine without an address of its own does not connect from 0.0.0.0") {
    std::string skipped;
    int begun = 0;
    int neighbours = 0;
    std::thread([&] {
        if (::unshare(CLONE_NEWNET) != 0) {
            skipped = std::strerror(errno);
            return;
        }
        if (std::system("ip link add lan type veth peer name end && ip link set lan up && ip link set end up") != 0) {
            skipped = "ip(8) makes no veth interface";
            return;
        }
        fakes::FakeLoop loop;
        TcpTransport transport(loop, {*base::IpAddress::parse("192.0.2.1"), 4711, ::if_nametoindex("lan")}, [] {});
        begun = transport.begin();
        neighbours = std::system("ip -4 neighbour show nud all | grep 192.0.2.1");
    }).join();
    if (!skipped.empty()) {
        WARN("SKIPPED: no network namespace to try this in: " << skipped);
        return;
    }
    CHECK(begun != 0);
    CHECK(neighbours != 0);  // grep(1) found none
}

TEST_CASE("errors are errno's") {
    base::Endpoint gone;
    {
        ListeningSocket listener;
        gone = listener.endpoint;
    }
    fakes::FakeLoop loop;
    std::array<std::byte, 8> buffer{};
    SECTION("refused") {
        TcpTransport transport(loop, gone, [] {});
        const int begun = transport.begin();
        CHECK((begun == 0 ? transport.connection() : begun) == ECONNREFUSED);
    }
    SECTION("a link-local address without interface") {
        TcpTransport transport(loop, {*base::IpAddress::parse("fe80::1"), 4711, 0}, [] {});
        CHECK(transport.begin() == EINVAL);
    }
    SECTION("reset") {
        ListeningSocket listener;
        TcpTransport transport(loop, listener.endpoint, [] {});
        REQUIRE(transport.begin() == 0);
        {
            const auto peer = listener.accept();
            const linger now{1, 0};
            ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        CHECK(transport.receive(buffer) == -ECONNRESET);
        CHECK(transport.send(base::bytes_of("x")) == -EPIPE);  // and no SIGPIPE
    }
}

TEST_CASE("the owner is called for what was wanted, and may destroy the transport there") {
    ListeningSocket listener;
    auto loop = std::move(*base::EventLoop::create());
    std::unique_ptr<TcpTransport> transport;
    int calls = 0;
    transport = std::make_unique<TcpTransport>(*loop, listener.endpoint, [&] {
        ++calls;
        transport.reset();
        loop->stop();
    });
    REQUIRE(transport->begin() == 0);
    transport->want({.readable = false, .writable = true});
    const auto end = loop->timer([&] { loop->stop(); });
    end->arm(5s);
    loop->run();
    CHECK(calls == 1);
    CHECK(transport == nullptr);
}

// Linux drops a SYN when the listen queue is full, and would send the next one after 1 s. The peer accepts after 400
// ms.
TEST_CASE("a full listen queue costs less than the kernel's second") {
    ListeningSocket listener(0);  // room for one
    fakes::FakeLoop nothing;
    TcpTransport first(nothing, listener.endpoint, [] {});
    REQUIRE(first.begin() == 0);

    auto loop = std::move(*base::EventLoop::create());
    std::function<void()> step;
    TcpTransport transport(*loop, listener.endpoint, [&] { step(); });
    servers::Attempt attempt(
        transport,
        [](servers::Transport&) -> base::Result<std::unique_ptr<servers::TlsSession>> {
            return base::Error{base::ExitCode::unavailable, "stop", "connected", {}};
        },
        [] { return 0.5; });
    const auto timer = loop->timer([&] { step(); });
    step = [&] {
        attempt.advance(loop->now());
        if (attempt.ended())
            loop->stop();
        else
            timer->arm(*attempt.deadline() - loop->now());
    };
    base::UniqueFd accepted;
    const auto accept = loop->timer([&] { accepted = listener.accept(); });
    accept->arm(400ms);
    const auto end = loop->timer([&] { loop->stop(); });
    end->arm(5s);
    const base::Time begun = loop->now();
    step();
    REQUIRE_FALSE(attempt.ended());
    REQUIRE(attempt.phase() == servers::Phase::connecting);  // the queue is full indeed
    loop->run();
    CHECK_THAT(attempt.why(), Catch::Contains("connected"));
    CHECK(base::to_seconds(loop->now() - begun) < 0.95);
}
