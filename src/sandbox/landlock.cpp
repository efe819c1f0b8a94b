// SPDX-License-Identifier: GPL-3.0-or-later
//
// By raw system calls, since the C library has no functions for them, and with the constants of newer kernels given
// here, since the headers of the build may be older than the running kernel. The rights that a kernel does not know are
// left out.
#include "landlock.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "bootkey/base/text.hpp"
#include "bootkey/base/unique_fd.hpp"
#include "refusal.hpp"

namespace bootkey::sandbox {
namespace {

// struct landlock_ruleset_attr as of ABI 6 (Linux 6.12). Older kernels take it as long as what they do not know is 0.
struct RulesetAttributes {
    std::uint64_t file_rights;
    std::uint64_t network_rights;
    std::uint64_t scopes;
};

constexpr std::uint64_t truncate_file = 1ULL << 14;    // LANDLOCK_ACCESS_FS_TRUNCATE, ABI 3
constexpr std::uint64_t device_ioctl = 1ULL << 15;     // LANDLOCK_ACCESS_FS_IOCTL_DEV, ABI 5
constexpr std::uint64_t bind_tcp = 1ULL << 0;          // LANDLOCK_ACCESS_NET_BIND_TCP, ABI 4
constexpr std::uint64_t connect_tcp = 1ULL << 1;       // LANDLOCK_ACCESS_NET_CONNECT_TCP, ABI 4
constexpr std::uint64_t abstract_sockets = 1ULL << 0;  // LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, ABI 6
constexpr std::uint64_t signals = 1ULL << 1;           // LANDLOCK_SCOPE_SIGNAL, ABI 6

constexpr std::uint64_t rights_of_first_abi = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

constexpr std::uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t programs = reading | LANDLOCK_ACCESS_FS_EXECUTE;
constexpr std::uint64_t device = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
// All but starting what was written there, devices, and moving things to and from elsewhere.
constexpr std::uint64_t writing = reading | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                  LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                  LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                  LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | truncate_file;

struct Place {
    const char* path;
    std::uint64_t rights;
};

// What gpg, gpg-agent and the dynamic loader need. Those that a system does not have are left out.
constexpr Place decryptor_places[] = {
    {"/usr", programs}, {"/bin", programs}, {"/lib", programs},    {"/lib64", programs},
    {"/etc", reading},  {"/proc", reading}, {"/dev/null", device}, {"/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE},
};

std::uint64_t known_file_rights(long abi) {
    std::uint64_t rights = rights_of_first_abi;
    if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3) rights |= truncate_file;
    if (abi >= 5) rights |= device_ioctl;
    return rights;
}

// Handled, that is forbidden where no rule permits them. The worker connects to servers but has nobody connect to it.
RulesetAttributes attributes_for(Role role, long abi) {
    RulesetAttributes attributes{known_file_rights(abi), 0, 0};
    if (abi >= 4) attributes.network_rights = role == Role::worker ? bind_tcp : bind_tcp | connect_tcp;
    if (abi >= 6) attributes.scopes = abstract_sockets | signals;
    return attributes;
}

base::Result<void> permit(int ruleset, const std::string& path, std::uint64_t rights, bool must_exist) {
    const base::UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!fd && !must_exist && (errno == ENOENT || errno == EACCES)) return {};
    if (!fd) return refusal("Landlock, " + path, errno);
    const landlock_path_beneath_attr rule{.allowed_access = rights, .parent_fd = fd.get()};
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0U) != 0)
        return refusal("Landlock, " + path, errno);
    return {};
}

base::Result<void> permit_places(int ruleset, const std::string& writable_directory, std::uint64_t known) {
    for (const Place& place : decryptor_places)
        if (auto permitted = permit(ruleset, place.path, place.rights & known, false); !permitted) return permitted;
    return permit(ruleset, writable_directory, writing & known, true);
}

}  // namespace

base::Result<std::optional<std::string>> restrict_with_landlock(Role role, const std::string& writable_directory) {
    const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0UL, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 0)
        return std::optional("this kernel has no Landlock " +
                             std::string(errno == EOPNOTSUPP ? "switched on" : "built in") +
                             ": files are protected by user ids and the system call filter alone");
    const RulesetAttributes attributes = attributes_for(role, abi);
    const base::UniqueFd ruleset(
        static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0U)));
    if (!ruleset) return refusal("Landlock ruleset", errno);
    if (role == Role::decryptor) {
        if (auto permitted = permit_places(ruleset.get(), writable_directory, attributes.file_rights); !permitted)
            return std::move(permitted).error();
    }
    if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0U) != 0) return refusal("Landlock", errno);
    return std::optional<std::string>();
}

}  // namespace bootkey::sandbox
