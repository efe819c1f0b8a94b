// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/base/file.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "bootkey/base/text.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::base {
namespace {

std::string advice_for(int errno_value) {
    switch (errno_value) {
        case ENOENT:
            return "check the path";
        case EACCES:
        case EPERM:
            return "run as root or give read permission";
        default:
            return {};
    }
}

Error too_long(const std::string& path, std::size_t most, ExitCode code) {
    return {code, "cannot read " + escaped(path), format("it is longer than %zu bytes", most),
            "check that it is the right file"};
}

// Opens a regular file for reading and checks its size. O_NONBLOCK keeps a FIFO in its place from blocking us.
Result<UniqueFd> open_regular(const std::string& path, std::size_t most, ExitCode code) {
    const std::string tried = "cannot read " + escaped(path);
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) return system_error(tried, errno, advice_for(errno), code);
    struct stat status {};
    if (fstat(fd.get(), &status) != 0) return system_error(tried, errno, {}, code);
    if (!S_ISREG(status.st_mode)) return Error{code, tried, "it is not a regular file", "name a regular file"};
    if (static_cast<std::uintmax_t>(status.st_size) > most) return too_long(path, most, code);
    return fd;
}

// Reads from `fd` to its end, to where `room` says; `took` is told how many bytes came. No room means more than `most`
// bytes.
template <typename Room, typename Took>
Result<void> read_to_end(const UniqueFd& fd, const std::string& path, std::size_t most, ExitCode code, Room room,
                         Took took) {
    for (;;) {
        const std::span<std::byte> space = room();
        if (space.empty()) return too_long(path, most, code);
        const ssize_t count = read(fd.get(), space.data(), space.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return system_error("cannot read " + escaped(path), errno, {}, code);
        if (count == 0) return {};
        took(static_cast<std::size_t>(count));
    }
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t most, ExitCode code) {
    Result<UniqueFd> fd = open_regular(path, most, code);
    if (!fd) return std::move(fd).error();
    std::string content;
    std::byte buffer[4096];
    const auto done = read_to_end(
        *fd, path, most, code,
        [&] { return content.size() > most ? std::span<std::byte>{} : std::span<std::byte>(buffer); },
        [&](std::size_t count) { content.append(reinterpret_cast<const char*>(buffer), count); });
    if (!done) return done.error();
    return content;
}

Result<Secret> read_secret_file(const std::string& path, std::size_t most, ExitCode code) {
    Result<UniqueFd> fd = open_regular(path, most, code);
    if (!fd) return std::move(fd).error();
    Result<Secret> secret = Secret::with_capacity(most + 1);  // one more, to see the end of a file of just `most`
    if (!secret) return secret;
    const auto done = read_to_end(
        *fd, path, most, code, [&] { return secret->spare(); }, [&](std::size_t count) { secret->grow(count); });
    if (!done) return done.error();
    return secret;
}

int write_all(int fd, std::span<const std::byte> bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t count = write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) {
            pollfd wait{fd, POLLOUT, 0};
            poll(&wait, 1, -1);
            continue;
        }
        if (count < 0) return errno;
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return 0;
}

Result<void> write_file(const std::string& path, std::span<const std::byte> content, mode_t mode, bool replace) {
    const std::string tried = "cannot write " + escaped(path);
    std::string temporary = path + ".XXXXXX";
    UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd) return system_error(tried, errno, "check the directory", ExitCode::cannot_create);
    int failure = write_all(fd.get(), content);
    if (failure == 0 && (fchmod(fd.get(), mode) != 0 || fsync(fd.get()) != 0)) failure = errno;
    if (failure == 0 && replace && rename(temporary.c_str(), path.c_str()) != 0) failure = errno;
    if (failure == 0 && !replace && link(temporary.c_str(), path.c_str()) != 0) failure = errno;
    if (failure != 0 || !replace) unlink(temporary.c_str());
    if (failure != 0)
        return system_error(tried, failure, failure == EEXIST ? "move the old file away first" : "check the directory",
                            ExitCode::cannot_create);
    return {};
}

bool is_in_memory(const std::string& directory) {
    struct statfs status {};
    if (statfs(directory.c_str(), &status) != 0) return false;
    return status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC;
}

}  // namespace bootkey::base
