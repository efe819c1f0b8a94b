// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/waiting_askpass.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <limits>

#include "bootkey/base/directory_stream.hpp"
#include "bootkey/base/process_stat.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::console {
namespace {

constexpr unsigned usual_tries = 3;                     // cryptroot's, where crypttab says nothing
constexpr std::size_t longest_environment = 64 * 1024;  // bytes of it that are looked at

// Calls `visit` with the directory's descriptor and each entry that is a number, until that returns false.
void for_numbers(const std::string& path, const std::function<bool(int directory, const char* entry)>& visit) {
    const base::DirectoryStream directory(opendir(path.c_str()));
    if (!directory) return;
    while (const dirent* entry = readdir(directory.get())) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
        if (!visit(dirfd(directory.get()), entry->d_name)) return;
    }
}

void for_processes(const std::function<bool(pid_t pid)>& visit) {
    for_numbers("/proc", [&](int, const char* entry) {
        const auto pid = base::parse_number(entry, 1, std::numeric_limits<pid_t>::max());
        return !pid || visit(static_cast<pid_t>(*pid));
    });
}

// A file of /proc, which has no size, up to `most` bytes; empty if it cannot be read: the process may just have ended.
std::string read_proc(pid_t pid, const char* name, std::size_t most) {
    const base::UniqueFd fd(open(base::format("/proc/%d/%s", pid, name).c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    std::array<char, 4096> buffer{};
    while (fd && text.size() < most) {
        const ssize_t count = read(fd.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return text;
}

// Whether the process has the file open in the way that `permission` (S_IRUSR, S_IWUSR) tells: that is what the
// permissions of the links in /proc/PID/fd mean (proc(5)).
bool has_open(pid_t pid, const struct stat& file, mode_t permission) {
    bool found = false;
    for_numbers(base::format("/proc/%d/fd", pid), [&](int directory, const char* entry) {
        struct stat target {};
        struct stat link {};
        found = fstatat(directory, entry, &target, 0) == 0 && target.st_dev == file.st_dev &&
                target.st_ino == file.st_ino && fstatat(directory, entry, &link, AT_SYMLINK_NOFOLLOW) == 0 &&
                (link.st_mode & permission) != 0;
        return !found;
    });
    return found;
}

bool executes(pid_t pid, const struct stat& program) {
    struct stat found {};
    return stat(base::format("/proc/%d/exe", pid).c_str(), &found) == 0 && found.st_dev == program.st_dev &&
           found.st_ino == program.st_ino;
}

// All four user IDs of the process (proc(5), status): whoever has started it by set-user-ID is not us.
bool is_of_our_user(pid_t pid) {
    const std::string status = read_proc(pid, "status", 4096);
    for (const std::string_view line : base::split(status, '\n')) {
        if (!line.starts_with("Uid:\t")) continue;
        const auto ids = base::split(line.substr(5), '\t');
        const std::string ours = std::to_string(geteuid());
        return ids.size() == 4 && std::ranges::all_of(ids, [&](std::string_view id) { return id == ours; });
    }
    return false;
}

std::optional<std::string_view> variable(std::string_view environment, std::string_view name) {
    for (const std::string_view entry : base::split(environment, '\0'))
        if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
            return entry.substr(name.size() + 1);
    return std::nullopt;
}

unsigned number(std::optional<std::string_view> text, unsigned otherwise) {
    const auto value = base::parse_number(text.value_or(""), 0, std::numeric_limits<unsigned>::max());
    return value ? static_cast<unsigned>(*value) : otherwise;
}

std::optional<pid_t> parent_process(pid_t pid) {
    const auto read = base::read_process_stat(pid);
    if (!read || !*read) return std::nullopt;
    return (*read)->parent;
}

// Keyscripts that ask by askpass for what opens the disk: cryptsetup's prompt itself, Debian's decrypt_keyctl, which
// keeps it for further disks, and bootkey's own, which comes down to cryptsetup's prompt. Debian's others have a key
// file's passphrase or a card's PIN typed, and what those of other people ask for is unknown. crypttab_validate_option
// in /lib/cryptsetup/functions makes the path absolute.
bool asks_for_disk(std::string_view keyscript) {
    constexpr std::string_view merged = "/usr";
    if (keyscript.starts_with(merged)) keyscript.remove_prefix(merged.size());
    return keyscript.empty() || keyscript == askpass_program || keyscript == "/lib/cryptsetup/scripts/decrypt_keyctl" ||
           keyscript == "/lib/bootkey/keyscript";
}

}  // namespace

Prompt prompt_of(pid_t pid, std::string_view environment) {
    const auto name = variable(environment, "CRYPTTAB_NAME");
    if (!name || name->empty())
        return {.process = pid, .device = {}, .tried = static_cast<unsigned>(pid), .tries = 0, .foreign_keyscript = {}};
    const auto keyscript = variable(environment, "CRYPTTAB_OPTION_keyscript").value_or("");
    return {.process = pid,
            .device = std::string(*name),
            .tried = number(variable(environment, "CRYPTTAB_TRIED"), 0),
            .tries = number(variable(environment, "CRYPTTAB_OPTION_tries"), usual_tries),
            .foreign_keyscript = std::string(asks_for_disk(keyscript) ? "" : keyscript)};
}

base::Result<std::optional<struct stat>> find_fifo(const std::string& path) {
    struct stat status {};
    const std::string tried = "cannot use " + base::escaped(path);
    if (lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return std::optional<struct stat>();
        return base::system_error(tried, errno);
    }
    if (S_ISFIFO(status.st_mode) && status.st_uid == geteuid() && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0)
        return std::optional(status);
    const char* why = S_ISFIFO(status.st_mode) ? "others may read or write it" : "it is not a FIFO";
    return base::Error{base::ExitCode::no_permission, tried, why, "remove it: askpass makes it anew"};
}

std::vector<WaitingAskpass> find_askpass(const struct stat& fifo, const std::string& program) {
    std::vector<WaitingAskpass> found;
    struct stat wanted {};
    if (stat(program.c_str(), &wanted) != 0) return found;
    for_processes([&](pid_t pid) {
        if (!executes(pid, wanted)) return true;
        // Taken first, so that what is read then is of the same process or of none, should it end and its number be
        // used again.
        base::UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
        if (!pidfd || !executes(pid, wanted) || !is_of_our_user(pid) || !has_open(pid, fifo, S_IRUSR)) return true;
        Prompt prompt = prompt_of(pid, read_proc(pid, "environ", longest_environment));
        pollfd ended{pidfd.get(), POLLIN, 0};
        if (poll(&ended, 1, 0) == 0) found.push_back({std::move(prompt), std::move(pidfd)});
        return true;
    });
    return found;
}

bool reads(pid_t pid, const struct stat& fifo) {
    return has_open(pid, fifo, S_IRUSR);
}

bool others_write(const struct stat& fifo) {
    bool found = false;
    for_processes([&](pid_t pid) {
        found = pid != getpid() && has_open(pid, fifo, S_IWUSR);
        return !found;
    });
    return found;
}

std::vector<pid_t> children_of(pid_t pid) {
    std::vector<pid_t> found;
    for_processes([&](pid_t other) {
        if (parent_process(other) == pid) found.push_back(other);
        return true;
    });
    return found;
}

}  // namespace bootkey::console
