// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs a target without libFuzzer, built like the rest of the program:
//
//   fuzz_TARGET FILE...           the files, to see again what a fuzzer has found
//   fuzz_TARGET --seeds DIRECTORY the target's seeds
#include <cstddef>
#include <span>
#include <string_view>

#include "fuzz.hpp"
#include "seeds.hpp"

using namespace bootkey;

int main(int argc, char** argv) {
    const std::span words(argv, static_cast<std::size_t>(argc));
    if (words.size() == 3 && std::string_view(words[1]) == "--seeds") return fuzz::run_seeds(words[2]);
    for (std::size_t i = 1; i < words.size(); ++i) fuzz::run_file(words[i]);
    return words.size() > 1 ? 0 : static_cast<int>(base::ExitCode::usage);
}
