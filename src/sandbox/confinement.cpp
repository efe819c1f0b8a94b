// SPDX-License-Identifier: GPL-3.0-or-later
//
// The order of the steps matters: each may take away what those before it needed, and the kernel undoes some of them
// when user ids change (prctl(2), PR_SET_PDEATHSIG and PR_SET_DUMPABLE).
#include "bootkey/sandbox/confinement.hpp"

#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <span>
#include <utility>

#include "bootkey/base/text.hpp"
#include "identity.hpp"
#include "landlock.hpp"
#include "memory.hpp"
#include "refusal.hpp"
#include "seccomp_filter.hpp"

namespace bootkey::sandbox {
namespace {

struct Limit {
    __rlimit_resource_t resource;
    rlim_t most;
    const char* name;
};

// No limit on the size of files: memory, where the decryptor's are, has none either, and standard error may be a file
// that others have filled.

// For 256 servers that wait, 32 that connect, and mDNS sockets on every interface.
constexpr Limit worker_limits[] = {
    {RLIMIT_NOFILE, 1024, "RLIMIT_NOFILE"},
    {RLIMIT_NPROC, 0, "RLIMIT_NPROC"},
};

constexpr Limit decryptor_limits[] = {
    {RLIMIT_NOFILE, 256, "RLIMIT_NOFILE"},
};

// Processes and threads are counted per user id. One decryptor has about ten with those of gpg and the agent; several
// instances of bootkey share the user.
constexpr Limit decryptor_processes = {RLIMIT_NPROC, 256, "RLIMIT_NPROC"};

// What a process may have of memory of its own (RLIMIT_DATA counts private writable mappings since Linux 4.7): more
// than 256 servers' answers and TLS sessions take, or gpg with the longest keys, and so little that the machine lives
// on, of which gpg, its agent and the decryptor may each take as much. Sanitizers reserve far more than they use.
std::optional<Limit> memory_limit() {
#if defined(__SANITIZE_ADDRESS__)
    return std::nullopt;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
    return std::nullopt;
#endif
#endif
    constexpr rlim_t least = rlim_t{64} << 20, most = rlim_t{256} << 20;
    struct sysinfo machine {};
    const rlim_t quarter = sysinfo(&machine) == 0 ? rlim_t{machine.totalram} * machine.mem_unit / 4 : most;
    return Limit{RLIMIT_DATA, std::clamp(quarter, least, most), "RLIMIT_DATA"};
}

base::Result<void> set_limit(const Limit& limit) {
    rlimit value{};
    if (getrlimit(limit.resource, &value) != 0) return refusal(limit.name, errno);
    value.rlim_max = std::min(value.rlim_max, limit.most);
    value.rlim_cur = std::min(value.rlim_cur, limit.most);
    if (setrlimit(limit.resource, &value) != 0) return refusal(limit.name, errno);
    return {};
}

base::Result<void> set_limits(Role role, bool own_user) {
    const std::span<const Limit> limits =
        role == Role::worker ? std::span<const Limit>(worker_limits) : std::span<const Limit>(decryptor_limits);
    for (const Limit& limit : limits)
        if (auto set = set_limit(limit); !set) return set;
    if (const auto memory = memory_limit())
        if (auto set = set_limit(*memory); !set) return set;
    if (role == Role::decryptor && own_user) return set_limit(decryptor_processes);
    return {};
}

base::Result<void> give_up_root(Role role, bool is_root) {
    const Identity identity = identity_of(role);
    if (auto emptied = empty_bounding_set(); !emptied) return emptied;
    if (is_root) {
        if (auto taken = take_identity(identity); !taken) return taken;
    }
    if (auto dropped = drop_capabilities(); !dropped) return dropped;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return refusal("no_new_privs", errno);
    return check_root_is_gone();
}

base::Result<void> die_with(pid_t parent) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return refusal("PR_SET_PDEATHSIG", errno);
    if (getppid() == parent) return {};
    return base::Error{
        base::ExitCode::os_error, "cannot confine a process of bootkey", "the process that started it has ended", {}};
}

// Before Linux 5.9 there is no close_range(2).
void close_one_by_one(unsigned from, unsigned to) {
    constexpr rlim_t enough = 65536;
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = enough;
    const auto end = static_cast<unsigned>(std::min(limit.rlim_cur, enough));
    for (unsigned fd = from; fd <= to && fd < end; ++fd) close(static_cast<int>(fd));
}

void close_from_to(unsigned from, unsigned to) {
    if (syscall(SYS_close_range, from, to, 0U) != 0) close_one_by_one(from, to);
}

}  // namespace

base::Result<std::vector<std::string>> confine(const Confinement& wanted, pid_t expected_parent) {
    const bool is_root = geteuid() == 0;
    umask(077);
    auto remarks = protect_memory_without_capabilities();  // while the limit on locked memory can still be raised
    if (auto given_up = give_up_root(wanted.role, is_root); !given_up) return std::move(given_up).error();
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return refusal("PR_SET_DUMPABLE", errno);
    if (auto set = set_limits(wanted.role, is_root); !set) return std::move(set).error();
    if (auto bound = die_with(expected_parent); !bound) return std::move(bound).error();
    if (!wanted.filters) return remarks;

    auto files = restrict_with_landlock(wanted.role, wanted.writable_directory);
    if (!files) return std::move(files).error();
    auto calls = filter_system_calls(wanted.role);
    if (!calls) return std::move(calls).error();
    for (std::optional<std::string>* remark : {&*files, &*calls})
        if (*remark) remarks.push_back(std::move(**remark));
    return remarks;
}

void close_all_but(std::span<const int> kept) {
    std::vector<unsigned> sorted;
    for (const int fd : kept)
        if (fd >= 0) sorted.push_back(static_cast<unsigned>(fd));
    std::sort(sorted.begin(), sorted.end());
    unsigned next = 0;
    for (const unsigned fd : sorted) {
        if (fd > next) close_from_to(next, fd - 1);
        next = fd + 1;
    }
    close_from_to(next, ~0U);
}

}  // namespace bootkey::sandbox
