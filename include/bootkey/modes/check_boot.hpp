// SPDX-License-Identifier: GPL-3.0-or-later
//
// The step "boot" of --check: whether the boot scripts start bootkey, and how the trial is to be made like that.
#pragma once

#include <functional>
#include <string>

#include "bootkey/base/result.hpp"
#include "bootkey/modes/boot_plan.hpp"
#include "bootkey/modes/check.hpp"
#include "bootkey/modes/check_image.hpp"
#include "bootkey/modes/check_list.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::modes {

/// Adds the step "boot" for the image's `content` and the kernel command line `command_line`. `has_interface` tells
/// whether this machine has an interface of that name. Returns the options to rehearse with: those of `read_anew`, and
/// of what the scripts give to bootkey whatever the person has not given to --check. Errors: the image's configuration
/// file, or what the scripts would add, is refused, or no interface is there that the boot would use; the step says so.
[[nodiscard]] base::Result<options::Options> check_boot(const ImageContent& content, const std::string& command_line,
                                                        const std::function<bool(const std::string&)>& has_interface,
                                                        const ReadAnew& read_anew, CheckList& list);

}  // namespace bootkey::modes
