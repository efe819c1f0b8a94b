// SPDX-License-Identifier: GPL-3.0-or-later
//
// The passwords of servers that earlier runs have handed over for a device: when it is asked for again, they were the
// wrong ones. Kept as digests, under a random key, in a file in memory that only root can read.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "bootkey/base/result.hpp"
#include "bootkey/base/secret.hpp"

namespace bootkey::console {

inline constexpr const char* given_passwords_file = "/run/bootkey/given";

class GivenPasswords {
public:
    /// Reads the file, which need not exist. `device`: whose passwords are meant. `forget`: those that it was given
    /// before do not count any more. A file that bootkey has not written counts as none. Errors (os_error,
    /// cannot_create): it cannot be read, or there is no memory.
    [[nodiscard]] static base::Result<GivenPasswords> open(std::string path, const std::string& device, bool forget);

    /// Whether the device was given any.
    [[nodiscard]] bool any() const;
    /// Whether it was given this one. Errors: as of append_digest().
    [[nodiscard]] base::Result<bool> contains(const base::Secret& password) const;
    /// Whether it was given one that this host had sent. Errors: as of append_digest().
    [[nodiscard]] base::Result<bool> contains_host(const std::string& host) const;
    /// Writes down that it is given this one, which `host` has sent. Errors (cannot_create): the file cannot be
    /// written.
    [[nodiscard]] base::Result<void> add(const base::Secret& password, const std::string& host);

private:
    GivenPasswords(std::string path, std::string device, base::Secret content)
        : path_(std::move(path)), device_(std::move(device)), content_(std::move(content)) {}
    using Bytes = std::span<const std::byte>;
    [[nodiscard]] base::Result<base::Secret> entry(std::span<const Bytes> what) const;
    [[nodiscard]] base::Result<bool> contains_entry(std::span<const Bytes> what) const;
    [[nodiscard]] base::Result<void> append(std::span<const Bytes> what);
    [[nodiscard]] base::Result<void> remove_entries();

    std::string path_, device_;
    base::Secret key_;
    base::Secret name_;  // the device's digest
    base::Secret
        content_;  // of the file: the key, and two digests for each password or host: of the device, and of both
};

/// Removes the file, if it exists, for the boot is over. Errors (os_error).
[[nodiscard]] base::Result<void> forget_given_passwords(const std::string& path);

}  // namespace bootkey::console
