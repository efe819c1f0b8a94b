// SPDX-License-Identifier: GPL-3.0-or-later
//
// The one table of options. The command line, the configuration file, --help and the tests of the manual page and of
// the README all read it, so an option is added here and nowhere else in the program.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bootkey/base/result.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::options {

/// What an option is to the parser.
enum class Kind {
    setting,             ///< fills a field of Options
    mode,                ///< says what to do instead of unlocking; one at most
    configuration_file,  ///< names the file with more settings
    help,                ///< these three are answered with text
    usage,
    version,
};

/// The headings of --help, in its order.
enum class Group {
    servers = 1,
    network,
    keys,
    tls,
    handover,
    management,
    generate_keys,
    enroll,
    check,
    report,
    control,
    restore,
    general
};

/// Sets of modes, one bit a mode: where an option may be given on the command line.
using Modes = unsigned;
[[nodiscard]] constexpr Modes modes_of(Mode mode) {
    return 1U << static_cast<unsigned>(mode);
}
inline constexpr Modes every_mode = ~0U;

struct Option {
    /// Puts a checked value into Options; nothing stands for an option without argument. Its error says why not and
    /// what to give instead; the caller adds the option and the value.
    using Apply = base::Result<void> (*)(Options&, std::optional<std::string_view>);

    const char* name;                ///< long name, without dashes
    char letter = '\0';              ///< short name, or none
    const char* argument = nullptr;  ///< as --help calls it; none: a flag
    bool argument_optional = false;
    Group group = Group::general;
    const char* help = "";               ///< one or two sentences without the last full stop
    const char* default_text = nullptr;  ///< what holds where it is not given, if worth saying
    Kind kind = Kind::setting;
    Modes modes = modes_of(Mode::unlock);
    const char* rival = nullptr;              ///< the option that contradicts it
    bool mandos_client = false;               ///< mandos-client has it: the only ones accepted in set-user-ID use
    const char* trusted_directory = nullptr;  ///< in set-user-ID use its value must be a file in this directory
    const char* trusted_value = nullptr;      ///< in set-user-ID use no other value is accepted
    bool told_to_hooks = false;               ///< in set-user-ID use nothing in its value may have a meaning to a shell
    Apply apply = nullptr;                    ///< settings and modes have one
};

/// All options; --help sorts them.
[[nodiscard]] std::span<const Option> option_table();
/// The heading of a group in --help.
[[nodiscard]] const char* heading(Group group);
/// The option with exactly this long name, or nullptr.
[[nodiscard]] const Option* find_option(std::string_view name);

/// An option that was given, with its value, if any, and where.
struct Assignment {
    const Option* option;
    std::optional<std::string> value;
    std::string origin;  ///< "FILE:LINE: ", or empty for the command line

    /// "option --retry=x", "/etc/bootkey/bootkey.conf:3: option --retry=x", for messages
    [[nodiscard]] std::string text() const;
};
using Assignments = std::vector<Assignment>;

}  // namespace bootkey::options
