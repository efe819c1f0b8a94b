// SPDX-License-Identifier: GPL-3.0-or-later
//
// From the words of the command line and the lines of the configuration file to one checked Options value. GNU argp
// splits the words, after the option table; it neither prints nor exits here: whatever it finds comes back as a value.
#pragma once

#include <string>
#include <variant>

#include "bootkey/base/result.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::options {

/// --help, --usage or --version was given: write `text` to standard output and exit 0.
struct Information {
    std::string text;  ///< whole lines
};

using ParseOutcome = std::variant<Options, Information>;

/// The configuration file that is read if no --config names another one and it exists.
inline constexpr const char* default_config_file = "/etc/bootkey/bootkey.conf";

/// Reads the command line and the configuration file; touches nothing else on the machine.
/// `argc`, `argv`: as main() has them; argc may be 0.
/// `set_user_id`: real and effective user id differ. The configuration file is not read then, the options that ask for
/// text are refused (usage: plugin-runner would take the text for a password), and so is what is not mandos-client's
/// or names files outside of its directories (no_permission).
/// `config_file`: read if it exists and --config is not given; another one than the default is for tests.
/// Errors: usage (64) for options and values, naming both; no_input (66) for a configuration file that cannot be read;
/// no_permission (77) as above. Throws only std::bad_alloc.
[[nodiscard]] base::Result<ParseOutcome> parse(int argc, char** argv, bool set_user_id,
                                               const std::string& config_file = default_config_file);

/// The text of a configuration file.
struct ConfigText {
    std::string name;  ///< for messages
    std::string text;
};

/// The same, but not set-user-ID and with a text in the place of the default configuration file: --config comes first.
[[nodiscard]] base::Result<ParseOutcome> parse(int argc, char** argv, const ConfigText& config);

}  // namespace bootkey::options
