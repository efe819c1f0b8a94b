// SPDX-License-Identifier: GPL-3.0-or-later
//
// The way is walked by descriptors (openat(2) with O_PATH and O_NOFOLLOW), as the kernel does it (path_resolution(7)).
#include "bootkey/base/trusted_path.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string_view>
#include <vector>

#include "bootkey/base/text.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::base {
namespace {

constexpr int most_links = 40;  // as many as the kernel follows

UniqueFd open_root() {
    return UniqueFd(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

// The walk along one path.
class Walk {
public:
    explicit Walk(const std::string& path) : path_(path), here_(open_root()) { go_on_with(path); }

    Result<void> to_the_end(Links links) {
        while (!names_.empty()) {
            struct stat status {};
            if (!here_ || fstat(here_.get(), &status) != 0) return failed();
            if (!is_roots_alone(status))
                return refused(where_.empty() ? "/" : where_, "others than root may change it",
                               "chown root and chmod go-w it");
            const std::string name = std::move(names_.back());
            names_.pop_back();
            UniqueFd next(openat(here_.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
            if (!next && (errno == ENOENT || errno == ENOTDIR)) return {};  // nobody but root could put something there
            if (!next || fstat(next.get(), &status) != 0) return failed();
            if (!S_ISLNK(status.st_mode)) {
                here_ = std::move(next);
                where_ += '/' + name;
                continue;
            }
            if (links == Links::refused)
                return refused(where_ + '/' + name, "it is a symbolic link", "put the file itself in its place");
            if (auto followed = follow(next); !followed) return followed;
        }
        return {};
    }

private:
    // The names of `path` come next, the first of them at the back.
    void go_on_with(std::string_view path) {
        auto names = split(path, '/');
        std::ranges::reverse(names);
        for (const std::string_view name : names)
            if (!name.empty()) names_.emplace_back(name);
    }

    Result<void> follow(const UniqueFd& link) {
        char target[PATH_MAX];
        const ssize_t length = readlinkat(link.get(), "", target, sizeof target);
        if (length < 0) return failed();
        if (++links_ > most_links) {
            errno = ELOOP;
            return failed();
        }
        go_on_with({target, static_cast<std::size_t>(length)});
        if (target[0] != '/') return {};
        here_ = open_root();
        where_.clear();
        return {};
    }

    Error refused(const std::string& what, const char* why, const char* advice) const {
        const std::string tried = "cannot trust " + escaped(path_, PATH_MAX);
        return {ExitCode::no_permission, what == path_ ? tried : tried + " because of " + escaped(what, PATH_MAX), why,
                advice};
    }
    Error failed() const { return system_error("cannot see where " + escaped(path_, PATH_MAX) + " leads", errno); }

    const std::string& path_;
    UniqueFd here_;                   // the directory that the walk has come to
    std::string where_;               // its path, for messages; empty: the root directory
    std::vector<std::string> names_;  // still to go, the next one at the back
    int links_ = 0;
};

}  // namespace

bool is_roots_alone(const struct stat& status) {
    const bool group_writes = (status.st_mode & S_IWGRP) != 0 && status.st_gid != 0;
    return status.st_uid == 0 && !group_writes && (status.st_mode & S_IWOTH) == 0;
}

Result<void> check_trusted_path(const std::string& path, Links links) {
    return Walk(path).to_the_end(links);
}

}  // namespace bootkey::base
