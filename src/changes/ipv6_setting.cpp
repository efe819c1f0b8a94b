// SPDX-License-Identifier: GPL-3.0-or-later
#include "ipv6_setting.hpp"

#include <fcntl.h>

#include <cerrno>

#include "bootkey/base/file.hpp"
#include "bootkey/base/text.hpp"
#include "bootkey/base/unique_fd.hpp"

namespace bootkey::changes {

std::optional<unsigned> read_ipv6_setting(const std::string& path) {
    const auto content = base::read_file(path, 64);
    const auto value = content ? base::parse_number(base::trim(*content), 0, 2) : std::nullopt;
    return value ? std::optional(static_cast<unsigned>(*value)) : std::nullopt;
}

int write_ipv6_setting(const std::string& path, unsigned value) {
    const base::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return errno;
    return base::write_all(fd.get(), base::bytes_of(base::format("%u\n", value)));
}

}  // namespace bootkey::changes
