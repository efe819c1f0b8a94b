// SPDX-License-Identifier: GPL-3.0-or-later
//
// The tables as tables: what would be wrong on another architecture, or silently do nothing.
#include "bootkey/sandbox/system_calls.hpp"

#include <asm/termbits.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>

#include "bootkey/base/unique_fd.hpp"
#include "catch.hpp"

using namespace bootkey;
using namespace bootkey::sandbox;

namespace {

// Debian 12's.
constexpr std::uint32_t architectures[] = {SCMP_ARCH_X86_64,  SCMP_ARCH_X86,    SCMP_ARCH_AARCH64,
                                           SCMP_ARCH_ARM,     SCMP_ARCH_MIPSEL, SCMP_ARCH_MIPSEL64,
                                           SCMP_ARCH_PPC64LE, SCMP_ARCH_S390X,  SCMP_ARCH_RISCV64};

CallTable table_of(int role) {
    CallTable table = common_calls();
    const CallTable own = role == 0 ? worker_calls() : decryptor_calls();
    table.insert(table.end(), own.begin(), own.end());
    return table;
}

bool names(const CallTable& table, std::string_view name) {
    return std::any_of(table.begin(), table.end(), [&](const Call& call) { return call.name == name; });
}

bool exists_somewhere(const char* name) {
    return std::any_of(std::begin(architectures), std::end(architectures), [&](std::uint32_t architecture) {
        return seccomp_syscall_resolve_name_arch(architecture, name) >= 0;
    });
}

}  // namespace

TEST_CASE("every system call of the tables exists on some architecture") {
    const CallTable table = table_of(GENERATE(0, 1));
    for (const Call& call : table) {
        INFO(call.name);
        CHECK(exists_somewhere(call.name));
    }
}

TEST_CASE("the tables make filters, on x86 and on ARM with 64 bits") {
    const CallTable table = table_of(GENERATE(0, 1));
    const std::uint32_t architecture = GENERATE(std::uint32_t{SCMP_ARCH_X86_64}, std::uint32_t{SCMP_ARCH_AARCH64});
    const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_KILL_PROCESS),
                                                                   &seccomp_release);
    if (architecture != seccomp_arch_native()) {
        REQUIRE(seccomp_arch_add(filter.get(), architecture) == 0);
        REQUIRE(seccomp_arch_remove(filter.get(), SCMP_ARCH_NATIVE) == 0);
    }
    for (const Call& call : table) {
        INFO(call.name);
        std::vector<scmp_arg_cmp> comparisons;
        for (const Condition& condition : call.conditions)
            comparisons.push_back({condition.argument, SCMP_CMP_MASKED_EQ, condition.mask, condition.value});
        const auto action = call.error == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(static_cast<unsigned>(call.error));
        CHECK(seccomp_rule_add_array(filter.get(), action, seccomp_syscall_resolve_name(call.name),
                                     static_cast<unsigned>(comparisons.size()), comparisons.data()) == 0);
    }
    const base::UniqueFd program(memfd_create("filter", MFD_CLOEXEC));
    REQUIRE(seccomp_export_bpf(filter.get(), program.get()) == 0);
    constexpr off_t instruction = 8;           // bytes
    constexpr off_t most_instructions = 4096;  // BPF_MAXINSNS
    CHECK(lseek(program.get(), 0, SEEK_END) <= instruction * most_instructions);
}

// ARM has not the older of such pairs, with which x86 is measured.
TEST_CASE("where a call has a younger form that does the same, a table has both") {
    const CallTable table = table_of(GENERATE(0, 1));
    for (const auto& [old, young] : {std::pair{"open", "openat"},
                                     {"access", "faccessat"},
                                     {"stat", "newfstatat"},
                                     {"lstat", "newfstatat"},
                                     {"readlink", "readlinkat"},
                                     {"mkdir", "mkdirat"},
                                     {"rmdir", "unlinkat"},
                                     {"unlink", "unlinkat"},
                                     {"rename", "renameat"},
                                     {"rename", "renameat2"},
                                     {"link", "linkat"},
                                     {"chmod", "fchmodat"},
                                     {"poll", "ppoll"},
                                     {"select", "pselect6"},
                                     {"epoll_wait", "epoll_pwait"},
                                     {"dup2", "dup3"},
                                     {"accept", "accept4"},
                                     {"getpgrp", "getpgid"},
                                     {"time", "clock_gettime"}}) {
        INFO(old << " " << young);
        if (names(table, old)) CHECK(names(table, young));
    }
}

