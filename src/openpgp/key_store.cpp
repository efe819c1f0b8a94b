// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/openpgp/key_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"

namespace bootkey::openpgp {
namespace {

// The directory is locked, so the names need not be unique, and what a killed program left is found again.
std::string new_name(const std::string& name) {
    return "." + name + ".new";
}
std::string old_name(const std::string& name) {
    return "." + name + ".old";
}

}  // namespace

base::Result<KeyStore> KeyStore::open(const std::string& path) {
    KeyStore store;
    store.path_ = path.substr(0, path.find_last_not_of('/') + 1);  // without slashes at its end
    if (auto made = store.make_directories(); !made) return std::move(made).error();
    const std::string tried = "cannot use the directory " + base::escaped(path);
    store.directory_.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!store.directory_) return base::system_error(tried, errno, "name another one", base::ExitCode::cannot_create);
    if (flock(store.directory_.get(), LOCK_EX | LOCK_NB) != 0)
        return base::Error{base::ExitCode::unavailable, tried, "another program has locked it",
                           "wait until that has ended"};
    return store;
}

KeyStore::~KeyStore() {
    for (const std::string& name : staged_) unlinkat(directory_.get(), new_name(name).c_str(), 0);
    for (auto made = made_.rbegin(); made != made_.rend(); ++made) rmdir(made->c_str());
}

bool KeyStore::has(const std::string& name) const {
    struct stat status {};
    return fstatat(directory_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

base::Result<void> KeyStore::stage(const std::string& name, std::span<const std::byte> content, mode_t mode) {
    const std::string written = new_name(name);
    unlinkat(directory_.get(), written.c_str(), 0);
    const base::UniqueFd file(openat(directory_.get(), written.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) return failed(name, errno);
    staged_.push_back(name);
    int failure = base::write_all(file.get(), content);
    if (failure == 0 && (fchmod(file.get(), mode) != 0 || fsync(file.get()) != 0)) failure = errno;
    if (failure != 0) return failed(name, failure);
    return {};
}

base::Result<void> KeyStore::commit(bool replace) {
    std::vector<std::string> placed;
    std::vector<std::string> kept;  // old files, under their other names
    base::Result<void> result;
    for (const std::string& name : staged_) {
        result = put(name, replace, kept);
        if (!result) break;
        placed.push_back(name);
    }
    if (!result)
        for (const std::string& name : placed) unlinkat(directory_.get(), name.c_str(), 0);
    for (const std::string& name : kept) {
        if (!result) renameat(directory_.get(), old_name(name).c_str(), directory_.get(), name.c_str());
        // Also after renaming: that does nothing where both are names of the same file (rename(2)).
        unlinkat(directory_.get(), old_name(name).c_str(), 0);
    }
    fsync(directory_.get());
    if (result) made_.clear();
    return result;
}

// Gives the new file its name. The old one, if there is one, is never without its name or its other name.
base::Result<void> KeyStore::put(const std::string& name, bool replace, std::vector<std::string>& kept) {
    const int directory = directory_.get();
    if (!replace) {
        if (linkat(directory, new_name(name).c_str(), directory, name.c_str(), 0) != 0) return failed(name, errno);
        return {};
    }
    unlinkat(directory, old_name(name).c_str(), 0);
    if (linkat(directory, name.c_str(), directory, old_name(name).c_str(), 0) == 0)
        kept.push_back(name);
    else if (errno != ENOENT)
        return failed(name, errno);
    if (renameat(directory, new_name(name).c_str(), directory, name.c_str()) != 0) return failed(name, errno);
    return {};
}

base::Result<void> KeyStore::make_directories() {
    // Each prefix of the path that ends before a slash, then the path itself.
    for (std::size_t end = path_.find('/', 1);; end = path_.find('/', end + 1)) {
        const std::string directory = path_.substr(0, end);
        const bool last = end == std::string::npos;
        if (mkdir(directory.c_str(), last ? 0700 : 0755) == 0)
            made_.push_back(directory);
        else if (errno != EEXIST)
            return base::system_error("cannot make the directory " + base::escaped(directory), errno,
                                      "name another one, or run as root", base::ExitCode::cannot_create);
        if (last) return {};
    }
}

base::Error KeyStore::failed(const std::string& name, int errno_value) const {
    return base::system_error("cannot write " + base::escaped(path_ + "/" + name), errno_value,
                              errno_value == EEXIST ? "move the old file away first" : "check the directory",
                              base::ExitCode::cannot_create);
}

}  // namespace bootkey::openpgp
