// SPDX-License-Identifier: GPL-3.0-or-later
//
// The way is walked by descriptors (openat(2) with O_PATH and O_NOFOLLOW), as the kernel does it (path_resolution(7)).
#include "bootkey/base/trusted_path.hpp"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::base {
namespace {

constexpr int most_links = 40;  // as many as the kernel follows

UniqueFd open_root() {
    return UniqueFd(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

// ---- Who is trusted

// Mandos's own hooks give the keys to the user that its plugins run as, in these directories.
constexpr std::array<std::string_view, 2> mandos_directories{"/conf/conf.d/mandos", "/etc/mandos/keys"};
constexpr std::uint32_t nobody = 65534;

bool is_inside(std::string_view path, std::string_view directory) {
    return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

// The user and group "_mandos" in /etc/passwd; the C library would load modules to look them up.
struct Identity {
    std::uint32_t user = nobody;
    std::uint32_t group = nobody;
};

Identity mandos_identity() {
    constexpr std::size_t longest = 1024 * 1024;
    const auto users = read_file("/etc/passwd", longest);
    if (!users) return {};
    for (const std::string_view line : split(*users, '\n')) {
        if (!line.starts_with("_mandos:")) continue;
        const auto fields = split(line, ':');
        Identity found;
        const auto number = [&](std::size_t field, std::uint32_t& into) {
            if (field < fields.size())
                std::from_chars(fields[field].data(), fields[field].data() + fields[field].size(), into);
        };
        number(2, found.user);
        number(3, found.group);
        return found;
    }
    return {};
}

// Those who may change a file although they are not root. For the program as it runs, and the path that is looked at.
class Trusted {
public:
    // Nobody but root.
    static Trusted root_alone() { return {}; }
    // Us, too, and below Mandos's directories its user.
    static Trusted of_this_process() {
        Trusted trusted;
        trusted.we_count_ = true;
        return trusted;
    }

    bool user(uid_t user, std::string_view path) {
        if (user == 0) return true;
        if (!we_count_) return false;
        return user == geteuid() ||
               (is_of_mandos(path) && (user == nobody || user == mandos().user || user == caller()));
    }
    bool group(gid_t group, std::string_view path) {
        if (group == 0) return true;
        if (!we_count_) return false;
        return (geteuid() != 0 && group == getegid()) ||
               (is_of_mandos(path) && (group == nobody || group == mandos().group));
    }

private:
    static bool is_of_mandos(std::string_view path) {
        return std::ranges::any_of(mandos_directories, [path](auto directory) { return is_inside(path, directory); });
    }
    // Where plugin-runner has started us set-user-ID, that is the user; see leave_caller_behind().
    static uid_t caller() {
        uid_t real = 0;
        uid_t effective = 0;
        uid_t saved = 0;
        return getresuid(&real, &effective, &saved) == 0 ? saved : 0;
    }
    const Identity& mandos() {
        if (!looked_up_) identity_ = mandos_identity();
        looked_up_ = true;
        return identity_;
    }

    bool we_count_ = false;
    bool looked_up_ = false;
    Identity identity_;
};

// An access control list (acl(5)) makes the bits of the group a limit for all who are named in it.
bool has_access_list(const UniqueFd& fd) {
    return getxattr(format("/proc/self/fd/%d", fd.get()).c_str(), "system.posix_acl_access", nullptr, 0) > 0;
}

// ---- The walk along one path

struct Rules {
    Links links = Links::followed;
    bool end_counts = true;      // also who may write to what the path leads to
    bool sticky_is_fine = true;  // a directory in which others may make names, but not replace those of root
};

class Walk {
public:
    Walk(const std::string& path, Rules rules, Trusted trusted)
        : path_(path), rules_(rules), trusted_(trusted), here_(open_root()) {
        go_on_with(path);
        if (path.starts_with('/')) return;
        char directory[PATH_MAX];
        if (getcwd(directory, sizeof directory) != nullptr) go_on_with(directory);
    }

    Result<void> to_the_end() {
        while (!names_.empty()) {
            if (auto checked = check_here(true); !checked) return checked;
            const std::string name = std::move(names_.back());
            names_.pop_back();
            UniqueFd next(openat(here_.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
            if (!next && (errno == ENOENT || errno == ENOTDIR)) return {};  // nobody but root could put something there
            struct stat status {};
            if (!next || fstat(next.get(), &status) != 0) return failed();
            if (!S_ISLNK(status.st_mode)) {
                step(std::move(next), name);
                continue;
            }
            if (rules_.links == Links::refused)
                return refused(where_ + '/' + name, "it is a symbolic link", "put the file itself in its place");
            if (rules_.sticky_is_fine && !trusted_.user(status.st_uid, where_))
                return refused(where_ + '/' + name, "others than root may change this symbolic link",
                               "chown -h root " + shell_word(where_ + '/' + name));
            if (auto followed = follow(next); !followed) return followed;
        }
        arrived_ = true;
        return rules_.end_counts ? check_here(false) : Result<void>();
    }

    // Behind to_the_end(): whether others than root may read what the path leads to, and reach it.
    bool is_readable_by_others() {
        struct stat status {};
        if (!arrived_ || barred_ || fstat(here_.get(), &status) != 0) return false;
        const bool group =
            (status.st_mode & S_IRGRP) != 0 && (!trusted_.group(status.st_gid, where_) || has_access_list(here_));
        return group || (status.st_mode & S_IROTH) != 0;
    }
    [[nodiscard]] std::string end() const { return where_.empty() ? "/" : where_; }

    Error refused(const std::string& what, const std::string& why, const std::string& advice) const {
        const std::string tried = "cannot trust " + escaped(path_, PATH_MAX);
        return {ExitCode::no_permission, what == path_ ? tried : tried + " because of " + escaped(what, PATH_MAX), why,
                advice};
    }

private:
    // The names of `path` come next, the first of them at the back.
    void go_on_with(std::string_view path) {
        auto names = split(path, '/');
        std::ranges::reverse(names);
        for (const std::string_view name : names)
            if (!name.empty()) names_.emplace_back(name);
    }

    // ".." is where the descriptor says, and its name is no longer than before.
    void step(UniqueFd next, const std::string& name) {
        here_ = std::move(next);
        if (name == "..")
            where_.resize(where_.empty() ? 0 : where_.rfind('/'));
        else if (name != ".")
            where_ += '/' + name;
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
        barred_ = false;
        return {};
    }

    // Whether others than who is trusted may change what the walk has come to. Where the way goes on, only if they may
    // replace what comes next.
    Result<void> check_here(bool goes_on) {
        struct stat status {};
        if (!here_ || fstat(here_.get(), &status) != 0) return failed();
        const bool owned = trusted_.user(status.st_uid, where_);
        const bool group_is_trusted = trusted_.group(status.st_gid, where_);
        const bool group_writes =
            (status.st_mode & S_IWGRP) != 0 && (!group_is_trusted || (rules_.end_counts && has_access_list(here_)));
        const bool others_write = group_writes || (status.st_mode & S_IWOTH) != 0;
        const bool is_directory = S_ISDIR(status.st_mode);
        const bool is_sticky = rules_.sticky_is_fine && goes_on && (status.st_mode & S_ISVTX) != 0;
        if (is_directory && (status.st_mode & S_IXOTH) == 0 && ((status.st_mode & S_IXGRP) == 0 || group_is_trusted))
            barred_ = true;
        if (owned && (!others_write || is_sticky)) return {};
        std::string command = owned ? "" : "chown root " + shell_word(end());
        if (others_write && !is_sticky) command += (owned ? "" : " && ") + ("chmod go-w " + shell_word(end()));
        return refused(end(), "others than root may change it", command);
    }

    Error failed() const { return system_error("cannot see where " + escaped(path_, PATH_MAX) + " leads", errno); }

    const std::string& path_;
    Rules rules_;
    Trusted trusted_;
    UniqueFd here_;                   // what the walk has come to
    std::string where_;               // its path, for messages; empty: the root directory
    std::vector<std::string> names_;  // still to go, the next one at the back
    int links_ = 0;
    bool barred_ = false;  // a directory on the way is closed to others
    bool arrived_ = false;
};

}  // namespace

bool is_roots_alone(const struct stat& status) {
    const bool group_writes = (status.st_mode & S_IWGRP) != 0 && status.st_gid != 0;
    return status.st_uid == 0 && !group_writes && (status.st_mode & S_IWOTH) == 0;
}

Result<void> check_trusted_path(const std::string& path, Links links) {
    return Walk(path, {.links = links, .end_counts = false, .sticky_is_fine = false}, Trusted::root_alone())
        .to_the_end();
}

Exposure exposure_of(const std::string& path) {
    Walk walk(path, {}, Trusted::of_this_process());
    const auto walked = walk.to_the_end();
    Exposure exposure;
    // A way that cannot be walked is told by whoever reads the file.
    if (!walked && walked.error().code == ExitCode::no_permission) exposure.to_writing = walked.error();
    if (walk.is_readable_by_others())
        exposure.to_reading = walk.refused(walk.end(), "others than root may read it, and it holds a secret",
                                           "chmod go= " + shell_word(walk.end()));
    return exposure;
}

}  // namespace bootkey::base
