// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "bootkey/base/file.hpp"
#include "bootkey/base/secret.hpp"
#include "catch.hpp"

namespace bootkey::management::testing {

inline base::Secret secret(std::string_view text) {
    auto result = base::Secret::with_capacity(text.size());
    REQUIRE(result);
    REQUIRE(result->append(base::bytes_of(text)));
    return std::move(*result);
}

inline std::string text_of(const base::Secret& secret) {
    return {reinterpret_cast<const char*>(secret.bytes().data()), secret.size()};
}

}  // namespace bootkey::management::testing
