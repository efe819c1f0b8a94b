// SPDX-License-Identifier: GPL-3.0-or-later
//
// A directory of key files that are put in place all at once: written beside under other names first, then renamed, and
// where that fails half-way, renamed back. Owns the lock on the directory, the unfinished files and, until it is
// committed, the directories it has made.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "bootkey/base/result.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::openpgp {

class KeyStore {
public:
    /// Opens `path`, or makes it with mode 0700 (missing parents with 0755), and locks it. Errors: cannot_create;
    /// unavailable (another bootkey is at work in it).
    [[nodiscard]] static base::Result<KeyStore> open(const std::string& path);
    /// Removes what was not committed.
    ~KeyStore();
    KeyStore(KeyStore&&) = default;
    KeyStore& operator=(KeyStore&&) = delete;

    /// Whether there is something called `name`, be it a file or not.
    [[nodiscard]] bool has(const std::string& name) const;
    /// Writes `content` to the disk, with `mode`, to become the file `name`. Error: cannot_create.
    [[nodiscard]] base::Result<void> stage(const std::string& name, std::span<const std::byte> content, mode_t mode);
    /// Puts all staged files in place. Existing ones are replaced if `replace`, else they are an error. On any error
    /// (cannot_create) all is as it was before.
    [[nodiscard]] base::Result<void> commit(bool replace);

private:
    KeyStore() = default;
    base::Result<void> make_directories();
    base::Result<void> put(const std::string& name, bool replace, std::vector<std::string>& kept);
    base::Error failed(const std::string& name, int errno_value) const;

    std::string path_;
    base::UniqueFd directory_;         // open and locked
    std::vector<std::string> made_;    // directories made for this, the outermost first
    std::vector<std::string> staged_;  // names whose new files are written
};

}  // namespace bootkey::openpgp
