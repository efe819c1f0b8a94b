// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <utility>

#include "bootkey/base/file.hpp"
#include "bootkey/base/secret.hpp"
#include "catch.hpp"

namespace bootkey::console::testing {

inline base::Secret secret(const std::string& text) {
    auto result = base::Secret::with_capacity(text.size());
    REQUIRE(result);
    REQUIRE(result->append(base::bytes_of(text)));
    return std::move(*result);
}

/// Bytes of every value, that many.
inline std::string awkward_password(std::size_t size) {
    std::string text(size, 'x');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7);
    return text;
}

}  // namespace bootkey::console::testing
