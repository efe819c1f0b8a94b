// SPDX-License-Identifier: GPL-3.0-or-later
//
// The function that libFuzzer calls (https://llvm.org/docs/LibFuzzer.html); its library brings main().
#include <cstdint>

#include "fuzz.hpp"

// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    bootkey::fuzz::run(std::as_bytes(std::span(data, size)));
    return 0;
}
