// SPDX-License-Identifier: GPL-3.0-or-later
//
// The initial RAM disk image as --check looks at it: unpacked by initramfs-tools, in memory, where nobody else sees it.
#pragma once

#include <string>

#include "bootkey/modes/check_list.hpp"
#include "bootkey/openpgp/key_files.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::modes {

/// Adds steps about the image `path`: nobody else can read it; who unlocks with it; program, gpg, scripts and keys are
/// in it, and the keys are those of `keys`, which the system has. Root only. The image is unpacked into a file system
/// in memory of a mount namespace that this process has to itself from then on; it is gone when this returns, or the
/// process ends, however it ends.
void check_image(const std::string& path, const options::Options& options, const openpgp::KeyFiles& keys,
                 CheckList& list);

/// Adds steps about the directory `root`, which holds the content of an image.
void check_unpacked_image(const std::string& root, const options::Options& options, const openpgp::KeyFiles& keys,
                          CheckList& list);

}  // namespace bootkey::modes
