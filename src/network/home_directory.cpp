// SPDX-License-Identifier: GPL-3.0-or-later
//
// Removal goes from descriptor to descriptor (openat(2) with O_NOFOLLOW): what a name points to cannot change under it.
// The agent is spoken to in its own protocol (Assuan: lines of text, a greeting first).
#include "bootkey/network/home_directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "bootkey/base/text.hpp"
#include "bootkey/base/time.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::network {
namespace {

using base::Result;
using base::UniqueFd;

constexpr std::string_view name_prefix = "bootkey-home-";
constexpr std::size_t random_digits = 16;
constexpr int most_depth = 8;  // a GnuPG home has two levels
constexpr auto agent_limit = std::chrono::milliseconds(500);

struct DirectoryCloser {
    void operator()(DIR* directory) const noexcept { closedir(directory); }
};

bool is_dots(const char* name) {
    return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

int empty_directory(UniqueFd fd, dev_t device, int depth);

// Removes one entry of a directory. Returns 0 or errno.
int remove_entry(int parent, const char* name, dev_t device, int depth) {
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return 0;
    if (errno != EISDIR && errno != EPERM) return errno;  // unlink(2): Linux says EISDIR, POSIX EPERM
    UniqueFd fd(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return errno;
    if (const int reason = empty_directory(std::move(fd), device, depth + 1); reason != 0) return reason;
    return unlinkat(parent, name, AT_REMOVEDIR) == 0 ? 0 : errno;
}

// Removes what is in the directory. Returns 0 or the first errno, having gone on with the rest.
int empty_directory(UniqueFd fd, dev_t device, int depth) {
    struct stat status {};
    if (fstat(fd.get(), &status) != 0) return errno;
    if (status.st_dev != device) return EXDEV;
    if (depth > most_depth) return ELOOP;
    const std::unique_ptr<DIR, DirectoryCloser> stream(fdopendir(fd.get()));
    if (!stream) return errno;
    const int directory = fd.release();  // the stream's now
    int first = 0;
    while (const dirent* entry = readdir(stream.get())) {
        if (is_dots(entry->d_name)) continue;
        const int reason = remove_entry(directory, entry->d_name, device, depth);
        if (first == 0) first = reason;
    }
    return first;
}

// Reads until a line end or the end of the connection; false at the latter, and when the time is over.
bool read_line(int fd, base::Time deadline) {
    char bytes[1024];
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - base::Clock::now());
        pollfd wait{fd, POLLIN, 0};
        if (left.count() <= 0 || poll(&wait, 1, static_cast<int>(left.count())) == 0) return false;
        const ssize_t count = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (count <= 0) return false;
        if (std::memchr(bytes, '\n', static_cast<std::size_t>(count)) != nullptr) return true;
    }
}

}  // namespace

Result<std::string> new_home_path(const std::string& parent) {
    std::byte random[random_digits / 2];
    if (getrandom(random, sizeof random, GRND_INSECURE) != static_cast<ssize_t>(sizeof random))
        return base::system_error("cannot make a name for a temporary directory", errno);
    return parent + '/' + std::string(name_prefix) + base::hex(random, sizeof random);
}

bool is_home_path(const std::string& path, const std::vector<std::string>& parents) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos || std::find(parents.begin(), parents.end(), path.substr(0, slash)) == parents.end())
        return false;
    const std::string_view name = std::string_view(path).substr(slash + 1);
    return name.size() == name_prefix.size() + random_digits && name.substr(0, name_prefix.size()) == name_prefix &&
           name.find_first_not_of("0123456789abcdef", name_prefix.size()) == std::string_view::npos;
}

bool is_in_memory(const std::string& directory) {
    struct statfs status {};
    if (statfs(directory.c_str(), &status) != 0) return false;
    return status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC;
}

void end_agent(const std::string& home) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = home + "/S.gpg-agent";
    struct stat status {};
    if (path.size() >= sizeof address.sun_path || lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode))
        return;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return;  // nobody listens
    const auto deadline = base::Clock::now() + agent_limit;
    if (!read_line(fd.get(), deadline)) return;
    constexpr std::string_view command = "KILLAGENT\n";
    if (send(fd.get(), command.data(), command.size(), MSG_NOSIGNAL) < 0) return;
    // It answers, ends, and its end closes the connection.
    while (read_line(fd.get(), deadline)) {
    }
}

Result<void> remove_tree(const std::string& path) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd && errno == ENOENT) return {};
    struct stat status {};
    int reason = fd && fstat(fd.get(), &status) == 0 ? 0 : errno;
    // An agent that ends removes its sockets itself: what is added or gone meanwhile is met by a second round.
    for (int round = 0; reason == 0 && round < 2; ++round) {
        UniqueFd again(openat(fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        reason = again ? empty_directory(std::move(again), status.st_dev, 0) : errno;
    }
    if (reason == 0 && rmdir(path.c_str()) != 0) reason = errno;
    if (reason == 0) return {};
    return base::system_error("cannot remove the temporary directory " + base::escaped(path), reason,
                              "remove it: it may hold secret keys");
}

}  // namespace bootkey::network
