// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/console/file_watch.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include "bootkey/base/text.hpp"

namespace bootkey::console {
namespace {

constexpr std::uint32_t coming = IN_CREATE | IN_MOVED_TO;
constexpr std::uint32_t of_itself = IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t of_the_file = coming | IN_OPEN | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM;

std::string directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

}  // namespace

base::Result<std::unique_ptr<FileWatch>> FileWatch::create(base::Loop& loop, const std::string& path,
                                                           std::function<void(News)> told) {
    const std::string tried = "cannot watch for " + base::escaped(path);
    base::UniqueFd inotify(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!inotify) return base::system_error(tried, errno);
    std::unique_ptr<FileWatch> made(new FileWatch(path, std::move(inotify), std::move(told)));
    if (!made->watch_nearest()) return base::system_error(tried, errno, "see fs.inotify.max_user_watches");
    made->watch_ = loop.watch(made->inotify_.get(), {.readable = true},
                              [self = made.get()](base::Readiness) { self->read_events(); });
    return made;
}

// Watches the nearest directory on the way to the file that exists; false, with errno, if not even "/" can be watched.
bool FileWatch::watch_nearest() {
    if (descriptor_ >= 0) inotify_rm_watch(inotify_.get(), descriptor_);
    for (std::string path = path_;;) {
        const std::string directory = directory_of(path);
        at_directory_ = path == path_;
        descriptor_ = inotify_add_watch(inotify_.get(), directory.c_str(),
                                        IN_ONLYDIR | of_itself | (at_directory_ ? of_the_file : coming));
        const int reason = errno;
        if (descriptor_ >= 0) {
            awaited_ = name_of(path);
            struct stat status {};
            // The directory that is awaited may have come before the watch was there.
            if (at_directory_ || stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return true;
            inotify_rm_watch(inotify_.get(), descriptor_);
            path = path_;
            continue;
        }
        errno = reason;
        if ((reason != ENOENT && reason != ENOTDIR) || directory == "/") return false;
        path = directory;
    }
}

void FileWatch::read_events() {
    alignas(inotify_event) char buffer[4096];
    const ssize_t size = read(inotify_.get(), buffer, sizeof buffer);
    if (size <= 0) return;  // EAGAIN, EINTR: it will be told again
    std::optional<News> news;
    bool lost = false;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
        inotify_event event{};
        std::memcpy(&event, buffer + at, sizeof event);
        const std::string name = event.len > 0 ? buffer + at + sizeof event : "";
        at += sizeof event + event.len;
        if ((event.mask & IN_Q_OVERFLOW) != 0) news = News::opened;
        if (event.wd != descriptor_) continue;
        if ((event.mask & (of_itself | IN_IGNORED)) != 0) lost = true;
        if (name != awaited_) continue;
        if (!at_directory_)
            lost = true;
        else if ((event.mask & (coming | IN_OPEN)) != 0)
            news = News::opened;
        else if (!news)
            news = News::changed;
    }
    if (lost) {
        (void)watch_nearest();  // nothing is left to watch only where the kernel is out of memory
        news = News::opened;
    }
    const auto tell = told_;
    if (news) tell(*news);  // may destroy this object
}

}  // namespace bootkey::console
