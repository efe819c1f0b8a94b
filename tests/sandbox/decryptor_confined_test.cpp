// SPDX-License-Identifier: GPL-3.0-or-later
//
// A decryptor, or a gpg of its, that an attacker has taken over tries what attackers try.
#include <linux/capability.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>

#include "catch.hpp"
#include "sandbox/confined.hpp"
#include "sandbox/writable_directory.hpp"

using namespace bootkey;
using namespace bootkey::sandbox;
using namespace bootkey::sandbox::testing;

namespace {

long take_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const std::array<__user_cap_data_struct, 2> all{{{~0U, ~0U, 0}, {~0U, ~0U, 0}}};
    return syscall(SYS_capset, &header, all.data());
}

long fork_and_wait() {
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    return waitpid(pid, nullptr, 0);
}

long read_memory_of_parent() {
    char byte = 0;
    const iovec here{&byte, 1};
    return process_vm_readv(getppid(), &here, 1, &here, 1, 0);
}

long map(int protection) {
    return reinterpret_cast<long>(mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

long set_core_limit() {
    const rlimit limit{1, 1};
    return setrlimit(RLIMIT_CORE, &limit);
}

long set_other_limit() {
    const rlimit limit{1, 1};
    return setrlimit(RLIMIT_STACK, &limit);
}

// None does harm where it succeeds against expectation.
const Attempt attempts_of_decryptor[] = {
    {"fork", fork_and_wait, "done", "done"},
    {"fork by clone3", [] { return syscall(SYS_clone3, nullptr, 0); }, "ENOSYS"},
    {"fork into a user namespace", [] { return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0); }, "SIGSYS"},
    {"fork into a network namespace", [] { return syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0); }, "SIGSYS",
     "EPERM"},
    {"make a child of the parent", [] { return syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0); }, "SIGSYS"},
    {"read a secret file", [] { return open("/etc/shadow", O_RDONLY); }, "EACCES", "EACCES"},
    {"make a file in memory", [] { return memfd_create("x", 0); }, "SIGSYS"},
    {"make a device", [] { return mknod("/tmp/bootkey-null", S_IFCHR | 0600, 0x103); }, "SIGSYS", "EPERM"},
    {"talk to the network", [] { return socket(AF_INET, SOCK_STREAM, 0); }, "SIGSYS"},
    {"talk to the network by IPv6", [] { return socket(AF_INET6, SOCK_DGRAM, 0); }, "SIGSYS"},
    {"talk to the kernel's network", [] { return socket(AF_NETLINK, SOCK_RAW, 0); }, "SIGSYS"},
    {"open a packet socket", [] { return socket(AF_PACKET, SOCK_RAW, 0); }, "SIGSYS", "EPERM"},
    {"become root", [] { return setresuid(0, 0, 0); }, "SIGSYS", "EPERM"},
    {"become root's group", [] { return setresgid(0, 0, 0); }, "SIGSYS", "EPERM"},
    {"take capabilities", take_capabilities, "SIGSYS", "EPERM"},
    {"trace the parent", [] { return ptrace(PTRACE_ATTACH, getppid(), nullptr, nullptr); }, "SIGSYS", "EPERM"},
    {"read the parent's memory", read_memory_of_parent, "SIGSYS", "EPERM"},
    {"signal the parent", [] { return kill(getppid(), 0); }, "EPERM", "EPERM"},
    {"mount", [] { return mount("none", "/tmp", "none", 0, nullptr); }, "SIGSYS", "EPERM"},
    {"change the root directory", [] { return chroot("/"); }, "SIGSYS", "EPERM"},
    {"make a user namespace", [] { return unshare(CLONE_NEWUSER); }, "SIGSYS"},
    {"join a namespace", [] { return setns(0, CLONE_NEWNET); }, "SIGSYS"},
    {"get memory to write code into", [] { return map(PROT_READ | PROT_WRITE | PROT_EXEC); }, "SIGSYS"},
    {"get executable memory", [] { return map(PROT_READ | PROT_EXEC); }, "done"},  // as the dynamic loader does
    {"be dumped", [] { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }, "SIGSYS"},
    {"keep capabilities", [] { return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0); }, "SIGSYS"},
    {"leave cores", set_core_limit, "EPERM"},
    {"set another limit", set_other_limit, "SIGSYS"},
    {"use the kernel's keys", [] { return syscall(SYS_keyctl, 0, 0); }, "SIGSYS"},
    {"use io_uring", [] { return syscall(SYS_io_uring_setup, 1, nullptr); }, "SIGSYS"},
    {"use BPF", [] { return syscall(SYS_bpf, 0, nullptr, 0); }, "SIGSYS"},
};

}  // namespace

TEST_CASE("a decryptor in the wrong hands gets nothing") {
    const WritableDirectory directory;
    for (const Attempt& which : attempts_of_decryptor) {
        INFO(which.what);
        // Of the same user, the parent could be signalled but for Landlock.
        if (!is_root() && landlock_abi() < 6 && which.what == std::string_view("signal the parent")) continue;
        CHECK(attempt(directory.confinement(), which.call) == which.outcome);
    }
}

TEST_CASE("without filters a decryptor's user id and lack of capabilities still hold") {
    if (!is_root()) {
        WARN("SKIPPED: needs root, whose decryptor has a user id of its own");
        return;
    }
    const WritableDirectory directory;
    for (const Attempt& which : attempts_of_decryptor) {
        if (which.without_filters == nullptr) continue;
        INFO(which.what);
        CHECK(attempt(directory.confinement(false), which.call) == which.without_filters);
    }
}

TEST_CASE("what a decryptor starts is as confined as it is") {
    const WritableDirectory directory;
    Confined confined(directory.confinement(), [] {
        const pid_t pid = fork();
        if (pid == 0) {
            execl("/bin/sh", "sh", "-c", "exec unshare --user true", nullptr);
            _exit(127);
        }
        return end_of(pid);
    });
    CHECK(confined.result() == "SIGSYS");
}
