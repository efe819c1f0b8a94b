// SPDX-License-Identifier: GPL-3.0-or-later
//
// Temporary directories for OpenPGP keys: where they may be, what they are called, and how one goes away with the agent
// that may still run in it. Nothing but directories of that kind is ever removed.
#pragma once

#include <string>
#include <vector>

#include "bootkey/base/result.hpp"

namespace bootkey::changes {

/// A new name for such a directory below `parent`: unguessable, and recognised by is_home_path().
[[nodiscard]] base::Result<std::string> new_home_path(const std::string& parent);
/// Whether `path` is a name that new_home_path() may have made below one of `parents`.
[[nodiscard]] bool is_home_path(const std::string& path, const std::vector<std::string>& parents);
/// Whether files in `directory` are in memory only (tmpfs, ramfs): secret keys may be written nowhere else.
[[nodiscard]] bool is_in_memory(const std::string& directory);
/// Whether there is room in the file system of `directory` for a GnuPG home (512 KiB, 32 files), and it may be written
/// to.
[[nodiscard]] bool has_room(const std::string& directory);

/// Tells the gpg-agent in the home to end, and waits for at most half a second for it.
void end_agent(const std::string& home);
/// Removes the directory and all below it. Symbolic links are removed, never followed; other file systems are not
/// entered. Success if there is none.
[[nodiscard]] base::Result<void> remove_tree(const std::string& path);

}  // namespace bootkey::changes
