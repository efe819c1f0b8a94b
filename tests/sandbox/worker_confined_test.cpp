// SPDX-License-Identifier: GPL-3.0-or-later
//
// A worker that an attacker has taken over tries what attackers try; and one that nobody has taken over does its work.
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>

#include <array>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "base/forked.hpp"
#include "bootkey/base/event_loop.hpp"
#include "bootkey/base/secret.hpp"
#include "catch.hpp"
#include "sandbox/confined.hpp"

using namespace bootkey;
using namespace bootkey::sandbox;
using namespace bootkey::sandbox::testing;
using base::testing::forked;

namespace {

const Confinement worker{.role = Role::worker};

long execute() {
    char* const arguments[] = {const_cast<char*>("true"), nullptr};
    return execve("/bin/true", arguments, nullptr);
}

long connect_to_local_socket() {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, "/run/nothing-there");
    return fd < 0 ? fd : connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

long take_capabilities_back() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const std::array<__user_cap_data_struct, 2> all{{{~0U, ~0U, 0}, {~0U, ~0U, 0}}};
    return syscall(SYS_capset, &header, all.data());
}

// Answers the kernel's: 0 or an errno, negated.
int change_link_over_netlink() {
    const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct {
        nlmsghdr header;
        ifinfomsg link;
    } request{};
    request.header = {sizeof request, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0};
    request.link.ifi_index = 1;  // lo
    request.link.ifi_flags = request.link.ifi_change = IFF_UP;
    struct {
        nlmsghdr header;
        nlmsgerr error;
        char rest[1024];
    } answer{};
    if (send(fd, &request, sizeof request, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0) return -errno;
    return answer.header.nlmsg_type == NLMSG_ERROR ? answer.error.error : -EPROTO;
}

#ifdef __x86_64__
constexpr const char* by_32_bit_number = "make a call by its 32-bit number";

long call_by_32_bit_number() {
    (void)std::signal(SIGSEGV, SIG_DFL);  // the test framework and the sanitizers have handlers
    long result = 20;                     // getpid
    asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    return result;
}

// What comes of it in a worker: a kernel that is built without these calls (CONFIG_IA32_EMULATION) lets nobody make
// them.
std::string outcome_by_32_bit_number() {
    const bool known = base::testing::forked([] {
                           call_by_32_bit_number();
                           return 0;
                       }) == 0;
    return known ? "SIGSYS" : "SIGSEGV";
}
#endif

// None does harm where it succeeds against expectation.
const Attempt attempts[] = {
    {"start a program", execute, "SIGSYS"},
    {"fork", [] { return fork(); }, "SIGSYS", "EAGAIN"},
    {"fork by clone3", [] { return syscall(SYS_clone3, nullptr, 0); }, "SIGSYS"},
    {"read a secret file", [] { return open("/etc/shadow", O_RDONLY); }, "EACCES", "EACCES"},
    {"read any file", [] { return open("/etc/passwd", O_RDONLY); }, "EACCES", "done"},
    {"open a file for writing", [] { return open("/tmp/bootkey-x", O_WRONLY | O_CREAT, 0600); }, "EACCES"},
    {"open a file by openat2", [] { return syscall(SYS_openat2, AT_FDCWD, "/", nullptr, 0UL); }, "EACCES"},
    {"open a directory", [] { return open("/", O_RDONLY | O_DIRECTORY); }, "EACCES"},
    {"write to the kernel's settings", [] { return open("/proc/sys/kernel/core_pattern", O_WRONLY); }, "EACCES",
     "EACCES"},
    {"remove a file", [] { return unlink("/etc"); }, "SIGSYS", "EACCES"},
    {"make a file in memory", [] { return memfd_create("x", 0); }, "SIGSYS"},
    {"connect to a local socket", connect_to_local_socket, "EAFNOSUPPORT"},
    {"make a pair of local sockets",
     [] {
         int ends[2];
         return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
     },
     "SIGSYS"},
    {"open a packet socket", [] { return socket(AF_PACKET, SOCK_RAW, 0); }, "SIGSYS", "EPERM"},
    {"open a raw socket", [] { return socket(AF_INET, SOCK_RAW, IPPROTO_TCP); }, "SIGSYS", "EPERM"},
    {"open a raw IPv6 socket", [] { return socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6); }, "SIGSYS", "EPERM"},
    {"talk to netfilter", [] { return socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER); }, "SIGSYS"},
    {"talk to vsock", [] { return socket(AF_VSOCK, SOCK_STREAM, 0); }, "SIGSYS"},
    // The kernel sees the lower half of the register only: that is AF_PACKET.
    {"hide a packet socket", [] { return syscall(SYS_socket, 0x1'0000'0000UL + AF_PACKET, SOCK_RAW, 0); }, "SIGSYS"},
    {"attach a program to a socket",
     [] { return setsockopt(socket(AF_INET, SOCK_DGRAM, 0), SOL_SOCKET, SO_ATTACH_BPF, nullptr, 0); }, "SIGSYS"},
    {"load a module by a socket option",
     [] { return setsockopt(socket(AF_INET, SOCK_STREAM, 0), IPPROTO_TCP, TCP_ULP, "tls", 4); }, "SIGSYS"},
    {"wait for connections", [] { return listen(socket(AF_INET, SOCK_STREAM, 0), 1); }, "SIGSYS"},
    {"become root", [] { return setresuid(0, 0, 0); }, "SIGSYS", "EPERM"},
    {"become root's group", [] { return setresgid(0, 0, 0); }, "SIGSYS", "EPERM"},
    {"join groups",
     [] {
         const gid_t root = 0;
         return syscall(SYS_setgroups, 1, &root);
     },
     "SIGSYS", "EPERM"},
    {"take capabilities", take_capabilities_back, "SIGSYS", "EPERM"},
    {"trace the parent", [] { return ptrace(PTRACE_ATTACH, getppid(), nullptr, nullptr); }, "SIGSYS", "EPERM"},
    {"signal the parent", [] { return kill(getppid(), 0); }, "SIGSYS", "EPERM"},
    {"signal the parent as a thread", [] { return syscall(SYS_tgkill, getppid(), getppid(), 0); }, "SIGSYS", "EPERM"},
    {"have a descriptor signal the parent", [] { return fcntl(0, F_SETOWN, getppid()); }, "SIGSYS"},
    {"raise a limit",
     [] {
         const rlimit limit{1, 1};
         return prlimit(0, RLIMIT_NPROC, &limit, nullptr);
     },
     "SIGSYS", "EPERM"},
    {"mount", [] { return mount("none", "/tmp", "none", 0, nullptr); }, "SIGSYS", "EPERM"},
    {"change the root directory", [] { return chroot("/"); }, "SIGSYS", "EPERM"},
    {"make a user namespace", [] { return unshare(CLONE_NEWUSER); }, "SIGSYS"},
    {"make a network namespace", [] { return unshare(CLONE_NEWNET); }, "SIGSYS", "EPERM"},
    {"join a namespace", [] { return setns(0, CLONE_NEWNET); }, "SIGSYS"},
    {"make memory executable",
     [] {
         void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return mprotect(memory, 4096, PROT_READ | PROT_EXEC);
     },
     "SIGSYS"},
    {"get executable memory",
     [] {
         return reinterpret_cast<long>(mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
     },
     "SIGSYS"},
    {"be dumped", [] { return syscall(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0); }, "SIGSYS"},
    {"type into a terminal", [] { return ioctl(0, TIOCSTI, "x"); }, "SIGSYS"},
    {"set the clock", [] { return syscall(SYS_clock_settime, CLOCK_REALTIME, nullptr); }, "SIGSYS"},
    {"use the kernel's keys", [] { return syscall(SYS_keyctl, 0, 0); }, "SIGSYS"},
    {"use io_uring", [] { return syscall(SYS_io_uring_setup, 1, nullptr); }, "SIGSYS"},
    {"use BPF", [] { return syscall(SYS_bpf, 0, nullptr, 0); }, "SIGSYS"},
    {"make a call that there is not", [] { return syscall(100'000); }, "SIGSYS"},
#ifdef __x86_64__
    {"make a call by its x32 number", [] { return syscall(0x4000'0000 | SYS_getpid); }, "SIGSYS"},
    {by_32_bit_number, call_by_32_bit_number, "SIGSYS"},
#endif
};

// Runs the body as a worker in a network namespace of its own, where what should not succeed does no harm; what it
// says. Nothing if that namespace cannot be made.
std::optional<std::string> in_network_namespace(const Confined::Body& body) {
    base::testing::Pipe words;
    const int status = forked([&] {
        if (unshare(CLONE_NEWNET) != 0) return 99;
        words.put(Confined(worker, body).result());
        return 0;
    });
    words.write_end.reset();
    if (status == 99) return std::nullopt;
    return base::testing::read_to_end(words.read_end.get());
}

}  // namespace

TEST_CASE("a worker in the wrong hands gets nothing") {
    for (const Attempt& which : attempts) {
        INFO(which.what);
        std::string outcome = which.outcome;
#ifdef __x86_64__
        if (which.what == std::string(by_32_bit_number)) outcome = outcome_by_32_bit_number();
#endif
        CHECK(attempt(worker, which.call) == outcome);
    }
}

TEST_CASE("without filters a worker's user id and lack of capabilities still hold") {
    if (!is_root()) {
        WARN("SKIPPED: needs root, whose worker has a user id of its own");
        return;
    }
    for (const Attempt& which : attempts) {
        if (which.without_filters == nullptr) continue;
        INFO(which.what);
        CHECK(attempt({.role = Role::worker, .filters = false}, which.call) == which.without_filters);
    }
}

TEST_CASE("a worker reads what the kernel says about links and cannot change them") {
    const auto said = in_network_namespace([] {
        ifaddrs* list = nullptr;
        if (getifaddrs(&list) != 0) return "getifaddrs: " + outcome_of(-1);
        freeifaddrs(list);
        char name[IF_NAMESIZE];
        if (if_indextoname(1, name) == nullptr || std::string(name) != "lo") return "if_indextoname: " + outcome_of(-1);
        if (if_nametoindex("lo") != 1) return "if_nametoindex: " + outcome_of(-1);
        errno = -change_link_over_netlink();
        return "change: " + outcome_of(errno == 0 ? 0 : -1);
    });
    if (!said) {
        WARN("SKIPPED: needs root, to make a network namespace");
        return;
    }
    CHECK(*said == "change: EPERM");
}

TEST_CASE("a worker connects to a server but nobody can connect to it") {
    const int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    socklen_t length = sizeof address;
    REQUIRE(bind(listener, reinterpret_cast<const sockaddr*>(&address), length) == 0);
    REQUIRE(listen(listener, 1) == 0);
    REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    const std::string connected = attempt(worker, [&] {
        const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
        const int on = 1;
        for (const int option : {TCP_NODELAY, TCP_QUICKACK})
            if (setsockopt(fd, IPPROTO_TCP, option, &on, sizeof on) != 0) return -1;
        const int result = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
        pollfd wait{fd, POLLOUT, 0};
        return result == 0 || (errno == EINPROGRESS && poll(&wait, 1, 5000) == 1) ? 0 : -1;
    });
    CHECK(connected == "done");
    close(listener);
    if (landlock_abi() < 4) {
        WARN("skipped in part: this kernel's Landlock does not know TCP");
        return;
    }
    CHECK(attempt(worker, [] {
              sockaddr_in any{};
              any.sin_family = AF_INET;
              return bind(socket(AF_INET, SOCK_STREAM, 0), reinterpret_cast<const sockaddr*>(&any), sizeof any);
          }) == "EACCES");
}

TEST_CASE("a worker takes part in multicast DNS") {
    const auto said = in_network_namespace([] {
        const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const int on = 1;
        const int hops = 255;
        for (const auto& [name, value] : {std::pair{IPV6_V6ONLY, on},
                                          {IPV6_MULTICAST_HOPS, hops},
                                          {IPV6_UNICAST_HOPS, hops},
                                          {IPV6_MULTICAST_LOOP, on},
                                          {IPV6_RECVPKTINFO, on},
                                          {IPV6_RECVHOPLIMIT, on}})
            if (setsockopt(fd, IPPROTO_IPV6, name, &value, sizeof value) != 0) return "option: " + outcome_of(-1);
        for (const int name : {SO_REUSEADDR, SO_REUSEPORT})
            if (setsockopt(fd, SOL_SOCKET, name, &on, sizeof on) != 0) return "option: " + outcome_of(-1);
        sockaddr_in6 any{};
        any.sin6_family = AF_INET6;
        any.sin6_port = htons(5353);
        if (bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) return "bind: " + outcome_of(-1);
        ipv6_mreq group{{{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb}}}, 1};
        return "join: " + outcome_of(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group));
    });
    if (!said) {
        WARN("SKIPPED: needs root, to make a network namespace");
        return;
    }
    CHECK(*said == "join: done");
}

TEST_CASE("a worker has memory, random numbers, a clock and an event loop") {
    const Confined::Body body = [] {
        auto secret = base::Secret::with_capacity(100'000);
        if (!secret) return "secret: " + secret.error().message();
        (void)std::vector<char>(10'000'000, 'x').back();
        unsigned char bytes[32];
        if (getrandom(bytes, sizeof bytes, GRND_NONBLOCK) != sizeof bytes) return "getrandom: " + outcome_of(-1);
        // Where the vDSO cannot answer, the kernel is asked.
        timespec now{};
        if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) != 0) return "clock: " + outcome_of(-1);
        auto loop = base::EventLoop::create();
        if (!loop) return loop.error().message();
        const auto timer = (*loop)->timer([&] { (*loop)->stop(); });
        timer->arm(std::chrono::milliseconds(5));
        (*loop)->run();
        return std::string("fine");
    };
    CHECK(Confined(worker, body).result() == "fine");
}

TEST_CASE("a worker that fails an assertion ends as it should") {
    CHECK(Confined(worker, [] {
              signal(SIGABRT, SIG_DFL);
              std::abort();
              return std::string();
          }).result() == "SIGABRT");
}
