// SPDX-License-Identifier: GPL-3.0-or-later
//
// The tables as tables: what would be wrong on another architecture, or silently do nothing.
#include "bootkey/sandbox/system_calls.hpp"

#include <seccomp.h>
#include <sys/socket.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <iterator>
#include <string_view>

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
