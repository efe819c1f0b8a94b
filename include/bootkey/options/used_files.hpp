// SPDX-License-Identifier: GPL-3.0-or-later
//
// The files that the program reads and acts upon, and what becomes of those that others may change. On a running system
// they are refused: somebody is there to mend it. At boot nobody is, and a machine that unlocked yesterday must do so
// today, so there they are used, and the log says what is wrong.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bootkey/base/log.hpp"
#include "bootkey/base/result.hpp"
#include "bootkey/options/options.hpp"

namespace bootkey::options {

enum class Content { plain, secret };

struct UsedFile {
    std::string path;  ///< of a file or a directory; it need not be there
    Content content = Content::plain;
};

/// What becomes of a file that others may change.
enum class Exposed { refused, warned_of };

/// Refused where a person has started the program on a running system: to enrol, to talk to another bootkey, or to
/// unlock by hand. Warned of in the initial RAM disk (where the root directory is on ramfs or tmpfs), where it works
/// beside or in the place of cryptsetup's prompt (--askpass-fifo, --prompt), where it runs set-user-ID, and in the
/// modes that a package's scripts use.
[[nodiscard]] Exposed treatment_of_exposed(const Options& options);

/// The files that the options themselves name and this mode reads, but keys: the configuration file, passwords,
/// signers' keys, Diffie-Hellman parameters, the directory of network hooks.
[[nodiscard]] std::vector<UsedFile> named_files(const Options& options);

/// Warns of secrets that others may read, and of files that others may change (base::exposure_of()), or refuses the
/// first of these. Error: no_permission, with the command that mends it.
[[nodiscard]] base::Result<void> check_files(std::span<const UsedFile> files, Exposed treatment, const base::Log& log);

}  // namespace bootkey::options
