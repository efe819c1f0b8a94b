// SPDX-License-Identifier: GPL-3.0-or-later
//
// Locking, reading and replacing the journal's file. Everything goes by the locked directory's descriptor, so nobody
// who may write to a parent can put another file in its place in between. Not synced to a disk: the journal must not
// outlive the boot.
#include "bootkey/changes/journal_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <utility>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/base/time.hpp"

namespace bootkey::changes {
namespace {

using base::Error;
using base::Result;
using base::UniqueFd;

constexpr const char* file_name = "journal";
constexpr const char* timeline_name = "timeline.json";
constexpr off_t most_bytes = 256 * 1024;  // some 2000 entries; our own instances make a handful each
constexpr auto lock_limit = std::chrono::seconds(1);
constexpr mode_t made_by_bootkey = S_ISVTX;   // a mark; nobody but us may write to the directory, so it forbids nothing
constexpr timespec lock_pause{0, 2'000'000};  // 2 ms; flock(2) has no time limit of its own

Error journal_error(const std::string& directory, int errno_value) {
    const bool refused = errno_value == EACCES || errno_value == EPERM;
    return base::system_error("cannot use the journal of changes in " + directory, errno_value,
                              refused ? "run bootkey as root" : "see that the directory can be written to",
                              refused ? base::ExitCode::no_permission : base::ExitCode::cannot_create);
}

// Whether it says that the file system is full or may not be written to, which keeps nobody from unlocking.
bool is_for_want_of_room(int errno_value) {
    return errno_value == ENOSPC || errno_value == EDQUOT || errno_value == EROFS;
}

// Opens the directory and sees that it is ours alone; errno otherwise.
UniqueFd open_directory(const std::string& path) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!fd || fstat(fd.get(), &status) != 0) return UniqueFd();
    if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        errno = EACCES;
        return UniqueFd();
    }
    return fd;
}

// Returns 0 or errno; ETIMEDOUT if another instance keeps the lock.
int lock(int fd) {
    const auto deadline = base::Clock::now() + lock_limit;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) return errno;
        if (base::Clock::now() >= deadline) return ETIMEDOUT;
        nanosleep(&lock_pause, nullptr);
    }
    return 0;
}

// The last instance may have removed the directory while we waited for its lock.
bool was_removed(int fd) {
    struct stat status {};
    return fstat(fd, &status) == 0 && status.st_nlink == 0;
}

