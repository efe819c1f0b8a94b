// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether a file name leads where root says, and who else may change or read what is there. For a program that runs as
// root and acts upon what it reads: for itself, or for somebody else, who may name files and may own a part of the way
// to them.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "bootkey/base/result.hpp"

namespace bootkey::base {

/// Whether nobody but root can change it: it belongs to root, and neither others nor a group but root's may write to
/// it.
[[nodiscard]] bool is_roots_alone(const struct stat& status);

/// What becomes of symbolic links on the way.
enum class Links { refused, followed };

/// Checks that nobody but root can change what the absolute `path` leads to: every directory on the way, also on the
/// ways that symbolic links point out, is root's alone. What the path leads to need be neither root's nor there. As
/// only root could change the way afterwards, the path can be opened by its name later on.
/// Errors: no_permission, naming the directory or the link; os_error.
[[nodiscard]] Result<void> check_trusted_path(const std::string& path, Links links);

/// What others can do with what a path leads to. Each is an Error (no_permission) whose advice is a command that mends
/// it, for sh(1).
struct Exposure {
    std::optional<Error> to_writing;  ///< change it: they own it, or may write to it or to a directory on the way
    std::optional<Error> to_reading;  ///< read it, by its own mode, and no directory on the way is closed to them
};

/// How exposed the file or directory is that `path` leads to, and every directory and symbolic link on the way. Others
/// are all but root and the effective user of this process; and, below /conf/conf.d/mandos and /etc/mandos/keys, but
/// the user that Mandos's plugins run as ("_mandos", "nobody", or who has started us set-user-ID). A directory in which
/// everybody may make files but change only their own (mode 1777, inode(7)) is fine on the way. What is not there is
/// not exposed, nor what cannot be looked at: whoever opens it reports that.
[[nodiscard]] Exposure exposure_of(const std::string& path);

}  // namespace bootkey::base
