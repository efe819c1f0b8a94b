// SPDX-License-Identifier: GPL-3.0-or-later
//
// Removal goes from descriptor to descriptor (openat(2) with O_NOFOLLOW): what a name points to cannot change under it.
// The agent is spoken to in its own protocol (Assuan: lines of text, a greeting first).
#include "bootkey/changes/home_directory.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "bootkey/base/directory_stream.hpp"
#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/base/time.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::changes {
namespace {

using base::Result;
using base::UniqueFd;

constexpr std::string_view name_prefix = "bootkey-home-";
constexpr std::size_t random_digits = 16;
constexpr auto removal_limit = std::chrono::seconds(20);  // somebody goes on filling it
constexpr auto agent_limit = std::chrono::milliseconds(500);

bool is_dots(const char* name) {
    return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

UniqueFd open_below(int parent, const char* name) {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    UniqueFd fd(openat(parent, name, flags));
    // Only root reads a directory that has no permissions; whoever else owns it can give them back.
    if (!fd && errno == EACCES && fchmodat(parent, name, S_IRWXU, 0) == 0) fd.reset(openat(parent, name, flags));
    return fd;
}

// A tree of any depth is removed with two open directories and without recursion: directories that are found inside
// one of the tree's first level are moved up into that level, where their turn comes later.
class TreeRemoval {
public:
    /// `top`: the tree's own directory, which must outlive the object.
    TreeRemoval(int top, dev_t device) : top_(top), device_(device) {}

    /// Removes all that is in it. Returns 0 or the first errno, having gone on with the rest.
    int run() {
        const auto deadline = base::Clock::now() + removal_limit;
        do {
            first_ = 0;
            progress_ = false;
            empty(UniqueFd(openat(top_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), [this](const char* name, int) {
                const int reason = remove_directory(name);
                progress_ |= reason == 0;
                return reason;
            });
            if (progress_ && base::Clock::now() > deadline) return ETIME;
        } while (progress_);
        return first_;
    }

private:
    // Unlinks what is in the directory; `directory_found` deals with directories, and returns 0 or errno.
    template <typename Found>
    void empty(UniqueFd fd, Found directory_found) {
        struct stat status {};
        if (!fd || fstat(fd.get(), &status) != 0) return note(errno);
        if (status.st_dev != device_) return note(EXDEV);
        const base::DirectoryStream stream(fdopendir(fd.get()));
        if (!stream) return note(errno);
        const int directory = fd.release();  // the stream's now
        while (const dirent* entry = readdir(stream.get())) {
            if (is_dots(entry->d_name)) continue;
            if (unlinkat(directory, entry->d_name, 0) == 0)
                progress_ = true;
            else if (errno == EISDIR || errno == EPERM)  // unlink(2): Linux says EISDIR, POSIX EPERM
                note(directory_found(entry->d_name, directory));
            else if (errno != ENOENT)
                note(errno);
        }
    }
    int remove_directory(const char* name) {
        UniqueFd fd = open_below(top_, name);
        if (!fd) return errno;
        empty(std::move(fd), [this](const char* inner, int parent) { return move_up(parent, inner); });
        return unlinkat(top_, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : errno;
    }

    int move_up(int parent, const char* name) {
        for (;;) {
            const std::string free = "removed-" + std::to_string(++moved_);
            if (renameat2(parent, name, top_, free.c_str(), RENAME_NOREPLACE) == 0) {
                progress_ = true;
                return 0;
            }
            if (errno != EEXIST) return errno;
        }
    }

    void note(int reason) {
        if (first_ == 0) first_ = reason;
    }

    int top_;
    dev_t device_;
    int first_ = 0;
    bool progress_ = false;  // in this round
    std::uint64_t moved_ = 0;
};

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
    return base::is_in_memory(directory);
}

bool has_room(const std::string& directory) {
    struct statvfs status {};
    if (statvfs(directory.c_str(), &status) != 0) return true;  // what fails then says why
    constexpr std::uint64_t bytes = 512 * 1024;
    constexpr std::uint64_t files = 32;
    if ((status.f_flag & ST_RDONLY) != 0) return false;
    // Where there is no limit, as in ramfs, all numbers are 0.
    const bool has_bytes = status.f_blocks == 0 || std::uint64_t{status.f_bavail} * status.f_frsize >= bytes;
    return has_bytes && (status.f_files == 0 || status.f_favail >= files);
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
    // An agent that ends removes its sockets itself: what is added or gone meanwhile is met by another round.
    if (reason == 0) reason = TreeRemoval(fd.get(), status.st_dev).run();
    if (reason == 0 && rmdir(path.c_str()) != 0) reason = errno;
    if (reason == 0) return {};
    return base::system_error("cannot remove the temporary directory " + base::escaped(path), reason,
                              "remove it: it may hold secret keys");
}

}  // namespace bootkey::changes
