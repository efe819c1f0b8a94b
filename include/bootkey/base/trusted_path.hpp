// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether a file name leads where root says. For a program that runs as root for somebody else, who may name files and
// may own a part of the way to them.
#pragma once

#include <sys/stat.h>

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

}  // namespace bootkey::base