#ifdef TCGETS2
TEST_CASE("isatty(3) asks the terminal in the old way and in that of glibc 2.42") {
    const CallTable table = table_of(GENERATE(0, 1));
    for (const auto request : {static_cast<std::uint32_t>(TCGETS), static_cast<std::uint32_t>(TCGETS2)}) {
        INFO(request);
        CHECK(std::count_if(table.begin(), table.end(), [&](const Call& call) {
                  return std::string_view(call.name) == "ioctl" && call.error == 0 && call.conditions.size() == 1 &&
                         call.conditions[0].argument == 1 && call.conditions[0].mask == 0xffff'ffff &&
                         call.conditions[0].value == request;
              }) == 1);
    }
}
#endif

TEST_CASE("no system call is both let through and refused without condition") {
    const CallTable table = table_of(GENERATE(0, 1));
    for (const Call& call : table) {
        if (!call.conditions.empty()) continue;
        INFO(call.name);
        const auto rows = std::count_if(table.begin(), table.end(),
                                        [&](const Call& other) { return std::string_view(other.name) == call.name; });
        CHECK(rows == 1);
    }
}

TEST_CASE("conditions compare only what their mask lets through") {
    const CallTable table = table_of(GENERATE(0, 1));
    for (const Call& call : table)
        for (const Condition& condition : call.conditions) {
            INFO(call.name);
            CHECK(condition.argument < 6);
            CHECK(condition.mask != 0);
            CHECK((condition.value & ~condition.mask) == 0);
        }
}

TEST_CASE("nobody may do what takes over other processes, the kernel or the machine") {
    const CallTable table = table_of(GENERATE(0, 1));
    for (const char* name : {"ptrace",
                             "process_vm_readv",
                             "process_vm_writev",
                             "process_madvise",
                             "pidfd_getfd",
                             "kcmp",
                             "bpf",
                             "perf_event_open",
                             "userfaultfd",
                             "io_uring_setup",
                             "io_uring_enter",
                             "keyctl",
                             "add_key",
                             "request_key",
                             "mount",
                             "umount2",
                             "pivot_root",
                             "chroot",
                             "move_mount",
                             "fsopen",
                             "open_tree",
                             "unshare",
                             "setns",
                             "init_module",
                             "finit_module",
                             "delete_module",
                             "kexec_load",
                             "reboot",
                             "swapon",
                             "sethostname",
                             "settimeofday",
                             "clock_settime",
                             "adjtimex",
                             "iopl",
                             "ioperm",
                             "acct",
                             "quotactl",
                             "syslog",
                             "personality",
                             "seccomp",
                             "capset",
                             "setuid",
                             "setgid",
                             "setresuid",
                             "setresgid",
                             "setgroups",
                             "mknod",
                             "mknodat",
                             "chown",
                             "fchown",
                             "memfd_create",
                             "vmsplice",
                             "modify_ldt",
                             "execveat",
                             "fanotify_init",
                             "open_by_handle_at",
                             "shmget",
                             "msgget",
                             "semget",
                             "mq_open",
                             "pkey_mprotect",
                             "remap_file_pages",
                             "vfork"}) {
        INFO(name);
        CHECK(exists_somewhere(name));
        CHECK_FALSE(names(table, name));
    }
}

TEST_CASE("the worker can neither start processes nor change files") {
    const CallTable table = table_of(0);
    for (const char* name :
         {"clone", "clone3", "fork", "execve", "kill", "unlink", "unlinkat", "rename", "renameat2", "mkdir", "mkdirat",
          "link", "symlink", "chmod", "fchmod", "truncate", "ftruncate", "listen", "accept4"}) {
        INFO(name);
        CHECK_FALSE(names(table, name));
    }
    for (const Call& call : table) {
        INFO(call.name);
        const std::string_view name = call.name;
        if (name.starts_with("open") || name.find("access") != name.npos) CHECK(call.error != 0);
    }
}
