// SPDX-License-Identifier: GPL-3.0-or-later
//
// The configuration file: long options without their dashes, one a line, as "name=value", "name value" or, for options
// without a value, "name" alone. A '#' at the start of a line or behind a blank begins a comment.
#pragma once

#include <string>
#include <string_view>

#include "bootkey/base/result.hpp"
#include "bootkey/options/option_table.hpp"

namespace bootkey::options {

/// The settings in `text`, in order; values are not checked yet. Pure. `file`: its name, for messages and origins.
/// Errors (usage, with file and line): unknown options, those that make no sense in a file (modes, config, help, ...),
/// a value that is missing or superfluous, control characters.
[[nodiscard]] base::Result<Assignments> parse_config(std::string_view text, const std::string& file);

/// The settings in the regular file `path` of at most 64 KiB. Errors: those of parse_config(), or no_input if it cannot
/// be read.
[[nodiscard]] base::Result<Assignments> read_config(const std::string& path);

}  // namespace bootkey::options
