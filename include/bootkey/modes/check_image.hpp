// SPDX-License-Identifier: GPL-3.0-or-later
//
// The initial RAM disk image as --check looks at it: unpacked by initramfs-tools, in memory, where nobody else sees it.
#pragma once

#include <optional>
#include <string>

#include "bootkey/modes/boot_plan.hpp"
#include "bootkey/modes/check_list.hpp"
#include "bootkey/openpgp/key_files.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::modes {

/// What the boot will go by, of an image in which bootkey is to unlock.
struct ImageContent {
    BootFiles files;  ///< but for the kernel command line
    bool as_plugin = false;
    bool has_network_hooks = false;
};

/// Adds steps about the image `path`: nobody else can read it; who unlocks with it; program, gpg, scripts and keys are
/// in it, and the keys are those of `keys`, which the system has. Root only. The image is unpacked into a file system
/// in memory of a mount namespace that this process has to itself from then on; it is gone when this returns, or the
/// process ends, however it ends. Returns nothing if it cannot be looked into, or bootkey is not to unlock with it.
std::optional<ImageContent> check_image(const std::string& path, const options::Options& options,
                                        const openpgp::KeyFiles& keys, CheckList& list);

/// Adds steps about the directory `root`, which holds the content of an image; returns the same.
std::optional<ImageContent> check_unpacked_image(const std::string& root, const options::Options& options,
                                                 const openpgp::KeyFiles& keys, CheckList& list);

}  // namespace bootkey::modes
