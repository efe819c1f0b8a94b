// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a process of bootkey gives up before it listens to anybody: user ids, capabilities, the file system, and all
// system calls it has no use for. A process is confined once, by itself, and never gets back what it gave up; nor do
// the programs it starts.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "bootkey/base/result.hpp"

namespace bootkey::sandbox {

/// What a process is for, and so what it may do once it is confined.
enum class Role {
    worker,     ///< talks to the network: UDP, TCP, reads rtnetlink; opens no file, starts nothing
    decryptor,  ///< decrypts with gpg and gpg-agent, which it starts; no network
};

struct Identity {
    uid_t user;
    gid_t group;
};

/// The user and group that a process of this role takes if root starts it: fixed numbers from 65520 to 65533, which
/// Debian Policy (9.2.2) reserves and systemd does not hand out (its UIDS-GIDS document). Different for each role, and
/// none that is the real or effective user or group id of the calling process; so ask before the identity is taken, not
/// after.
[[nodiscard]] Identity identity_of(Role role);

struct Confinement {
    Role role;
    std::string writable_directory =
        {};               ///< decryptor: the GnuPG home, absolute, of identity_of(decryptor); worker: empty
    bool filters = true;  ///< seccomp and Landlock; false for --no-sandbox
};

/// Confines the calling process, for good. To be called once, in a child that has only this thread and only the
/// descriptors it needs; `expected_parent` is the pid of the process that forked it, with which it dies from now on
/// (SIGKILL). If the effective user id is 0, takes identity_of(role), without supplementary groups; otherwise keeps its
/// ids. In any case: no capabilities, no way to gain any (no_new_privs), umask 077, limits on processes, descriptors
/// and memory, protect_memory(), then Landlock and seccomp: a system call that the role's table does not have ends the
/// process with SIGSYS (logged by the kernel with its number). Returns remarks for the log, one for each protection
/// that this kernel does not have. Errors, after which the process must end: no_permission, os_error (also if the
/// parent is gone already).
[[nodiscard]] base::Result<std::vector<std::string>> confine(const Confinement& wanted, pid_t expected_parent);

/// Keeps the memory of the calling process out of core dumps, other processes' hands (ptrace(2)) and swap; the last
/// includes what is mapped later. Raises RLIMIT_MEMLOCK for that. Where it stays (and there is no CAP_IPC_LOCK),
/// nothing is locked but what locks itself (base::Secret): a limit that is used up would make later mappings and locks
/// fail. Returns remarks for the log on what could not be done. fork(2) loses the locks. confine() does this too.
std::vector<std::string> protect_memory();

/// Closes every descriptor but those in `kept`, standard ones included. Numbers that are not open are ignored.
void close_all_but(std::span<const int> kept);

}  // namespace bootkey::sandbox
