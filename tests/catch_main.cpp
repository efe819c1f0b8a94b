// SPDX-License-Identifier: GPL-3.0-or-later
//
// The main() of Catch2's version 2, compiled once for all test programs. Version 3 brings it in a library.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
