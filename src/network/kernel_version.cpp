// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/network/kernel_version.hpp"

#include <sys/utsname.h>

#include <algorithm>

#include "bootkey/base/text.hpp"

namespace bootkey::network {
namespace {

constexpr unsigned most_number = 100000;

// Takes the digits off the front of `text`.
std::optional<unsigned> take_number(std::string_view& text) {
    const auto digits = text.substr(0, std::min(text.find_first_not_of("0123456789"), text.size()));
    text.remove_prefix(digits.size());
    const auto number = base::parse_number(digits, 0, most_number);
    return number ? std::optional(static_cast<unsigned>(*number)) : std::nullopt;
}

}  // namespace

std::optional<KernelVersion> parse_kernel_version(std::string_view release) {
    const auto first = take_number(release);
    if (!first || release.empty() || release.front() != '.') return std::nullopt;
    release.remove_prefix(1);
    const auto second = take_number(release);
    if (!second) return std::nullopt;
    return KernelVersion{*first, *second};
}

KernelVersion running_kernel() {
    utsname system{};
    const auto version = uname(&system) == 0 ? parse_kernel_version(system.release) : std::nullopt;
    return version.value_or(KernelVersion{most_number, 0});
}

}  // namespace bootkey::network
