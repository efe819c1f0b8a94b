// SPDX-License-Identifier: GPL-3.0-or-later
//
// Running files through a target: what libfuzzer.cpp and replay.cpp share.
#pragma once

#include <filesystem>

namespace bootkey::fuzz {

/// Runs the content of a file through the target, having told its path on standard error: last words, should it be the
/// last. Returns whether the target accepted it. A file that cannot be read ends the process with status 66.
bool run_file(const std::filesystem::path& path);

/// Runs the target's seeds, the files in `directory`: those whose names begin with "refused" must be refused, and all
/// others accepted, so that none of them becomes worthless unnoticed. Returns the exit status: 0 if it is so and at
/// least one was accepted, else 1.
int run_seeds(const std::filesystem::path& directory);

}  // namespace bootkey::fuzz
