// SPDX-License-Identifier: GPL-3.0-or-later
//
// A directory that is being read (readdir(3)), closed with its owner.
#pragma once

#include <dirent.h>

#include <memory>

namespace bootkey::base {

struct DirectoryCloser {
    void operator()(DIR* directory) const noexcept { closedir(directory); }
};
using DirectoryStream = std::unique_ptr<DIR, DirectoryCloser>;

}  // namespace bootkey::base
