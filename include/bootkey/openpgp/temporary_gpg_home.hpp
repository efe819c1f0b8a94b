// SPDX-License-Identifier: GPL-3.0-or-later
//
// A GnuPG home directory in RAM for one piece of work. Owns the directory and what GnuPG makes for it elsewhere; all is
// gone when it is destroyed. Private to the room.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "bootkey/base/result.hpp"

namespace bootkey::openpgp {

/// The first of `candidates` that is a directory in RAM (tmpfs or ramfs, by statfs(2)) where we can make files. Error
/// (unavailable): none is.
[[nodiscard]] base::Result<std::string> find_ram_directory(std::span<const std::string> candidates);

class TemporaryGpgHome {
public:
    /// Makes an empty home, mode 0700, in /run or /dev/shm, which gpg uses without network, random seed file and
    /// starting agents by itself; an agent it finds at the socket S.gpg-agent in the home, wherever it would look on
    /// this system. Runs gpgconf. Errors: unavailable (neither directory is in RAM; GnuPG is not installed),
    /// cannot_create.
    [[nodiscard]] static base::Result<std::unique_ptr<TemporaryGpgHome>> create();
    ~TemporaryGpgHome();
    TemporaryGpgHome(const TemporaryGpgHome&) = delete;
    TemporaryGpgHome& operator=(const TemporaryGpgHome&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    explicit TemporaryGpgHome(std::string path) : path_(std::move(path)) {}
    base::Result<void> lead_to_agent();

    std::string path_;
    std::string socket_directory_;  // that GnuPG has made for this home alone; empty: none
};

}  // namespace bootkey::openpgp
