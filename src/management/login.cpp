// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/management/login.hpp"

#include <cstddef>

namespace bootkey::management {

bool is_same_password(std::string_view given, const base::Secret& wanted) {
    const auto bytes = wanted.bytes();
    // As many steps as `given` has bytes, each the same work: what is compared is fixed by the caller alone.
    volatile unsigned char differences = given.size() == bytes.size() ? 0 : 1;
    for (std::size_t i = 0; i < given.size(); ++i) {
        const std::byte expected = bytes.empty() ? std::byte{0} : bytes[i % bytes.size()];
        differences = static_cast<unsigned char>(
            differences | (static_cast<unsigned char>(given[i]) ^ std::to_integer<unsigned char>(expected)));
    }
    return differences == 0;
}

}  // namespace bootkey::management
