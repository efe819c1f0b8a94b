// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which Linux this is, where an older one must be treated otherwise.
#pragma once

#include <compare>
#include <optional>
#include <string_view>

namespace bootkey::network {

struct KernelVersion {
    unsigned major_number = 0;  // "major" is a macro of the C library
    unsigned minor_number = 0;
    friend auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
};
/// From a release text such as "5.10.0-26-amd64", "6.2-rc1" or "6.2+"; nothing if it does not begin that way. Pure.
[[nodiscard]] std::optional<KernelVersion> parse_kernel_version(std::string_view release);
/// Of the running kernel (uname(2)); taken for a new one if it says something unheard of.
[[nodiscard]] KernelVersion running_kernel();

}  // namespace bootkey::network
