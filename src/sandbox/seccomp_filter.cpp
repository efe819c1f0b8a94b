// SPDX-License-Identifier: GPL-3.0-or-later
#include "seccomp_filter.hpp"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <type_traits>
#include <utility>

#include "bootkey/sandbox/system_calls.hpp"
#include "refusal.hpp"

namespace bootkey::sandbox {
namespace {

struct FilterDeleter {
    void operator()(scmp_filter_ctx filter) const noexcept { seccomp_release(filter); }
};
using Filter = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, FilterDeleter>;

// Since Linux 4.14.
bool kernel_can_kill_processes() {
    const std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0U, &action) == 0;
}

// libseccomp's functions return 0 or a negated errno.
base::Result<void> add(const Filter& filter, const Call& call) {
    const int number = seccomp_syscall_resolve_name(call.name);
    if (number == __NR_SCMP_ERROR) return {};  // younger than libseccomp
    std::vector<scmp_arg_cmp> comparisons;
    for (const Condition& condition : call.conditions)
        comparisons.push_back({condition.argument, SCMP_CMP_MASKED_EQ, condition.mask, condition.value});
    const std::uint32_t action = call.error == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(static_cast<unsigned>(call.error));
    const int outcome = seccomp_rule_add_array(filter.get(), action, number, static_cast<unsigned>(comparisons.size()),
                                               comparisons.data());
    if (outcome != 0) return refusal(std::string("system call filter, ") + call.name, -outcome);
    return {};
}

base::Result<void> add(const Filter& filter, const CallTable& table) {
    for (const Call& call : table)
        if (auto added = add(filter, call); !added) return added;
    return {};
}

}  // namespace

base::Result<std::optional<std::string>> filter_system_calls(Role role) {
    if (!kernel_can_kill_processes())
        return std::optional<std::string>(
            "this kernel cannot end a process for its system calls (before Linux 4.14, or built without "
            "seccomp): they are not filtered");
    const Filter filter(seccomp_init(SCMP_ACT_KILL_PROCESS));
    if (!filter) return refusal("system call filter", ENOMEM);
    // Calls by the numbers of another architecture (32-bit, x32) end the process, too. The kernel's own errno, if it
    // refuses the filter.
    for (const auto& [attribute, value] :
         {std::pair{SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS}, {SCMP_FLTATR_API_SYSRAWRC, 1U}})
        if (const int outcome = seccomp_attr_set(filter.get(), attribute, value); outcome != 0)
            return refusal("system call filter, its settings", -outcome);
    if (auto added = add(filter, common_calls()); !added) return std::move(added).error();
    if (auto added = add(filter, role == Role::worker ? worker_calls() : decryptor_calls()); !added)
        return std::move(added).error();
#ifdef BOOTKEY_SANITIZED
    if (auto added = add(filter, sanitizer_calls()); !added) return std::move(added).error();
#endif
    if (const int outcome = seccomp_load(filter.get()); outcome != 0) return refusal("system call filter", -outcome);
    return std::optional<std::string>();
}

}  // namespace bootkey::sandbox
