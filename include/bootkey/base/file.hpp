// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whole files and whole writes: bounded reading, writing that survives short writes and signals, and
// creation that replaces a file in one step.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::base {

/// All of the regular file `path`, at most `most` bytes; longer is an error. Errors carry `code`. For files
/// without secrets.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t most,
                                            ExitCode code = ExitCode::os_error);
/// The same for a file with a secret in it: the bytes exist in the Secret only.
[[nodiscard]] Result<Secret> read_secret_file(const std::string& path, std::size_t most,
                                              ExitCode code = ExitCode::no_input);
/// Writes all of `bytes` to `fd`, repeating short writes and EINTR; waits as long as `fd` takes nothing. Returns 0 or
/// errno; a pipe without reader also raises SIGPIPE, unless that is ignored.
[[nodiscard]] int write_all(int fd, std::span<const std::byte> bytes) noexcept;
/// Writes `content` to `path` through a temporary file beside it, fsync and rename, with `mode`. Without
/// `replace` an existing file is an error (cannot_create) and stays as it was.
[[nodiscard]] Result<void> write_file(const std::string& path, std::span<const std::byte> content, mode_t mode,
                                      bool replace);
/// Whether what is in `directory` stays in memory: it is on tmpfs or ramfs. False if that cannot be seen.
[[nodiscard]] bool is_in_memory(const std::string& directory);
/// The bytes of `text`.
[[nodiscard]] inline std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace bootkey::base
