// SPDX-License-Identifier: GPL-3.0-or-later
//
// The process that decrypts with GPGME, and gpg and gpg-agent, which inherit the filter: their starting (dynamic
// loader), their files, the agent's threads, and the sockets between them. Nothing leaves the machine: sockets are
// local ones only.
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

#include "bootkey/sandbox/system_calls.hpp"

namespace bootkey::sandbox {
namespace {

constexpr std::uint32_t writable_code = PROT_WRITE | PROT_EXEC;

// fork(3), posix_spawn(3) and threads; no namespaces, and no child that is anybody else's or is traced.
constexpr std::uint32_t clone_flags_refused = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                              CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_PARENT |
                                              CLONE_PTRACE | CLONE_UNTRACED | CLONE_IO;

Call prctl_call(int operation) {
    return allow("prctl", {int_is(0, operation)});
}

}  // namespace

CallTable decryptor_calls() {
    return {
        // Programs: gpg, gpg-agent, gpgconf.
        allow("execve"),
        allow("clone", {has_none_of(0, clone_flags_refused)}),
        // Its flags are in memory, which a filter does not see; the C library then takes clone.
        refuse("clone3", ENOSYS),
        allow("wait4"),
        allow("waitid"),
        allow("waitpid"),
        allow("pidfd_open"),
        allow("kill"),    // gpg and gpg-agent, at the end; others are of other users
        allow("tgkill"),  // abort(3)
        allow("getpgrp"),
        allow("getpgid"),

        // Starting of a program and of the agent's threads: kernel, C library, dynamic loader.
        allow("arch_prctl"),
        allow("set_thread_area"),
        allow("set_tls"),
        allow("set_tid_address"),
        allow("set_robust_list"),
        allow("rseq"),
        allow("mmap", {bits_are(2, writable_code, 0)}),
        allow("mmap", {bits_are(2, writable_code, PROT_WRITE)}),
        allow("mmap", {bits_are(2, writable_code, PROT_EXEC)}),
        allow("mmap2", {bits_are(2, writable_code, 0)}),
        allow("mmap2", {bits_are(2, writable_code, PROT_WRITE)}),
        allow("mmap2", {bits_are(2, writable_code, PROT_EXEC)}),
        allow("mprotect", {has_none_of(2, PROT_EXEC)}),
#ifdef __aarch64__
        // The loader marks code for branch target identification.
        allow("mprotect", {bits_are(2, writable_code, PROT_EXEC)}),
#endif
        allow("pread64"),
        allow("prlimit64", {int_is(0, 0), int_is(1, RLIMIT_CORE)}),  // gpg and gpg-agent forbid core dumps
        allow("setrlimit", {int_is(0, RLIMIT_CORE)}),

        // Of a process: dies with its parent (gpg-agent), adopts orphans (gpg), has a name, keeps debuggers out.
        prctl_call(PR_SET_PDEATHSIG),
        prctl_call(PR_GET_PDEATHSIG),
        prctl_call(PR_SET_CHILD_SUBREAPER),
        prctl_call(PR_GET_CHILD_SUBREAPER),
        prctl_call(PR_SET_NAME),
        prctl_call(PR_GET_NAME),
        prctl_call(PR_GET_DUMPABLE),
        allow("prctl", {int_is(0, PR_SET_DUMPABLE), int_is(1, 0)}),

        // Files: reading programs, and everything in the GnuPG home. Where is for Landlock and user ids to say.
        allow("open"),
        allow("openat"),
        allow("access"),
        allow("faccessat"),
        allow("faccessat2"),
        allow("stat"),
        allow("stat64"),
        allow("lstat"),
        allow("lstat64"),
        allow("newfstatat"),
        allow("fstatat64"),
        allow("statx"),
        allow("readlink"),
        allow("readlinkat"),
        allow("getcwd"),
        allow("getdents64"),
        allow("umask"),
        allow("mkdir"),
        allow("mkdirat"),
        allow("rmdir"),
        allow("unlink"),
        allow("unlinkat"),
        allow("rename"),
        allow("renameat"),
        allow("renameat2"),
        allow("link"),
        allow("linkat"),
        allow("chmod"),
        allow("fchmod"),
        allow("fchmodat"),
        allow("ftruncate"),
        allow("ftruncate64"),
        allow("fsync"),
        allow("fdatasync"),
        allow("fadvise64"),
        allow("dup"),
        allow("dup2"),
        allow("dup3"),
        allow("close_range"),

        // The agent's socket, on which it listens, and pipes and pairs between processes.
        allow("socket", {int_is(0, AF_UNIX)}),
        allow("socketpair", {int_is(0, AF_UNIX)}),
        allow("pipe"),
        allow("listen"),
        allow("accept"),
        allow("accept4"),
        allow("setsockopt", {int_is(1, SOL_SOCKET), int_is(2, SO_PASSCRED)}),

        allow("getrusage"),
        allow("inotify_init1"),  // gpg-agent watches its socket and its home
        allow("inotify_add_watch"),
        allow("inotify_rm_watch"),
    };
}

}  // namespace bootkey::sandbox