// The file's text; empty without one, or if it is not a file that one of us can have written. One that cannot be read
// just now is an error: what it records must not be forgotten.
Result<std::string> read_journal(int directory, const std::string& path, const base::Log& log) {
    const UniqueFd fd(openat(directory, file_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    if (!fd && errno == ENOENT) return std::string();
    const bool nobodys =
        !fd && (errno == ELOOP || errno == ENXIO || errno == EACCES);  // a link, a socket, another user's
    if (!fd && !nobodys) return journal_error(path, errno);
    const bool ours = fd && fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
                      (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 && status.st_size <= most_bytes;
    if (!ours) {
        log.warning("the journal of changes in " + path + " was not written by bootkey: nothing in it will be undone");
        return std::string();
    }
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t count = read(fd.get(), text.data() + size, text.size() - size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return journal_error(path, errno);
        if (count == 0) break;
        size += static_cast<std::size_t>(count);
    }
    text.resize(size);
    return text;
}

// What a file is called until it is whole.
std::string new_name(const char* name) {
    return std::string(name) + ".new";
}

// Writes the file beside the old one and puts it in its place. Returns 0 or errno.
int replace_file(int directory, const char* name, mode_t mode, const std::string& text) {
    const std::string unfinished = new_name(name);
    unlinkat(directory, unfinished.c_str(), 0);  // left by an instance that was killed here
    UniqueFd fd(openat(directory, unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!fd) return errno;
    int reason = base::write_all(fd.get(), base::bytes_of(text));
    if (reason == 0 && renameat(directory, unfinished.c_str(), directory, name) != 0) reason = errno;
    if (reason != 0) unlinkat(directory, unfinished.c_str(), 0);
    return reason;
}

}  // namespace

Result<void> LockedJournal::store() {
    const int directory = directory_.get();
    if (!directory_) {
        memory_->journal = journal;
        return {};
    }
    int reason = 0;
    if (!journal.empty())
        reason = replace_file(directory, file_name, 0600, journal.text());
    else if (unlinkat(directory, file_name, 0) != 0 && errno != ENOENT)
        reason = errno;
    if (is_for_want_of_room(reason)) {
        keep_in_memory(reason);
        return {};
    }
    if (reason != 0) return journal_error(path_, reason);
    memory_->journal.reset();
    tidy();
    return {};
}

void LockedJournal::keep_in_memory(int errno_value) {
    memory_->journal = journal;
    if (std::exchange(memory_->is_told, true)) return;
    log_->warning(
        base::system_error("cannot store the journal of changes in " + path_, errno_value,
                           "make room there; what bootkey changes is undone all the same, unless it is killed")
            .message());
}

void LockedJournal::tidy() {
    if (!journal.empty() || !directory_) return;
    for (const char* name : {file_name, timeline_name}) unlinkat(directory_.get(), new_name(name).c_str(), 0);
    struct stat status {};
    if (fstat(directory_.get(), &status) == 0 && (status.st_mode & made_by_bootkey) != 0)
        rmdir(path_.c_str());  // stays if others keep something there, or a timeline is in it
}

Result<void> LockedJournal::leave_timeline(const std::string& text) {
    const int reason = directory_ ? replace_file(directory_.get(), timeline_name, 0644, text) : ENOSPC;
    if (reason == 0) return {};
    auto error = base::system_error("cannot write the timeline of this unlock into " + path_, reason,
                                    "see that the directory can be written to", base::ExitCode::cannot_create);
    tidy();
    return error;
}

Result<std::optional<LockedJournal>> JournalFile::open(const base::Log& log) const {
    for (;;) {
        LockedJournal locked(path_, open_directory(path_), memory_, log);
        if (memory_->journal) locked.journal = *memory_->journal;
        if (!locked.directory_ && errno == ENOENT && memory_->journal) return std::optional(std::move(locked));
        if (!locked.directory_ && errno == ENOENT) return std::optional<LockedJournal>();
        if (!locked.directory_) return journal_error(path_, errno);
        const int reason = lock(locked.directory_.get());
        if (reason == ETIMEDOUT)
            return Error{base::ExitCode::unavailable, "cannot lock the journal of changes in " + path_,
                         "another bootkey has kept it for a second", "see what that one waits for"};
        if (reason != 0) return journal_error(path_, reason);
        if (was_removed(locked.directory_.get())) continue;
        if (memory_->journal) return std::optional(std::move(locked));
        const auto text = read_journal(locked.directory_.get(), path_, log);
        if (!text) return text.error();
        locked.journal = Journal::parse(*text);
        return std::optional<LockedJournal>(std::move(locked));
    }
}

Result<LockedJournal> JournalFile::open_or_make(const base::Log& log) const {
    bool made = false;
    for (;;) {
        auto locked = open(log);
        if (!locked) {
            if (made) rmdir(path_.c_str());
            return std::move(locked).error();
        }
        if (*locked) return std::move(**locked);
        made = mkdir(path_.c_str(), 0711 | made_by_bootkey) ==
               0;  // whoever may read it could open it, lock it and keep us out
        if (!made && is_for_want_of_room(errno)) {
            LockedJournal in_memory(path_, UniqueFd(), memory_, log);
            in_memory.keep_in_memory(errno);
            return in_memory;
        }
        if (!made && errno != EEXIST) return journal_error(path_, errno);
    }
}

}  // namespace bootkey::changes
