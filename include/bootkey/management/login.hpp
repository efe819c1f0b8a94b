// SPDX-License-Identifier: GPL-3.0-or-later
//
// Comparing the password of the management interface. Pure.
#pragma once

#include <string_view>

#include "bootkey/base/secret.hpp"

namespace bootkey::management {

/// Whether `given` is `wanted`, in a time that tells nothing of where they differ, nor of how long `wanted` is.
[[nodiscard]] bool is_same_password(std::string_view given, const base::Secret& wanted);

}  // namespace bootkey::management
