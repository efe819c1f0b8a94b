// SPDX-License-Identifier: GPL-3.0-or-later
//
// The functions that libFuzzer calls (https://llvm.org/docs/LibFuzzer.html); its library brings main(). Beside
// libFuzzer's own way of being called there is
//
//   fuzz_TARGET --seeds DIRECTORY the target's seeds, and no fuzzing
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "fuzz.hpp"
#include "seeds.hpp"

// NOLINTBEGIN(readability-identifier-naming): the names are libFuzzer's
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
    const std::span words(*argv, static_cast<std::size_t>(*argc));
    if (words.size() == 3 && std::string_view(words[1]) == "--seeds") std::exit(bootkey::fuzz::run_seeds(words[2]));
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    bootkey::fuzz::run(std::as_bytes(std::span(data, size)));
    return 0;
}
// NOLINTEND(readability-identifier-naming)
