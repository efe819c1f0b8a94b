// SPDX-License-Identifier: GPL-3.0-or-later
//
// Catch2 for all tests, whichever version there is: 2 (Debian 12) is one header, 3 (Debian 13) has many, and other
// names for some things. The tests use the names of version 2.
#pragma once

#if __has_include(<catch2/catch.hpp>)

#include <catch2/catch.hpp>

#else

#include <catch2/catch_approx.hpp>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/catch_tostring.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <string>

namespace Catch {

using Matchers::EndsWith;
using Matchers::StartsWith;

inline auto Contains(const std::string& part) {
    return Matchers::ContainsSubstring(part);
}

}  // namespace Catch

using Catch::Approx;

#endif
